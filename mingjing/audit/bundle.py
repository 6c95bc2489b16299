"""The bundle: a ZIP file whose every byte follows from its files, so that one changed byte anywhere shows.

Files are stored as they are, in the order of their names, all of one date. ``manifest.json`` has the SHA-256 of each other file,
``seal.json`` that of the manifest. docs/evidence.md describes it for whoever verifies without this code.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from domain.chain import Broken, canonical
from domain.errors import InputError

FORMAT = "mingjing-bundle-1"
CHAIN, FINDINGS, HEADS, MESSAGES, EVENTS = (
    "chain.jsonl", "findings.json", "heads.json", "messages.json", "events.jsonl",
)  # fmt: skip
MANIFEST, SEAL, SETTINGS, PAGE = "manifest.json", "seal.json", "settings.json", "report.html"
PICTURES = "pictures/"
_DATE = (1980, 1, 1, 0, 0, 0)


def picture_name(sha256: str) -> str:
    """Where a picture of the chain lies in a bundle."""
    return f"{PICTURES}{sha256}.jpg"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def seal(files: Mapping[str, bytes], about: Mapping[str, object]) -> dict[str, bytes]:
    """The files with their manifest and its seal."""
    listed = {name: {"sha256": digest(content), "size": len(content)} for name, content in files.items()}
    manifest = canonical({"about": about, "files": listed, "format": FORMAT}).encode()
    sealed = canonical({"format": FORMAT, "manifest_sha256": digest(manifest)}).encode()
    return {**files, MANIFEST: manifest, SEAL: sealed}


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes] | Broken:
    """The files, read past their checksums: what is wrong inside them is to be named better than by a checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
        files = {}
        for entry in entries:
            begin = entry.header_offset + 30 + len(entry.filename.encode())
            files[entry.filename] = content[begin : begin + entry.file_size]
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, UnicodeError) as error:
        return Broken("the archive", f"its directory cannot be read ({error})")
    if len(files) != len(entries):
        return Broken("the archive", "a file is in it twice")
    return files


def misplaced(content: bytes, files: Mapping[str, bytes]) -> Broken | None:
    """Whether any byte between the files is another than it was written."""
    packed = pack(files)
    if packed == content:
        return None
    place = next(
        (n for n, (a, b) in enumerate(zip(packed, content, strict=False)) if a != b),
        min(len(packed), len(content)),
    )
    return Broken("the archive", f"byte {place} is not as it was written, between the files")


def read_bundle(path: Path) -> bytes:
    """The bytes of a bundle.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
