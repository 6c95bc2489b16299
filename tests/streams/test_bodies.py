"""Cutting bodies: one object, a list, lines; each piece as it came."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import EventError
from streams.bodies import MAX_EVENTS, Piece, split_body

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_a_list_is_cut_where_json_says(items: list[object], indent: int | None, ascii_only: bool) -> None:
    texts = [json.dumps(item, indent=indent, ensure_ascii=ascii_only) for item in items]
    body = ("[" + " ,\n".join(texts) + " ]\n").encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        return
    assert [piece.raw.decode() for piece in split_body(body, "application/json")] == texts


def test_one_object_is_one_piece_even_over_several_lines() -> None:
    body = b'{\n"a": 1\n}\n'
    assert split_body(body, "application/json") == split_body(body) == [Piece("index", 0, body)]


def test_lines_are_counted_from_1_and_empty_ones_left_out() -> None:
    body = b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": 2}\nnonsense'
    expected = [Piece("line", 1, b'{"a": 1}'), Piece("line", 3, b'{"b": 2}'), Piece("line", 4, b"nonsense")]
    assert split_body(body, "application/x-ndjson; charset=utf-8") == expected


def test_lines_are_recognised_without_a_content_type() -> None:
    assert [piece.number for piece in split_body(b'{"a": 1}\n{"b": 2}', "text/plain")] == [1, 2]


def test_a_number_of_a_million_digits_hurts_only_its_own_element() -> None:
    body = b"[" + b"9" * 1_000_000 + b', {"a": 1}]'
    assert [len(piece.raw) for piece in split_body(body)] == [1_000_000, 8]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[1, 2", "bad_json"),
        (b"[1 2]", "bad_json"),
        (b"[1, 2] 3", "bad_json"),
        (b"[1,]", "bad_json"),
        (b"[", "bad_json"),
        (b'["\xff"]', "not_utf8"),
        (b"[" * 100_000, "too_deep"),
        (b"[" + b"1," * MAX_EVENTS + b"1]", "too_many"),
    ],
)
def test_a_body_that_cannot_be_cut_is_refused_as_a_whole(body: bytes, code: str) -> None:
    with pytest.raises(EventError) as caught:
        split_body(body, "application/json")
    assert caught.value.code == code
