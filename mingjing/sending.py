"""``mingjing send FILE``: a file of events into the log of the running system.

Every line is checked here, as at the door. What is refused goes into the log as well, to become a dead letter.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.clock import Clock
from domain.errors import EventError, InputError, MessagesRefusedError
from domain.events import MAX_LINE, event_to_json, parse_line
from mingjing.clocks import make_clock
from mingjing.publishing import open_log
from mingjing.settings import Settings
from streams.bodies import largest_field
from streams.publisher import Message, Publisher
from streams.rejections import rejection
from streams.topics import CASE_EVENTS, REJECTED_LINES, event_key

log = logging.getLogger(__name__)

#: Exit status when any line was refused (contract, section 5, for `replay`; the same here).
SOMETHING_REJECTED = 3
BATCH = 500


@dataclass(slots=True)
class Sent:
    """How many lines went which way."""

    accepted: int = 0
    rejected: int = 0


def send_file(file: Path, settings: Settings, *, rejected: Path | None = None) -> Sent:
    """Puts a file into the log; returns when the log has it.

    Args:
        file: JSONL; ``-`` is standard input.
        rejected: also writes the refused lines there, with line number and reason.

    Raises:
        OSError: the file cannot be read, or ``rejected`` not written.
        LogError: the log cannot be written; sending the file again does no harm.
        CentreFileError: the centre file is broken.
    """
    centres = known_centres(settings)
    clock = make_clock(settings)
    sent = Sent()
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(file))
        out = stack.enter_context(rejected.open("w", encoding="utf-8")) if rejected else None
        publisher = stack.enter_context(open_log(settings))

        def refuse(number: int, line: bytes, error: EventError) -> None:
            sent.rejected += 1
            batch.refuse(_refusal(line, number, error, clock))
            if out is not None:
                row = {"line": number, "code": error.code, "field": error.field, "reason": error.reason}
                row["raw"] = line.decode("utf-8", "replace")
                out.write(json.dumps(row, ensure_ascii=False) + "\n")

        def refused_by_log(number: int, line: bytes, reason: str) -> None:
            sent.accepted -= 1
            refuse(number, line, EventError("too_large", largest_field(line), f"the event {reason}"))

        batch = _Batch(publisher, refused_by_log)
        for number, line in read_lines(lines):
            try:
                event = parse_line(line, now=clock.now(), **(centres.checks if centres else {}))
            except EventError as error:
                refuse(number, line, error)
                continue
            sent.accepted += 1
            row = event_to_json(replace(event, received_at=clock.now()))
            key = event_key(event, several=centres is not None and centres.several)
            batch.take(number, line, (key, json.dumps(row, ensure_ascii=False).encode()))
        batch.flush()
    return sent


def send_to_door(file: Path, url: str, key_file: Path, *, rejected: Path | None = None) -> Sent:
    """The same through the HTTP door of another machine, waiting while that cannot take them.

    Raises:
        OSError: a file cannot be read or written.
        SettingsError: the address is none, or the key is not known there.
        InputError: the door refuses for a reason that waiting does not cure.
    """
    from streams.sending import send_lines

    key = key_file.read_text("utf-8").strip().rpartition(":")[2]
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(file))
        out = stack.enter_context(rejected.open("w", encoding="utf-8")) if rejected else None
        sent = send_lines(lines, url, key)
        if out is not None:
            for row in sent.rejected:
                out.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
    return Sent(sent.accepted, len(sent.rejected))


def _opened(file: Path) -> AbstractContextManager[BinaryIO]:
    """The file, or standard input, which nobody here closes."""
    if str(file) == "-":
        return nullcontext(sys.stdin.buffer)
    if file.is_dir():
        raise InputError(f"{file}: is a folder, not a file of events")
    return file.open("rb")


def read_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, empty ones left out. A line beyond the limit is cut a little above it: it will be
    refused for its length, and a file without a line end does not fill the memory."""
    number = 0
    while True:
        line = file.readline(MAX_LINE + 2)
        if not line:
            return
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        if text.strip():
            yield number, text


def known_centres(settings: Settings) -> Centres | None:
    """What events are checked against; None where there is no centre file yet."""
    if not settings.centre_file.exists():
        return None
    return load_centres(settings.centre_file, kept=settings.kept_centres)


def as_message(raw: bytes, *, several: bool = False) -> Message:
    """A line as it came, on its way back into the log, with the key it would have had."""
    try:
        return event_key(parse_line(raw), several=several), raw
    except EventError:
        return None, raw


def _refusal(line: bytes, number: int, error: EventError, clock: Clock) -> Message:
    return None, rejection(
        source="file",
        raw=line,
        code=error.code,
        field=error.field,
        reason=error.reason,
        place=str(number),
        at=clock.now(),
    )


class _Batch:
    """Gathers messages and puts them into the log a few hundred at a time.

    Args:
        on_refused: told the number, the line and the reason of an event that the log will never take.
    """

    def __init__(self, publisher: Publisher, on_refused: Callable[[int, bytes, str], None]) -> None:
        self._publisher, self._on_refused = publisher, on_refused
        self._events: list[tuple[int, bytes, Message]] = []
        self._refused: list[Message] = []

    def take(self, number: int, line: bytes, message: Message) -> None:
        self._events.append((number, line, message))
        self._flush_full()

    def refuse(self, message: Message) -> None:
        self._refused.append(message)
        self._flush_full()

    def _flush_full(self) -> None:
        if len(self._events) + len(self._refused) >= BATCH:
            self.flush()

    def flush(self) -> None:
        events, self._events = self._events, []
        if events:
            try:
                self._publisher.publish(CASE_EVENTS, [message for _, _, message in events])
            except MessagesRefusedError as error:
                for index, reason in error.reasons.items():
                    number, line, _ = events[index]
                    self._on_refused(number, line, reason)
        refused, self._refused = self._refused, []
        try:
            if refused:
                self._publisher.publish(REJECTED_LINES, refused)
        except MessagesRefusedError as error:
            # Whoever sends the file is told of the line all the same.
            log.error("Refused lines could not be noted: %s", error)
