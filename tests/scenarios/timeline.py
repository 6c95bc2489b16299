"""What was heard, and the table a failed scenario prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.scenarios.probes import person_of
from tests.scenarios.steps import Message

if TYPE_CHECKING:
    from domain.centre import Centre
    from tests.scenarios.language import Expected, Probed, Script

#: How much later than said a step may be seen: the program's own clocks look after the moment, not at it.
TICK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message on somebody's phone."""

    at: datetime
    channel: str
    to: str
    text: str
    template: str
    key: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the timeline that is neither step nor message: a try that failed, a row that was not sent."""

    at: datetime
    text: str


def addresses(centre: Centre, who: str) -> frozenset[str]:
    """Every address of a person; of anybody else what was given."""
    person = person_of(centre, who)
    if person is None:
        return frozenset((who,))
    own = getattr(person, "addresses", None) or {}
    return frozenset(filter(None, (person.phone, getattr(person, "email", None), *own.values())))


def fits(heard: Heard, wanted: Message, centre: Centre) -> bool:
    """Whether a message is one that the scenario speaks of."""
    return (
        (wanted.channel is None or wanted.channel == heard.channel)
        and (wanted.to is None or heard.to in addresses(centre, wanted.to))
        and all(text in heard.text for text in wanted.contains)
        and not any(text in heard.text for text in wanted.lacks)
        and (wanted.why is None or wanted.why == heard.why)
    )


class Verdict:
    """Compares what was expected with what came.

    Args:
        slack: how much earlier or later a message may come than the script says (a sped clock reads coarsely).
        failed: probes that did not come true, with what was there instead.
    """

    def __init__(
        self,
        script: Script,
        heard: Sequence[Heard],
        failed: Sequence[tuple[Probed, str]],
        *,
        notes: Sequence[Note] = (),
        slack: timedelta = timedelta(0),
    ) -> None:
        self._script, self._heard, self._failed, self._notes = script, list(heard), failed, notes
        self._slack = slack
        self._claimed: dict[int, Expected] = {}
        self._missing: list[tuple[Expected, int]] = []
        for expected in script.expected:
            self._claim(expected)
        centre = script.centre
        self._unexpected = [
            index
            for index, each in enumerate(self._heard)
            if index not in self._claimed and not any(fits(each, other, centre) for other in script.ignored)
        ]
        self._forbidden = [
            (each, index)
            for each in script.forbidden
            for index, one in enumerate(self._heard)
            if each.at <= one.at <= each.until and fits(one, each.message, centre)
        ]

    def _claim(self, expected: Expected) -> None:
        found = [
            index
            for index, each in enumerate(self._heard)
            if index not in self._claimed
            and expected.at - self._slack <= each.at <= expected.until + self._slack
            and fits(each, expected.message, self._script.centre)
        ][: expected.message.count]
        self._claimed |= dict.fromkeys(found, expected)
        if len(found) < expected.message.count:
            self._missing.append((expected, len(found)))

    @property
    def problems(self) -> list[str]:
        """One sentence each; none where all is as the script says."""
        clock = self._clock
        said = [
            f"{clock(expected.at)}–{clock(expected.until)}: expected {expected.message}, {count} came"
            for expected, count in self._missing
        ]
        said += [f"{clock(probed.at)}: not so: {probed.probe}; but {words}" for probed, words in self._failed]
        said += [
            f"{clock(self._heard[index].at)}: came, and must not: {each.message}"
            for each, index in self._forbidden
        ]
        said += [
            f"{clock(self._heard[i].at)}: nobody expected {self._line(self._heard[i])}"
            for i in self._unexpected
        ]
        return said

    def _clock(self, at: datetime) -> str:
        local = at.astimezone(self._script.zone)
        same = local.date() == self._script.day
        return local.strftime("%H:%M:%S" if same else "%m-%d %H:%M:%S")

    def _line(self, each: Heard) -> str:
        person = person_of(self._script.centre, each.to)
        name = person.name if person else each.to
        return f"{each.channel} → {name} [{each.why or '-'}] {each.text}"

    def table(self) -> str:
        """Everything in the order of time: steps (>), messages (✉), what is missing (✗) and notes (·)."""
        lines: list[tuple[datetime, int, str]] = []
        lines += [(each.at, 0, f"> {each.step}") for each in self._script.steps]
        for index, each in enumerate(self._heard):
            mark = "✗ nobody expected: " if index in self._unexpected else "✉ "
            lines.append((each.at, 2, mark + self._line(each)))
        lines += [
            (
                expected.at,
                1,
                f"✗ expected until {self._clock(expected.until)}: {expected.message}; {count} came",
            )
            for expected, count in self._missing
        ]
        lines += [(probed.at, 3, f"✗ {probed.probe}; but {words}") for probed, words in self._failed]
        lines += [(note.at, 4, f"· {note.text}") for note in self._notes]
        return "\n".join(
            f"{self._clock(at)}  {text}" for at, _, text in sorted(lines, key=lambda line: line[:2])
        )
