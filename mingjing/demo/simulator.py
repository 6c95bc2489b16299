"""The process that plays the other systems of the demo centre: it puts their events into the log as time passes.

It remembers in one small file how far it got; what was in the log before that is put there again after a crash and
recognised by its id.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from domain.clock import Clock
from domain.events import Event, event_to_json
from mingjing.demo.cases import World
from mingjing.demo.hall import hall_events
from streams.publisher import Publisher
from streams.topics import CASE_EVENTS, event_key

log = logging.getLogger(__name__)

HISTORY_DAYS = 30
#: Real seconds between two looks at the clock.
TICK = 0.4
#: Events of the past put into the log at each tick. The live events stand in the same queue: 500 a second is less
#: than the worker takes, so that the past never holds up the present.
HISTORY_CHUNK = 200


@dataclass(slots=True)
class Progress:
    """How far the simulator got; written after the log has the events."""

    path: Path
    live_from: datetime
    until: datetime
    history_done: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path, begin: datetime) -> Progress:
        """What the file says, or the beginning. A file that cannot be read is a beginning, too: every
        event keeps its id, so nothing is counted twice."""
        try:
            kept = json.loads(path.read_text("utf-8"))
            return cls(
                path,
                datetime.fromisoformat(kept["live_from"]),
                datetime.fromisoformat(kept["until"]),
                list(kept["history_done"]),
            )
        except FileNotFoundError:
            return cls(path, begin, begin)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s); beginning anew", path.name, error)
            return cls(path, begin, begin)

    def save(self) -> None:
        row = {
            "live_from": self.live_from.isoformat(),
            "until": self.until.isoformat(),
            "history_done": self.history_done,
        }
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(row), "utf-8")
        os.replace(fresh, self.path)


class Simulator:
    """Publishes what has happened since the last time, and a piece of the past.

    Args:
        world: the invented centre.
        publisher: the log.
        progress: where it goes on.
    """

    def __init__(self, world: World, publisher: Publisher, progress: Progress) -> None:
        self._world, self._publisher, self.progress = world, publisher, progress
        self._past = self._history()
        self.past_is_in = False

    def step(self, now: datetime) -> int:
        """One look at the clock; returns how many events went into the log."""
        live = self._live(self.progress.until, now)
        self._publish(live, received_at=now)
        past = list(islice(self._past, HISTORY_CHUNK))
        self._publish([event for event, _ in past], received_at=None)
        for _, day_done in past:
            if day_done is not None:
                self.progress.history_done.append(day_done)
        self.past_is_in = not past
        self.progress.until = max(now, self.progress.until)
        if live or past:
            self.progress.save()
        return len(live) + len(past)

    def _live(self, after: datetime, until: datetime) -> list[Event]:
        events = self._world.between(after, until)
        day = after.astimezone(self._world.zone).date()
        while day <= until.astimezone(self._world.zone).date():
            events += [event for event in hall_events(self._world, day) if after < event.occurred_at <= until]
            day += timedelta(days=1)
        return events

    def _history(self) -> Iterator[tuple[Event, str | None]]:
        """The past, newest day first; with the last event of each day the day's name."""
        done = set(self.progress.history_done)
        days = _working_days_before(self._world, self.progress.live_from, HISTORY_DAYS)
        for day, events in zip(days, self._world.history(self.progress.live_from, HISTORY_DAYS), strict=True):
            # Case by case, and of each case the end first: a case whose first half alone has been read looks overdue,
            # one whose second half alone has been read looks like nothing.
            events.sort(key=lambda event: (event.case or "", event.occurred_at, event.event_id), reverse=True)
            if day.isoformat() in done or not events:
                continue
            for event in events[:-1]:
                yield event, None
            yield events[-1], day.isoformat()

    def _publish(self, events: Iterable[Event], *, received_at: datetime | None) -> None:
        messages = []
        for event in events:
            moment = received_at or event.occurred_at + timedelta(seconds=20)
            row = event_to_json(replace(event, received_at=moment.astimezone(UTC)))
            messages.append((event_key(event), json.dumps(row, ensure_ascii=False).encode()))
        if messages:
            self._publisher.publish(CASE_EVENTS, messages)


def _working_days_before(world: World, until: datetime, count: int) -> list[date]:
    day, days = until.astimezone(world.zone).date(), []
    for _ in range(count):
        day = world.after(day, -1)
        days.append(day)
    return days


def run_simulator(
    world: World, clock: Clock, publisher: Publisher, folder: Path, stop: threading.Event
) -> None:
    """Plays the day until told to stop.

    Raises:
        LogError: the log cannot be written; the supervisor starts the process again, and it goes on where it was.
    """
    # The first day is played from its midnight: clerks clock in before the process is up.
    begin = clock.now().astimezone(world.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    simulator = Simulator(world, publisher, Progress.load(folder / "simulator.json", begin))
    said = False
    while not stop.is_set():
        simulator.step(clock.now())
        if simulator.past_is_in and not said:
            said = True
            log.info("%d working days of the past are in the log", HISTORY_DAYS)
        stop.wait(TICK)
