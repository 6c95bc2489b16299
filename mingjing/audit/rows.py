"""Rows of the chain as lines of a file. A row about others has no body: its hash alone keeps the chain together."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from domain.chain import Broken, Row, canonical, moment_text


def row_line(row: Row, disclosed: Collection[int]) -> str:
    """One row; ``disclosed``: numbers of the rows whose content the bundle may show."""
    line: dict[str, Any] = {
        "at": moment_text(row.at),
        "body_hash": row.body_hash.hex(),
        "centre": row.centre,
        "hash": row.hash.hex(),
        "kind": row.kind,
        "prev_hash": row.prev_hash.hex(),
        "seq": row.seq,
    }
    if row.seq in disclosed:
        line["body"] = row.body
    return canonical(line)


def parse_row(line: bytes, number: int) -> Row | Broken:
    """A row out of its line, or what is wrong with the line."""
    place = f"chain.jsonl line {number}"
    try:
        text = line.decode()
        found = json.loads(text)
        row = Row(
            found["centre"], found["seq"], datetime.strptime(found["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            found["kind"], bytes.fromhex(found["body_hash"]), bytes.fromhex(found["prev_hash"]),
            bytes.fromhex(found["hash"]), found.get("body"),
        )  # fmt: skip
        if type(row.seq) is not int or not isinstance(row.centre, str) or not isinstance(row.kind, str):
            raise ValueError("fields of another kind")
        if canonical(found) != text or row_line(row, (row.seq,) if row.body is not None else ()) != text:
            return Broken(f"{place}, {row.place}", "the line is not as it was written")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Broken(place, f"it is no row of a chain ({type(error).__name__})")
    return row
