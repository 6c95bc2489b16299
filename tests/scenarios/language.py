"""The scenario language: a function says when what happens and what is expected; a driver plays it.

.. code:: python

    @scenario(centre="two_windows.yaml", day="2026-03-03")
    def test_second_channel_when_the_first_fails(s: Script) -> None:
        "“…” (a complaint, its number)"
        s.at("09:00", event("case.accepted", case="C1", window="A07", legal_deadline="17:00"))
        s.expect("17:00", sms(to="张三", contains="红牌"), within="60s")

Times are those of the centre: "17:00", "17:00:05", "03-04 09:00". Every message that nobody expected is a failure, unless the
script says ``s.ignores(…)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import pytest
import yaml

from domain.centre import Centre
from tests.scenarios.probes import Probe
from tests.scenarios.steps import Message, Step

HERE = Path(__file__).parent
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def span(text: str) -> timedelta:
    """ "60s", "5min", "1.5h"."""
    found = _SPAN.fullmatch(text)
    assert found, f"'{text}' is no span like 60s, 5min or 1h"
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


@dataclass(frozen=True, slots=True)
class Done:
    """A step at its moment."""

    at: datetime
    step: Step


@dataclass(frozen=True, slots=True)
class Expected:
    """So many messages in [at, until]."""

    at: datetime
    until: datetime
    message: Message


@dataclass(frozen=True, slots=True)
class Forbidden:
    """No such message in [at, until]."""

    at: datetime
    until: datetime
    message: Message


@dataclass(frozen=True, slots=True)
class Probed:
    """Something that must be found true at some moment of [at, until]."""

    at: datetime
    until: datetime
    probe: Probe


@dataclass
class Script:
    """What one scenario says, in the order in which it says it."""

    centre: Centre
    day: date
    name: str = ""
    senders: int = 1
    loops: int = 1
    #: Channel → whether its gateway can be asked what became of a message; the first takes them by default.
    channels: dict[str, bool] = field(default_factory=lambda: {"sms": True})
    steps: list[Done] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    forbidden: list[Forbidden] = field(default_factory=list)
    probes: list[Probed] = field(default_factory=list)
    ignored: list[Message] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return self.centre.zone

    def moment(self, text: str) -> datetime:
        """ "17:00", "17:00:05", "03-04 09:00" or "2026-03-04 09:00", in the centre's zone."""
        *days, clock = text.split(" ")
        day = self.day
        if days:
            day = date.fromisoformat(days[0] if days[0].count("-") == 2 else f"{self.day.year}-{days[0]}")
        return datetime.combine(day, time.fromisoformat(clock), self.zone)

    def at(self, when: str, *steps: Step) -> None:
        """These things happen then."""
        self.steps += [Done(self.moment(when), step) for step in steps]

    def expect(self, when: str, *messages: Message, within: str = "60s") -> None:
        """Each of these messages leaves then or a little later, as often as it says, not more often."""
        begin = self.moment(when)
        self.expected += [Expected(begin, begin + span(within), each) for each in messages]

    def expect_none(self, begin: str, end: str, *messages: Message) -> None:
        """None of these messages leaves in between, also none that is expected elsewhere."""
        self.forbidden += [Forbidden(self.moment(begin), self.moment(end), each) for each in messages]

    def check(self, when: str, *probes: Probe, within: str = "0s") -> None:
        """These are true then, or become so within the tolerance."""
        begin = self.moment(when)
        self.probes += [Probed(begin, begin + span(within), each) for each in probes]

    def ignores(self, *messages: Message) -> None:
        """Messages that are not what this scenario is about."""
        self.ignored += messages

    @property
    def begin(self) -> datetime:
        return min(self._moments())

    @property
    def end(self) -> datetime:
        return max(self._moments())

    def _moments(self) -> list[datetime]:
        said = [*self.expected, *self.forbidden, *self.probes]
        return [each.at for each in (*self.steps, *said)] + [each.until for each in said]


class Player(Protocol):
    """Plays a script and fails, with the timeline, where it comes out otherwise."""

    def __call__(self, script: Script) -> None: ...


@dataclass(frozen=True)
class Told:
    """A scenario as it is written, for drivers other than the first."""

    name: str
    doc: str
    make: Callable[[], Script]


T = TypeVar("T", bound=Callable[[Script], None])


def scenario(
    *,
    day: str,
    centre: str = "two_windows.yaml",
    channels: dict[str, bool] | None = None,
    senders: int = 1,
    loops: int = 1,
    **sections: Any,
) -> Callable[[T], Any]:
    """Makes a test of a function that tells a scenario.

    Args:
        day: the date that times without one are of.
        centre: file in ``centres/``.
        channels: name → whether its gateway can be asked what became of a message; in order.
        senders: how many send at the same time. loops: how many judge, and go the rounds.
        sections: sections of the centre file laid over it (``messages={"routes": […]}``), key by key.
    """

    def decorate(tell: T) -> Any:
        def make() -> Script:
            script = Script(
                read_centre(centre, sections),
                date.fromisoformat(day),
                tell.__name__,
                senders,
                loops,
                channels or {"sms": True},
            )
            tell(script)
            return script

        def test(play: Player) -> None:
            __tracebackhide__ = True
            play(make())

        test.__name__, test.__doc__, test.__module__ = tell.__name__, tell.__doc__, tell.__module__
        test.told = Told(tell.__name__, tell.__doc__ or "", make)  # type: ignore[attr-defined]
        return pytest.mark.postgres(test)

    return decorate


def read_centre(name: str, over: dict[str, Any]) -> Centre:
    """A centre file of this folder with sections laid over it."""
    whole = yaml.safe_load((HERE / "centres" / name).read_text("utf-8"))
    return Centre.model_validate(_laid_over(whole, over))


def laid_over(centre: Centre, sections: Mapping[str, Any]) -> Centre:
    """The same centre with sections laid over its file."""
    return Centre.model_validate(_laid_over(centre.model_dump(mode="json"), dict(sections)))


def _laid_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}
    return above
