"""A backup on disk: one folder, complete or not there at all, that checks itself.

::

    mingjing-20261122T194500Z/
        manifest.json      what it is: moment, versions, where the log stood
        database.dump      pg_dump's custom format
        log.db             the local log; absent on Kafka
        centre.yaml        or centre/, as ``MINGJING_CENTRE`` is a file or a folder
        references/        what the cameras learned of their empty posts; absent where none has
        SHA256SUMS         of all of these; `sha256sum -c` reads it too

It is made under another name and renamed when it is whole and on the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.errors import InputError, SettingsError, StoreError
from store.dump import ServerFacts, check_dump

FORMAT = 1
NAME = re.compile(r"mingjing-\d{8}T\d{6}Z")
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
DUMP, LOG, CENTRE_FILE, CENTRE_FOLDER = "database.dump", "log.db", "centre.yaml", "centre"
REFERENCES = "references"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of.

    Args:
        made_at: moment of the log's copy; everything acknowledged before it is in the backup.
        positions: on Kafka: topic → partition → next offset to read, from before the dump.
    """

    made_at: datetime
    program: str
    server: ServerFacts
    positions: dict[str, dict[int, int]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "made_at": self.made_at.isoformat(), "program": self.program,
                "server": asdict(self.server), "positions": self.positions}  # fmt: skip


def read_manifest(folder: Path) -> Manifest:
    """
    Raises:
        InputError: the folder is no backup, or one of a newer program.
    """
    try:
        row = json.loads((folder / MANIFEST).read_text("utf-8"))
        if row["format"] > FORMAT:
            raise InputError(f"{folder} was made by a newer version ({row['program']})")
        positions = {
            topic: {int(number): int(offset) for number, offset in each.items()}
            for topic, each in row["positions"].items()
        }
        made_at = datetime.fromisoformat(row["made_at"])
        return Manifest(made_at, row["program"], ServerFacts(**row["server"]), positions)
    except FileNotFoundError:
        inside = list_backups(folder)
        hint = f"; the newest one in it is {inside[-1].name}" if inside else ""
        raise InputError(f"{folder} is no backup: it has no {MANIFEST}{hint}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / MANIFEST} is damaged ({error})") from None


def list_backups(folder: Path) -> list[Path]:
    """The complete backups in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir())


@contextmanager
def new_backup(to: Path, moment: datetime) -> Iterator[Path]:
    """A folder to fill; it gets its name when the block ends without an error and goes away otherwise.

    Raises:
        SettingsError: the place cannot be written, or another backup is being made there.
    """
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(to / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"{to} cannot be written: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"another backup is being made in {to}") from None
        for left in to.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        name = f"mingjing-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        final, folder = to / name, to / f"{UNFINISHED}{name}"
        if final.exists():
            raise SettingsError(f"{final} is there already")
        folder.mkdir(mode=0o700)
        try:
            yield folder
            _sync(folder)
            folder.rename(final)
            _sync(to, deep=False)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def seal(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest and the checksums of everything."""
    text = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")
    lines = [f"{_digest(path)}  {path.relative_to(folder)}\n" for path in _files(folder) if path.name != SUMS]
    (folder / SUMS).write_text("".join(lines), "utf-8")
    for path in _files(folder):
        path.chmod(0o600)


def verify(folder: Path) -> Manifest:
    """Reads every byte: checksums, the dump's table of contents, the log's pages.

    Raises:
        InputError: something is missing, changed or too much.
        StoreError: the dump cannot be read.
    """
    manifest = read_manifest(folder)
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{folder} has no {SUMS}") from None
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {str(path.relative_to(folder)) for path in _files(folder) if path.name != SUMS}
    for name in sorted(there ^ sums.keys()):
        raise InputError(f"{folder / name} is {'missing' if name in sums else 'not in ' + SUMS}")
    for name, digest in sums.items():
        if _digest(folder / name) != digest:
            raise InputError(f"{folder / name} is not what was written: its checksum differs")
    if check_dump(folder / DUMP, manifest.server.major) == 0:
        raise StoreError(f"{folder / DUMP} holds no table")
    if (folder / LOG).exists():
        _check_log(folder / LOG)
    return manifest


def prune(to: Path, keep: int) -> list[Path]:
    """Removes the oldest backups beyond ``keep`` (at least 1); returns which."""
    gone = list_backups(to)[: -max(keep, 1)]
    for path in gone:
        shutil.rmtree(path)
    return gone


def _check_log(path: Path) -> None:
    # Immutable: looking at it must leave no -wal or -shm beside it.
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        said = connection.execute("pragma quick_check").fetchone()[0]
    except sqlite3.Error as error:
        said = str(error)
    finally:
        connection.close()
    if said != "ok":
        raise InputError(f"{path} is damaged: {said}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path, *, deep: bool = True) -> None:
    """To the disk: the files of a folder and the folder itself."""
    for path in [
        *(_files(folder) if deep else ()),
        *(each for each in folder.rglob("*") if deep and each.is_dir()),
        folder,
    ]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
