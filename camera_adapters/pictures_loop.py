"""The loop: the newest pictures of each camera on this machine's disk, in folders by camera and day.

::

    pictures/<centre>/<camera>/2026-11-23/<sha256>.jpg …, index.jsonl
    pictures/<centre>/<camera>/deleted/….json, ….hashes            # what was deleted: facts, and 32 bytes to a picture

A picture has its name from its bytes: a torn or changed one shows. A line of the index follows the picture it speaks of, so a
process killed between them leaves a picture without a line, which goes with its day. Every byte that is ever written here goes
through :func:`put` or :func:`_append`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from domain.chain import canonical, moment_text
from domain.pictures import Gap, Kept

INDEX, DELETED, BYTES = "index.jsonl", "deleted", "bytes"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PLAIN = re.compile(r"[\w%-][\w%.-]{0,99}", re.ASCII)
Key = tuple[str, str]
"""Centre and camera."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted at once of one camera's day. ``digest``: SHA-256 (hex) of the file of hashes, 32 bytes to a picture, sorted.

    ``reason``: ``age`` or ``disk``.
    """

    centre: str
    camera: str
    day: date
    reason: str
    digest: str
    pictures: int
    size: int
    first_at: datetime | None
    last_at: datetime | None
    deleted_at: datetime

    @property
    def name(self) -> str:
        """Of its files: the same picture may have been kept, and deleted, on several days."""
        return f"{self.day}-{self.deleted_at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a loop knows of some hours of a camera."""

    pictures: tuple[Kept, ...]
    gaps: tuple[Gap, ...]

    def speaks_of(self, since: datetime) -> bool:
        """Whether this machine knows anything of what came after a moment, be it why there is nothing."""
        moments = [each.at for each in self.pictures] + [each.at for each in self.gaps]
        return any(at >= since for at in moments)


def put(path: Path, content: bytes, *, sure: bool) -> None:
    """Writes a file under another name and renames it: it is there whole, or not at all.

    Args:
        sure: on the disk when this returns, also if the power fails then.
    """
    other = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(other, "wb", opener=_opener) as file:
            file.write(content)
            if sure:
                file.flush()
                os.fsync(file.fileno())
        os.replace(other, path)
    except OSError:
        other.unlink(missing_ok=True)
        raise
    if sure:
        _sync_folder(path.parent)


class PictureLoop:
    """The pictures of all cameras of this machine. Writing belongs to one thread, deleting to the same or a later one.

    Args:
        folder: ``pictures`` in the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begun: set[Path] = set()

    # -- writing ---------------------------------------------------------------------------------------------------------

    def keep(
        self, key: Key, day: date, at: datetime, picture: bytes, *, sure: bool = False, **facts: Any
    ) -> Kept:
        """Keeps a picture and then its line.

        Args:
            day: local date of the centre. facts: ``states``, ``offset``, ``why`` …, JSON-ready.

        Raises:
            OSError: the disk is full or gone.
        """
        name = hashlib.sha256(picture).hexdigest()
        folder = self._day(key, day)
        path = folder / f"{name}.jpg"
        try:
            if not path.exists():
                put(path, picture, sure=sure)
        except FileNotFoundError:
            self._begun.discard(folder)  # somebody removed the folder; the next picture makes it anew
            raise
        line = {"at": moment_text(at), "sha256": name, "size": len(picture), **facts}
        self._append(folder, line, sure=sure)
        return _kept(line, at)

    def note_gap(self, key: Key, day: date, at: datetime, reason: str) -> None:
        """Notes that from now on there are none, and why.

        Raises:
            OSError: the disk is full or gone.
        """
        self._append(self._day(key, day), {"at": moment_text(at), "none": reason}, sure=False)

    def _day(self, key: Key, day: date) -> Path:
        folder = self.folder_of(key) / day.isoformat()
        if folder not in self._begun:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (folder.parent / "camera.json").exists():
                put(
                    folder.parent / "camera.json",
                    canonical({"centre": key[0], "camera": key[1]}).encode(),
                    sure=False,
                )
            self._begun.add(folder)
        return folder

    def _append(self, folder: Path, line: dict[str, Any], *, sure: bool) -> None:
        text = f"{canonical(line)}\n".encode()
        with open(folder / INDEX, "ab+", opener=_opener) as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    text = b"\n" + text  # a line that was cut short by a crash stays alone
            file.write(text)
            if sure:
                file.flush()
                os.fsync(file.fileno())

    # -- reading ---------------------------------------------------------------------------------------------------------

    def folder_of(self, key: Key) -> Path:
        return self.folder / safe_name(key[0]) / safe_name(key[1])

    def cameras(self) -> list[Key]:
        """Every camera of which there is anything here."""
        found = []
        for path in sorted(self.folder.glob("*/*/camera.json")):
            row = json.loads(path.read_bytes())
            found.append((row["centre"], row["camera"]))
        return found

    def days(self, key: Key) -> list[date]:
        """The days of a camera of which pictures are here, oldest first."""
        try:
            names = os.listdir(self.folder_of(key))
        except FileNotFoundError:
            return []
        return sorted(date.fromisoformat(name) for name in names if _DAY.fullmatch(name))

    def read(self, key: Key, since: datetime, until: datetime) -> Stretch:
        """Pictures from ``since`` to ``until`` (both included), and every gap up to then, also a deleted day's."""
        # A day of the centre may begin up to 14 hours before, and end as much after, the same day of UTC.
        first, last = (since - timedelta(days=1)).date(), (until + timedelta(days=1)).date()
        pictures: list[Kept] = []
        gaps = [
            Gap(each.first_at, f"deleted_{each.reason}")
            for each in self.deletions(key, since=first, until=last)
            if each.first_at is not None and each.first_at <= until
        ]
        for day in self.days(key):
            if first <= day <= last:
                kept, none = read_day(self.folder_of(key) / day.isoformat())
                pictures += [each for each in kept if since <= each.at <= until]
                gaps += [each for each in none if each.at <= until]
                # From its first picture on a gap says no longer why there is none.
                gaps += [Gap(each.at, "not_kept") for each in kept if each.at <= until]
        return Stretch(tuple(pictures), tuple(sorted(gaps, key=lambda gap: gap.at)))

    def read_day(self, key: Key, day: date) -> list[Kept]:
        """The pictures of a day."""
        return read_day(self.folder_of(key) / day.isoformat())[0]

    def content(self, key: Key, kept: Kept) -> bytes | None:
        """The bytes of a picture; None if it is not there or not as it was written."""
        for path in self.folder_of(key).glob(f"*/{kept.sha256}.jpg"):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == kept.sha256:
                return content
        return None

    def find(self, sha256: str) -> list[Path]:
        """Where a picture lies."""
        return sorted(self.folder.glob(f"*/*/*/{sha256}.jpg"))

    def size(self, key: Key, day: date, *, over: bool = False) -> int:
        """Bytes of the pictures of a day; counted once of a day that is over: a month of a thousand cameras is 75 million."""
        folder = self.folder_of(key) / day.isoformat()
        with suppress(FileNotFoundError, ValueError):
            if over:
                return int((folder / BYTES).read_text("ascii"))
        found = sum(entry.stat().st_size for entry in os.scandir(folder) if entry.name.endswith(".jpg"))
        if over:
            put(folder / BYTES, str(found).encode(), sure=False)
        return found

    # -- deleting --------------------------------------------------------------------------------------------------------

    def delete(
        self, key: Key, day: date, reason: str, now: datetime, *, until: datetime | None = None
    ) -> Deletion | None:
        """Deletes a day, or what was taken before ``until`` in it; None if there is nothing to delete.

        What is deleted is written down first: a process killed half way through deletes the rest when it starts again
        (:meth:`finish`).
        """
        folder = self.folder_of(key) / day.isoformat()
        kept, _ = read_day(folder)
        doomed = [each for each in kept if until is None or each.at < until]
        stays = {each.sha256 for each in kept} - {each.sha256 for each in doomed}
        stays |= {each.sha256 for each in kept if until is not None and each.at >= until}
        names = {each.sha256 for each in doomed} - stays
        if until is None:
            # Also those whose line a crash has kept from being written.
            names |= {path.stem for path in folder.glob("*.jpg") if re.fullmatch("[0-9a-f]{64}", path.stem)}
        if not names:
            if until is None:
                shutil.rmtree(folder, ignore_errors=True)
                self._begun.discard(folder)
            return None
        hashes = b"".join(sorted(bytes.fromhex(name) for name in names))
        size = sum(path.stat().st_size for name in names if (path := folder / f"{name}.jpg").exists())
        moments = sorted(each.at for each in doomed)
        made = Deletion(
            *key, day, reason, hashlib.sha256(hashes).hexdigest(), len(names), size, moments[0] if moments else None,
            moments[-1] if moments else None, now,
        )  # fmt: skip
        place = self.folder_of(key) / DELETED
        place.mkdir(exist_ok=True, mode=0o700)
        put(place / f"{made.name}.hashes", hashes, sure=True)
        put(place / f"{made.name}.new.json", _deletion_text(made, until), sure=True)
        self._carry_out(key, made, names, until)
        return made

    def _carry_out(self, key: Key, made: Deletion, names: Collection[str], until: datetime | None) -> None:
        folder = self.folder_of(key) / made.day.isoformat()
        if until is None:
            shutil.rmtree(folder, ignore_errors=True)
            self._begun.discard(folder)
            return
        for name in names:
            (folder / f"{name}.jpg").unlink(missing_ok=True)
        if folder.exists():
            self._append(folder, {"at": moment_text(until), "deleted_before": made.reason}, sure=False)

    def finish(self) -> None:
        """Carries out what a process that was killed had begun to delete."""
        for key in self.cameras():
            for path in sorted((self.folder_of(key) / DELETED).glob("*.new.json")):
                made, until = _read_deletion(path)
                hashes = path.with_name(f"{made.name}.hashes").read_bytes()
                names = {hashes[n : n + 32].hex() for n in range(0, len(hashes), 32)}
                if until is not None or (self.folder_of(key) / made.day.isoformat()).exists():
                    self._carry_out(key, made, names, until)

    def deletions(
        self, key: Key, *, unreported: bool = False, since: date = date.min, until: date = date.max
    ) -> list[Deletion]:
        """What was deleted of a camera's days; only what nobody outside has been told of yet, if asked so."""
        pattern = "*.new.json" if unreported else "*.json"
        found = sorted((self.folder_of(key) / DELETED).glob(pattern))
        return [
            _read_deletion(path)[0]
            for path in found
            if since.isoformat() <= path.name[:10] <= until.isoformat()
        ]

    def reported(self, made: Deletion) -> None:
        """The chain knows of it."""
        place = self.folder_of((made.centre, made.camera)) / DELETED
        with suppress(FileNotFoundError):
            os.replace(place / f"{made.name}.new.json", place / f"{made.name}.json")

    def deleted_with(self, sha256: str) -> Iterator[Deletion]:
        """The deletions that a picture was part of."""
        name = bytes.fromhex(sha256)
        for key in self.cameras():
            for each in self.deletions(key):
                path = self.folder_of(key) / DELETED / f"{each.name}.hashes"
                hashes = path.read_bytes() if path.exists() else b""
                if any(hashes[n : n + 32] == name for n in range(0, len(hashes), 32)):
                    yield each


def read_day(folder: Path) -> tuple[list[Kept], list[Gap]]:
    """A day's pictures and gaps, in the order in which they were written; lines that a crash cut short are left out."""
    try:
        lines = (folder / INDEX).read_bytes().splitlines()
    except FileNotFoundError:
        return [], []
    kept: list[Kept] = []
    gaps: list[Gap] = []
    for line in lines:
        try:
            row = json.loads(line)
            at = datetime.strptime(row["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
            if "sha256" in row:
                kept.append(_kept(row, at))
            elif "none" in row:
                gaps.append(Gap(at, str(row["none"])))
            elif "deleted_before" in row:
                first = min((each.at for each in kept), default=at)
                kept = [each for each in kept if each.at >= at]
                gaps.append(Gap(first, f"deleted_{row['deleted_before']}"))
        except (ValueError, KeyError, TypeError):
            continue
    return kept, gaps


def _kept(row: dict[str, Any], at: datetime) -> Kept:
    return Kept(
        str(row["sha256"]), at, int(row["size"]), row.get("states") or {}, row.get("offset"), row.get("post")
    )  # fmt: skip


def safe_name(code: str) -> str:
    """A folder's name for a code that may hold any printable characters."""
    name = quote(code, safe="")
    if _PLAIN.fullmatch(name) and name != DELETED and not _DAY.fullmatch(name):
        return name
    return "~" + hashlib.sha256(code.encode()).hexdigest()[:32]


def _deletion_text(made: Deletion, until: datetime | None) -> bytes:
    names = made.__slots__
    row = {name: getattr(made, name) for name in names} | {"until": until}
    return canonical({name: value for name, value in row.items() if value is not None}).encode()


def _read_deletion(path: Path) -> tuple[Deletion, datetime | None]:
    row = json.loads(path.read_bytes())
    for name in ("first_at", "last_at", "deleted_at", "until"):
        row[name] = datetime.fromisoformat(row[name]) if row.get(name) else None
    until = row.pop("until")
    return Deletion(**row | {"day": date.fromisoformat(row["day"])}), until


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


__all__ = [
    "Deletion", "Key", "PictureLoop", "Stretch", "put", "read_day", "safe_name",
]  # fmt: skip
