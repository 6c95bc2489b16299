"""One line a record, with what it is about, and no secret whoever wrote it."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import datetime

import pytest

from mingjing.logs import FIELDS, JsonFormatter, TextFormatter, set_up_logs, without_secrets


@pytest.fixture
def lines():
    """Sets logging up on a stream; returns the lines."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()

    def begin(form: str, **more):
        set_up_logs("rules", form=form, instance="2", stream=stream, **more)
        return lambda: stream.getvalue().splitlines()

    yield begin
    root.handlers[:], root.level = before[0], before[1]
    logging.captureWarnings(False)


def test_json_lines_carry_what_they_are_about(lines):
    read = lines("json")
    logging.getLogger("streams.x").info(
        "finding %s", "opened", extra={"finding_id": "f1", "case": "LY-1", "window": None, "person": "张三"}
    )
    (line,) = read()
    row = json.loads(line)
    assert datetime.fromisoformat(row.pop("time")).utcoffset() is not None
    assert row == {
        "level": "INFO",
        "process": "rules",
        "instance": "2",
        "logger": "streams.x",
        "message": "finding opened",
        "case": "LY-1",
        "finding_id": "f1",
    }


def test_an_exception_stays_on_its_line(lines):
    read = lines("json")
    try:
        raise ValueError("first\nsecond password=geheim")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    (line,) = read()
    assert "Traceback" in json.loads(line)["exception"]
    assert "geheim" not in line


def test_text_stays_readable_and_says_nothing_twice(lines):
    read = lines("text")
    logging.getLogger("x").warning("camera c1: away", extra={"camera": "c1", "code": "no_frame"})
    logging.getLogger("x").warning("nothing more")
    first, second = read()
    assert first.endswith("WARNING x: camera c1: away [code=no_frame]")
    assert second.endswith("WARNING x: nothing more")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgresql://mingjing:geheim@db:5432/x failed", "geheim"),
        ("rtsp://admin:geheim@10.0.0.5/stream", "geheim"),
        ("host=db password=geheim user=x", "geheim"),
        ("api_key: 'geheim'", "geheim"),
        ("Authorization: Bearer geheim.token", "geheim"),
        ("https://wall.example/ack/geheimgeheim", "geheim"),
        ("duplicate key\nDETAIL: Key (phone)=(13800000001) exists.\nafter", "13800000001"),
    ],
)
@pytest.mark.parametrize("formatter", [JsonFormatter("rules"), TextFormatter()])
def test_secrets_are_taken_out_of_messages_and_arguments(text, secret, formatter):
    assert secret not in without_secrets(text)
    record = logging.LogRecord("x", logging.INFO, "f", 1, "said: %s", (text,), None)
    record.place = text
    assert secret not in formatter.format(record)


def test_libraries_write_through_the_same_handler(lines):
    logging.getLogger("uvicorn").propagate = False  # as uvicorn does with its own configuration
    read = lines("json")
    logging.getLogger("faust.app").warning("from faust")
    logging.getLogger("uvicorn.error").warning("from uvicorn")
    logging.getLogger("aiokafka.consumer").info("one of thousands")
    assert [json.loads(line)["message"] for line in read()] == ["from faust", "from uvicorn"]


def test_lines_are_counted_by_level(lines):
    from mingjing.metrics import LOG_MESSAGES

    def count() -> float:
        return LOG_MESSAGES.labels("error")._value.get()

    lines("text")
    before = count()
    logging.getLogger("x").error("broken")
    assert count() == before + 1


def test_no_field_is_one_of_loggings_own():
    assert not set(FIELDS) & set(vars(logging.LogRecord("x", 20, "f", 1, "m", (), None)))


def test_the_default_stream_is_standard_error(capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up_logs("wall")
        assert root.handlers[0].stream is sys.stderr
    finally:
        root.handlers[:], root.level = before[0], before[1]
