"""Verifying a bundle without a database: names the first row or file that is not as it was written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.chain import Broken, Checker, Row, moment_text
from mingjing.audit import bundle
from mingjing.audit.rows import parse_row

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(slots=True)
class Verified:
    """What a verification found. ``broken`` None: everything is as it was written."""

    broken: Broken | None = None
    rows: int = 0
    files: int = 0
    signed: int = 0
    last: Row | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def verify(
    content: bytes, key: Ed25519PublicKey | None = None, kept: Mapping[str, Mapping[int, bytes]] | None = None
) -> Verified:
    """Checks a bundle.

    Args:
        key: then a head at the last row must bear its signature.
        kept: heads known from elsewhere, centre → number → hash.
    """
    done = Verified()
    files = bundle.unpack(content)
    if isinstance(files, Broken):
        done.broken = files
        return done
    for broken in _broken(content, files, done, key, kept or {}):
        if broken is not None:
            done.broken = broken
            break
    return done


def _broken(
    content: bytes,
    files: Mapping[str, bytes],
    done: Verified,
    key: Ed25519PublicKey | None,
    kept: Mapping[str, Mapping[int, bytes]],
) -> Iterator[Broken | None]:
    """Checks in the order of their worth: rows first, then files, then what lies between them."""
    told = Told()
    checker = Checker()
    lines = files.get(bundle.CHAIN, b"").split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        row = parse_row(line, number)
        if isinstance(row, Broken):
            yield row
            return
        broken = checker.take(row)
        yield (
            None if broken is None else Broken(f"{bundle.CHAIN} line {number}, {broken.place}", broken.reason)
        )
        if kept.get(row.centre, {}).get(row.seq, row.hash) != row.hash:
            yield Broken(row.place, "a head that was kept elsewhere says another hash: it was rewritten")
        done.rows, done.last = done.rows + 1, row
        yield told.take(row)
    if lines[-1] or not done.rows:
        yield Broken(f"chain.jsonl line {len(lines)}", "the file ends in the middle of a row")
    yield from _files(files, done)
    yield _facts(files, told)
    yield from _pictures(files, told)
    yield _heads(files, done, key)
    yield bundle.misplaced(content, files)


def _files(files: Mapping[str, bytes], done: Verified) -> Iterator[Broken | None]:
    try:
        manifest = json.loads(files[bundle.MANIFEST])
        sealed = json.loads(files[bundle.SEAL])
        listed = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        done.about = manifest["about"]
        wanted, named = sealed["manifest_sha256"], manifest["format"] == sealed["format"] == bundle.FORMAT
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        yield Broken(f"{bundle.MANIFEST} and {bundle.SEAL}", f"they cannot be read ({type(error).__name__})")
        return
    if bundle.digest(files[bundle.MANIFEST]) != wanted or not named:
        yield Broken(bundle.MANIFEST, f"it is not the one that {bundle.SEAL} seals")
    for name, content in files.items():
        if name in (bundle.MANIFEST, bundle.SEAL):
            continue
        if name not in listed:
            yield Broken(name, "the manifest does not know this file")
        elif bundle.digest(content) != listed[name]:
            yield Broken(name, "its content is not what the manifest says")
        done.files += 1
    missing = sorted(listed.keys() - files.keys())
    if missing:
        yield Broken(missing[0], "the manifest names it, and it is not there")


class Told:
    """What the rows of a chain say of each finding: its newest form, what people did, what became of messages."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, Any]] = {}
        self._acts: dict[str, list[dict[str, Any]]] = {}
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._pictures: dict[str, list[dict[str, Any]]] = {}

    def take(self, row: Row) -> Broken | None:
        """What is wrong with its content, if a row was hashed that says nothing."""
        if row.body is None:
            return None
        try:
            body = json.loads(row.body)
            finding, payload, head = body["finding"], body["payload"], row.kind.partition(".")[0]
            if head == "finding":
                self._newest[finding] = (row.seq, payload["finding"])
            elif head in ("act", "message", "picture") and finding is not None:
                entry = {"row": row.seq, "at": moment_text(row.at), "kind": row.kind, **payload}
                kept = {"act": self._acts, "message": self._messages, "picture": self._pictures}[head]
                kept.setdefault(finding, []).append(entry)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return Broken(row.place, f"its content is no evidence ({type(error).__name__})")
        return None

    def of(self, finding: str) -> dict[str, Any]:
        """A finding as a bundle's file has it; without rows where the chain began later than the finding."""
        row, facts = self._newest.get(finding, (None, None))
        return {
            "finding_id": finding,
            "row": row,
            "facts": facts,
            "acts": self._acts.get(finding, []),
            "messages": self._messages.get(finding, []),
            "pictures": self._pictures.get(finding, []),
        }

    def pictures(self) -> dict[str, int]:
        """SHA-256 (hex) of the pictures that were linked and not deleted, with the row that says so."""
        linked: dict[str, int] = {}
        for rows in self._pictures.values():
            for row in rows:
                for picture in row.get("pictures", ()):
                    if row["kind"] == "picture.linked":
                        linked.setdefault(picture["sha256"], row["row"])
        for rows in self._pictures.values():
            for row in rows:
                if row["kind"] == "picture.deleted":
                    for name in row["pictures"]:
                        linked.pop(name, None)
        return linked


def _facts(files: Mapping[str, bytes], told: Told) -> Broken | None:
    """What a person reads of findings is what the chain says of them."""
    try:
        for entry in json.loads(files[bundle.FINDINGS]):
            finding = entry["finding_id"]
            known = told.of(finding)
            for key, value in known.items():
                if key == "pictures" and key not in entry and not value:
                    continue  # made before there were pictures
                # Of a finding older than the chain there are facts, and no row that vouches for them.
                if entry[key] != value and not (key == "facts" and known["row"] is None):
                    named = f"than row {known['row']}" if key == "facts" else "than the chain"
                    return Broken(f"finding {finding}", f"{bundle.FINDINGS} says other {key} {named}")
    except (KeyError, ValueError, TypeError) as error:
        return Broken(bundle.FINDINGS, f"it cannot be read ({type(error).__name__})")
    return None


def _pictures(files: Mapping[str, bytes], told: Told) -> Iterator[Broken | None]:
    """Each picture that the chain links is there and is what its name says."""
    try:
        linked = told.pictures()
    except (KeyError, TypeError, AttributeError) as error:
        yield Broken(bundle.CHAIN, f"what it says of pictures cannot be read ({type(error).__name__})")
        return
    for name, seq in linked.items():
        content = files.get(bundle.picture_name(name))
        if content is None:
            yield Broken(f"picture {name}", f"row {seq} links it, and it is not in the bundle")
        elif bundle.digest(content) != name:
            yield Broken(f"picture {name}", f"its bytes are not those that row {seq} links")


def _heads(files: Mapping[str, bytes], done: Verified, key: Ed25519PublicKey | None) -> Broken | None:
    if key is None:
        return None
    from mingjing.audit.signing import is_signed_by

    try:
        heads = json.loads(files[bundle.HEADS])
        signed = {(head["seq"], head["hash"]) for head in heads if is_signed_by(head, key)}
    except (KeyError, ValueError, TypeError) as error:
        return Broken(bundle.HEADS, f"it cannot be read ({type(error).__name__})")
    done.signed = len(signed)
    assert done.last is not None, "a chain without rows was refused"
    if (done.last.seq, done.last.hash.hex()) not in signed:
        return Broken(bundle.HEADS, f"no head at row {done.last.seq}, the last one, is signed by this key")
    return None
