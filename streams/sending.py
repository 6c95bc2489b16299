"""A file of events through the HTTP door of another machine. Sending a file again does no harm: an event counts once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from domain.errors import InputError, LogError, SettingsError
from domain.events import MAX_LINE

#: Lines and bytes of one request; the door's own limits are 10,000 and 5 MB.
BATCH_LINES = 500
BATCH_BYTES = 1_000_000
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line the door refused; ``line`` counts from 1 in the file."""

    line: int
    code: str
    field: str | None
    reason: str


@dataclass(slots=True)
class Sent:
    """What became of a file."""

    accepted: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    waits: int = 0


def send_lines(
    lines: Iterable[bytes],
    url: str,
    key: str,
    *,
    sleep: Callable[[float], Any] = time.sleep,
    tries: int | None = None,
    client: httpx.Client | None = None,
) -> Sent:
    """Posts JSON lines to a door, some hundred at a time, and waits while it cannot take them.

    Args:
        lines: of the file, with or without line ends.
        url: of the door, without ``/events``.
        key: the API key; goes into a header, never into a text of ours.
        tries: how often one request is tried while the door is away or busy; None goes on for ever.

    Raises:
        SettingsError: no such address, or the key is not known there.
        LogError: the door did not take a request in ``tries`` tries. What was accepted before stays so.
        InputError: the door refuses for a reason that waiting does not cure.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise SettingsError(f"the door's address must be http://host:port, not '{url}'")
    sent = Sent()
    with client or httpx.Client(timeout=60) as http:
        for batch in _batches(lines, sent):
            body = b"\n".join(line for _, line in batch)
            answer = _post(http, url.rstrip("/") + "/events", body, key, sleep, tries, sent)
            sent.accepted += int(answer["accepted"])
            for row in answer.get("rejected", []):
                # The door counts lines of its body; a body refused as a whole names no line.
                number = batch[row["line"] - 1][0] if "line" in row else batch[0][0]
                sent.rejected.append(Rejected(number, row["code"], row.get("field"), row["reason"]))
    return sent


def _batches(lines: Iterable[bytes], sent: Sent) -> Iterator[list[tuple[int, bytes]]]:
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in enumerate(lines, 1):
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            # The door would refuse the whole request for its size.
            sent.rejected.append(
                Rejected(number, "too_large", None, f"the line is longer than {MAX_LINE} bytes")
            )
            continue
        if batch and (len(batch) >= BATCH_LINES or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, line))
        size += len(line) + 1
    if batch:
        yield batch


def _post(
    http: httpx.Client,
    url: str,
    body: bytes,
    key: str,
    sleep: Callable[[float], Any],
    tries: int | None,
    sent: Sent,
) -> dict[str, Any]:
    """One request until it is answered for good."""
    pause, count = FIRST_PAUSE, 0
    while True:
        try:
            answer = http.post(
                url, content=body, headers={"X-API-Key": key, "Content-Type": "application/x-ndjson"}
            )
        except httpx.TransportError as error:
            problem, wait = f"{type(error).__name__}: {error}", pause
        else:
            if answer.status_code in (200, 202) or (answer.status_code == 400 and "accepted" in answer.text):
                return dict(answer.json())
            if answer.status_code == 401:
                raise SettingsError(f"the door at {url} does not know this API key")
            if answer.status_code not in (408, 429, 500, 502, 503, 504):
                raise InputError(f"the door at {url} answers {answer.status_code}: {answer.text[:200]}")
            problem = f"it answers {answer.status_code}"
            asked = answer.headers.get("retry-after", "")
            wait = float(asked) if asked.isdigit() else pause
        count += 1
        if tries is not None and count >= tries:
            raise LogError(f"the door at {url} did not take the events: {problem}")
        sent.waits += 1
        sleep(min(wait, LONGEST_PAUSE))
        pause = min(pause * 2, LONGEST_PAUSE)
