"""Dead letters: nothing refused is lost, nothing is counted twice as two."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from domain.errors import StoreError
from store.connection import Connection, connect
from store.dead_letters import (
    Refusal,
    count_dead_letters,
    letters_to_replay,
    list_dead_letters,
    mark_replayed,
    refusal_from_topic,
    resolve,
    show_dead_letter,
    to_json,
    write_dead_letters,
)
from tests.store.making import at

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def refusal(raw: bytes = b"{", code: str = "bad_json", **fields) -> Refusal:
    return Refusal(
        **({"origin": "door", "raw": raw, "code": code, "reason": "no JSON", "place": "1"} | fields)
    )


def test_the_same_line_for_the_same_reason_counts_up(db: Connection) -> None:
    assert write_dead_letters(db, [refusal(), refusal(place="2")], now=at(0)) == 2
    write_dead_letters(db, [refusal(), refusal(code="too_deep"), refusal(b"[")], now=at(5))
    letters = {(letter.raw, letter.code): letter for letter in list_dead_letters(db)}
    assert len(letters) == 3
    first = letters[b"{", "bad_json"]
    assert (first.times, first.first_at, first.last_at) == (3, at(0), at(5))
    assert count_dead_letters(db) == {("waiting", "bad_json"): 2, ("waiting", "too_deep"): 1}


def test_any_bytes_are_kept_and_shown(db: Connection) -> None:
    raw = b'{"a": "\x00\xff\xed\xa0\x80"}\n'
    write_dead_letters(
        db, [refusal(raw, reason="a NUL \x00 and half a pair \ud800", field="a\x00")], now=at(0)
    )
    (letter,) = list_dead_letters(db)
    assert letter.raw == raw
    assert letter.text == '{"a": "\\x00\\xff\\xed\\xa0\\x80"}\\n'
    json.dumps(to_json(letter))
    assert show_dead_letter(db, letter.letter_id) == letter


def test_a_letter_that_is_not_there_is_one_clear_sentence(db: Connection) -> None:
    with pytest.raises(StoreError, match="no dead letter 7"):
        show_dead_letter(db, 7)


def test_replayed_letters_wait_no_more_until_they_are_refused_again(db: Connection) -> None:
    write_dead_letters(db, [refusal(), refusal(b"["), refusal(origin="fold", code="late")], now=at(0))
    with connect(db.info.dsn, autocommit=True) as connection, connection.transaction():
        letters = letters_to_replay(connection)
        # What the rules put here is an event already.
        assert [letter.raw for letter in letters] == [b"{", b"["]
        # Another replay at the same time takes none of them.
        assert letters_to_replay(db) == []
        assert mark_replayed(connection, [letter.letter_id for letter in letters], now=at(1)) == 2
    assert [letter.origin for letter in list_dead_letters(db)] == ["fold"]
    write_dead_letters(db, [refusal()], now=at(2))
    assert {letter.raw for letter in list_dead_letters(db)} == {b"{"}
    (again,) = letters_to_replay(db)
    assert (again.raw, again.times) == (b"{", 2)
    assert letters_to_replay(db, [again.letter_id + 1]) == []


def test_what_came_right_by_itself_is_resolved(db: Connection) -> None:
    letter = refusal(origin="fold")
    write_dead_letters(db, [letter], now=at(0))
    assert resolve(db, [letter.fingerprint]) == 1
    assert list_dead_letters(db) == []


def test_pages_follow_each_other(db: Connection) -> None:
    write_dead_letters(db, [refusal(str(number).encode()) for number in range(5)], now=at(0))
    first = list_dead_letters(db, limit=2)
    second = list_dead_letters(db, limit=2, after=first[-1].letter_id)
    assert [letter.letter_id for letter in first + second] == [5, 4, 3, 2]


def test_a_message_of_the_topic_becomes_a_refusal_whatever_it_is() -> None:
    good = {
        "source": "door",
        "line": 3,
        "raw": "x",
        "code": "c",
        "reason": "r",
        "received_at": at(1).isoformat(),
    }
    assert refusal_from_topic(json.dumps(good).encode(), at(2)) == Refusal(
        "door", b"x", "c", "r", None, "3", at(1)
    )
    for bad in (b"", b"[]", b"\xff", b'{"code": "c"}'):
        assert refusal_from_topic(bad, at(2)).code == "not_a_rejection"


def test_whatever_stands_in_the_fields_of_a_rejection_can_be_kept(db: Connection) -> None:
    row = {
        "source": "\ud83d",
        "raw": "x",
        "code": "",
        "field": {"a": 1},
        "reason": "r" * 100_000,
        "place": ["\x00"],
    }
    write_dead_letters(db, [refusal_from_topic(json.dumps(row).encode(), at(2))], now=at(2))
    (letter,) = list_dead_letters(db)
    assert (letter.origin, letter.code, letter.field) == ("\\ud83d", "no_code", "{'a': 1}")
    assert len(letter.reason) == 2000
