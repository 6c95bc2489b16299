"""Reading the centres of a system: one centre file, or a folder of them.

A broken file must not blind the other centres. Whoever starts a system by hand is refused with the list of all defects
(:meth:`Centres.refuse_problems`); a process that starts again by itself goes on with the last good reading of the broken
file, and without the centre only where it was never read. Files of other names and folders inside are ignored.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from pydantic import ValidationError

from domain.centre import Centre
from domain.centre_file import MAX_BYTES, read_centre
from domain.centres import Centres
from domain.errors import CentreFileError

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")


def load_centres(path: str | Path, *, kept: Path | None = None) -> Centres:
    """Reads a centre file, or every ``*.yaml`` and ``*.yml`` of a folder in the order of their names.

    Args:
        kept: folder for the last good reading of each file of a folder. A file that has not changed since is taken from
            there, 20 times as fast as YAML; a file that is broken now is replaced by it. None: neither.

    Raises:
        CentreFileError: the one file cannot be used, or no file of the folder can; of a folder, defects of single files
            are in ``problems``.
    """
    place = Path(path)
    if not place.is_dir():
        return Centres.of(read_centre(path))
    try:
        names = sorted(entry.name for entry in place.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise CentreFileError(str(path), None, f"cannot be read: {error.strerror or error}") from None
    files = [place / name for name in names if name.endswith(SUFFIXES) and not (place / name).is_dir()]
    found: dict[str, tuple[Centre, Path]] = {}
    problems: list[CentreFileError] = []
    for file in files:
        try:
            centre = _read(file, kept)
        except CentreFileError as error:
            problems.append(error)
            last = None if kept is None else _kept(kept / f"{file.name}.json")
            if last is None:
                continue
            centre = last[1]
        known = found.get(centre.centre.id)
        if known is not None:
            reason = f"centre.id: '{centre.centre.id}' is the id of {known[1]} already"
            problems.append(CentreFileError(str(file), None, reason))
            continue
        found[centre.centre.id] = (centre, file)
    if not found:
        if problems:
            Centres.refuse(problems)
        raise CentreFileError(str(path), None, "the folder holds no centre file (*.yaml)")
    ignored = [name for name in names if place / name not in files]
    return Centres((centre for centre, _ in found.values()), problems=problems, ignored=ignored)


def _read(file: Path, kept: Path | None) -> Centre:
    if kept is None:
        return read_centre(file)
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise CentreFileError(str(file), None, f"cannot be read: {error.strerror or error}") from None
    digest = hashlib.sha256(raw).hexdigest()
    copy = kept / f"{file.name}.json"
    last = _kept(copy)
    if last is not None and last[0] == digest:
        return last[1]
    centre = read_centre(file)
    _keep(copy, digest, centre)
    return centre


def _kept(copy: Path) -> tuple[str, Centre] | None:
    """Digest of the file and what was read from it; None where nothing (that this program understands) is kept."""
    try:
        row = json.loads(copy.read_bytes())
        return str(row["sha256"]), Centre.model_validate(row["centre"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _keep(copy: Path, digest: str, centre: Centre) -> None:
    """Whole or not at all: several processes of a system start at once."""
    text = json.dumps({"sha256": digest, "centre": centre.model_dump(mode="json")}, ensure_ascii=False)
    fresh = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, "utf-8")
        fresh.replace(copy)
    except OSError as error:
        # A read-only place costs speed and the last good reading, nothing else.
        log.debug("%s cannot be kept: %s", copy, error)


__all__ = ["SUFFIXES", "load_centres"]
