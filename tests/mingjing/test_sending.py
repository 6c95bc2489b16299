"""`mingjing send`: what is right goes into the log, what is wrong goes there too, with the reason."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from domain.errors import InputError, MessagesRefusedError
from domain.events import MAX_LINE
from mingjing import sending
from mingjing.sending import as_message, read_lines, send_file
from mingjing.settings import load_settings
from streams.topics import CASE_EVENTS, REJECTED_LINES


class Log:
    """Stands for the publisher; remembers what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list]] = []

    def publish(self, topic, messages):
        self.calls.append((topic, list(messages)))

    def values(self, topic) -> list[dict]:
        return [json.loads(value) for name, messages in self.calls if name == topic for _, value in messages]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def log(monkeypatch) -> Log:
    made = Log()
    monkeypatch.setattr(sending, "open_log", lambda settings: made)
    return made


def line(number: int, **more) -> str:
    row = {
        "event_id": f"e{number}",
        "kind": "case.received",
        "occurred_at": "2026-03-02T09:30:00+08:00",
        "source": "s",
    }
    return json.dumps(row | {"window": "A01", "case": f"c{number % 7}"} | more)


def write(folder: Path, *lines: str) -> Path:
    (folder / "centre.yaml").write_text("centre: {id: '1', name: x}\nwindows: [{id: A01}]\n")
    file = folder / "events.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_events_go_into_the_log_with_their_key_and_the_moment_of_receipt(tmp_path, log):
    sent = send_file(write(tmp_path, line(1), "", line(2)), load_settings(data=tmp_path))
    assert (sent.accepted, sent.rejected) == (2, 0)
    assert [row["event_id"] for row in log.values(CASE_EVENTS)] == ["e1", "e2"]
    assert all(row["received_at"] for row in log.values(CASE_EVENTS))
    assert log.calls[0][1][0][0] == b"c1"


def test_a_refused_line_lies_in_the_log_with_number_and_reason_and_in_the_file_asked_for(tmp_path, log):
    file = write(tmp_path, line(1), "{broken", line(3, window="Z99"))
    sent = send_file(file, load_settings(data=tmp_path), rejected=tmp_path / "out.jsonl")
    assert (sent.accepted, sent.rejected) == (1, 2)
    refused = log.values(REJECTED_LINES)
    assert [(row["place"], row["code"], row["source"]) for row in refused] == [
        ("2", "bad_json", "file"),
        ("3", "unknown_window", "file"),
    ]
    kept = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["line"], row["code"]) for row in kept] == [(2, "bad_json"), (3, "unknown_window")]
    assert kept[0]["raw"] == "{broken"


def test_a_long_file_goes_in_pieces_and_none_is_left_behind(tmp_path, log):
    send_file(write(tmp_path, *(line(n) for n in range(1201))), load_settings(data=tmp_path))
    assert [len(messages) for _, messages in log.calls] == [500, 500, 201]


def test_what_the_log_will_never_take_is_a_refused_line_with_its_number(tmp_path, log, monkeypatch):
    publish = log.publish

    def strict(topic, messages):
        large = {n: "has too many bytes" for n, (_, value) in enumerate(messages) if len(value) > 3000}
        publish(topic, [message for n, message in enumerate(messages) if n not in large])
        if large:
            raise MessagesRefusedError(large)

    monkeypatch.setattr(log, "publish", strict)
    file = write(tmp_path, line(1), line(2, data={"note": "x" * 2500}), line(3))
    out = tmp_path / "rejected.jsonl"
    sent = sending.send_file(file, load_settings(data=tmp_path), rejected=out)
    assert (sent.accepted, sent.rejected) == (3, 0)
    file = write(tmp_path, line(1), line(2, data={"note": "x" * 2990}), line(3))
    sent = sending.send_file(file, load_settings(data=tmp_path), rejected=out)
    assert (sent.accepted, sent.rejected) == (2, 1)
    row = json.loads(out.read_text())
    assert (row["line"], row["code"], row["field"]) == (2, "too_large", "data.note")


def test_a_line_without_end_is_cut_and_its_number_kept():
    lines = list(read_lines(io.BytesIO(b"x" * (3 * MAX_LINE) + b"\nshort\n")))
    assert [(number, len(text) > MAX_LINE) for number, text in lines] == [(1, True), (2, False)]
    assert len(lines[0][1]) <= MAX_LINE + 2


def test_a_letter_goes_back_as_it_came():
    raw = line(9).encode()
    assert as_message(raw) == (b"c2", raw)
    assert as_message(b"{broken") == (None, b"{broken")


def test_a_folder_is_no_file(tmp_path, log):
    with pytest.raises(InputError, match="is a folder"):
        send_file(tmp_path, load_settings(data=tmp_path))
