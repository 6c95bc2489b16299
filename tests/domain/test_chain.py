"""Hashing of the evidence chain, without a database."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.chain import GENESIS, Checker, Entry, Head, Row, canonical, link

AT = datetime(2026, 11, 20, 1, 2, 3, 45, tzinfo=UTC)
TEXTS = st.text(max_size=20)


def some_rows(count: int = 5) -> list[Row]:
    entries = [Entry("finding.opened", f"case:{n}", {"n": n, "字": "明镜"}, f"f{n}") for n in range(count)]
    return link(Head("530502"), entries, AT)


def first_broken(rows: list[Row], heads: dict[int, bytes] | None = None) -> str | None:
    checker = Checker(heads)
    for row in rows:
        if (broken := checker.take(row)) is not None:
            return str(broken)
    end = checker.end()
    return None if end is None else str(end)


def test_a_row_is_hashed_as_the_page_says() -> None:
    """By hand, out of docs/evidence.md, without our code."""
    row = some_rows(1)[0]
    body = '{"finding":"f0","payload":{"n":0,"字":"明镜"},"subject":"case:0"}'
    assert row.body == body
    digest = hashlib.sha256(body.encode()).hexdigest()
    line = f'["mingjing-evidence-1","530502",1,"2026-11-20T01:02:03.000045Z","finding.opened","{digest}","{"0" * 64}"]'
    assert row.hash == hashlib.sha256(line.encode()).digest()
    assert row.prev_hash == GENESIS


@given(st.dictionaries(TEXTS, st.one_of(st.integers(), TEXTS, st.lists(TEXTS)), max_size=5))
def test_canonical_text_depends_on_the_content_only(value: dict[str, object]) -> None:
    again = dict(reversed(value.items()))
    assert canonical(value) == canonical(again)
    assert json.loads(canonical(value)) == value


def test_a_whole_chain_is_right() -> None:
    assert first_broken(some_rows()) is None
    assert first_broken(some_rows()[2:]) is None, "a part of one, too"
    assert first_broken([replace(row, body=None) for row in some_rows()]) is None, "without its contents, too"


@given(st.integers(0, 4), st.sampled_from(["at", "kind", "body", "body_hash", "prev_hash", "hash", "centre"]))
def test_whatever_is_changed_its_row_is_named(index: int, field: str) -> None:
    rows = some_rows()
    row = rows[index]
    changed: object
    if field == "at":
        changed = row.at + timedelta(microseconds=1)
    elif field in ("kind", "body", "centre"):
        changed = f"{getattr(row, field)} "
    else:
        changed = hashlib.sha256(getattr(row, field)).digest()
    rows[index] = replace(row, **{field: changed})  # type: ignore[arg-type]
    said = first_broken(rows)
    assert said is not None
    assert said.startswith(f"row {index + 1} of")


def test_a_row_left_out_or_put_in_is_named() -> None:
    rows = some_rows()
    assert "row 3" in (first_broken(rows[:2] + rows[3:]) or "")
    extra = link(rows[1].head, [Entry("act.closed", "case:1", {})], AT)[0]
    assert (first_broken([*rows[:2], extra, *rows[2:]]) or "").startswith("row 3 of")
    assert (first_broken([rows[1], rows[0], *rows[2:]]) or "").startswith("row 1 of")


def test_a_chain_written_anew_is_whole_but_the_kept_head_tells() -> None:
    kept = some_rows()[3].head
    forged = link(Head("530502"), [Entry("finding.opened", f"case:{n}", {"n": n}) for n in range(5)], AT)
    assert first_broken(forged) is None
    assert "kept elsewhere says another hash" in (first_broken(forged, {kept.seq: kept.hash}) or "")
    assert "the chain ends at 2" in (first_broken(some_rows()[:2], {kept.seq: kept.hash}) or "")
