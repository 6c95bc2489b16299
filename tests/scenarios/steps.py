"""What happens in a scenario. Each step is data: both drivers read it, and a failed scenario prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Event:
    """An event of another system. ``happened``: when, if it comes late; text of ``data`` like "17:00" is a moment of the day."""

    kind: str
    fields: Mapping[str, str]
    data: Mapping[str, Any]
    happened: str | None = None

    def __str__(self) -> str:
        late = f" (happened {self.happened})" if self.happened else ""
        return " ".join(["event", self.kind, *map(str, self.fields.values())]) + late


def event(kind: str, *, happened: str | None = None, **more: Any) -> Event:
    """``event("case.accepted", case="C1", window="A07", legal_deadline="17:00")``: codes, and the kind's data."""
    codes = {name: more.pop(name) for name in ("case", "item", "window", "staff") if name in more}
    return Event(kind, codes, more, happened)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a camera sees at a window from now on; it goes on saying so every 15 s."""

    state: Literal["present", "absent", "unknown"]
    window: str
    silent: bool = False

    def __str__(self) -> str:
        return f"camera at {self.window}: " + ("says nothing more" if self.silent else self.state)


def present(window: str) -> Seen:
    return Seen("present", window)


def absent(window: str) -> Seen:
    return Seen("absent", window)


def camera_fails(window: str) -> Seen:
    """It delivers nothing more, and nobody says why."""
    return Seen("unknown", window, silent=True)


@dataclass(frozen=True, slots=True)
class Answers:
    """How a gateway treats messages; see the functions below. ``after``: real seconds until it says more."""

    kind: Literal["ok", "mute", "undelivered", "refuses", "locked", "down", "busy", "cut", "twice", "late"]
    after: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} ({self.after:g} s)" if self.after else self.kind


#: It takes them and says at once that they have arrived.
delivered = Answers("ok")
#: It takes them and never says what became of them.
mute = Answers("mute")
#: It takes them and says, a little later, that they cannot be delivered.
undelivered = Answers("undelivered", 5)
#: It refuses them for good.
refuses = Answers("refuses")
#: It refuses all of them for good: the account is in arrears.
locked = Answers("locked")
#: It cannot be reached.
down = Answers("down")
#: It takes them and hangs up before it says so.
cut = Answers("cut")
#: It takes them and says everything twice.
twice = Answers("twice")


def busy(retry_after: float) -> Answers:
    """429 with Retry-After."""
    return Answers("busy", retry_after)


def receipt_after(seconds: float) -> Answers:
    """It takes them, and says after so long that they have arrived."""
    return Answers("late", seconds)


@dataclass(frozen=True, slots=True)
class Gateway:
    """From now on a channel's gateway answers so, to everybody or for one person's number."""

    channel: str
    answers: Answers
    to: str | None = None

    def __str__(self) -> str:
        return f"gateway {self.channel}: {self.answers}" + (f" for {self.to}" if self.to else "")


def gateway(channel: str, answers: Answers, *, to: str | None = None) -> Gateway:
    return Gateway(channel, answers, to)


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody acts upon the finding of a case (or of a window): by the newest link he got, by a reply, or at the desk."""

    step: Literal["acknowledge", "answer", "revoke"]
    about: str
    by: Literal["link", "reply", "desk"]
    person: str
    text: str = ""
    refused: bool = False
    lenient: bool = False  # where it is not possible, nothing happens

    def __str__(self) -> str:
        return f"{self.person}: {self.step} {self.about} by {self.by}{', refused' if self.refused else ''}"


def acknowledge(
    about: str, *, person: str, by: Literal["link", "reply", "desk"] = "link", refused: bool = False
) -> Act:
    """``refused``: it comes too late, and the page says so."""
    return Act("acknowledge", about, by, person, refused=refused)


def revoke(about: str, *, person: str, text: str) -> Act:
    """By an inspector, at the desk."""
    return Act("revoke", about, "desk", person, text)


def answer(about: str, *, person: str, text: str = "已联系申请人，今日办结") -> Act:
    return Act("answer", about, "desk", person, text)


@dataclass(frozen=True, slots=True)
class Silence:
    """Somebody wants no messages about something, until a moment of the day, and says why."""

    match: Mapping[str, Any]
    until: str
    author: str
    reason: str
    recurring: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        again = f", again and again {dict(self.recurring)}" if self.recurring else ""
        return f"silence {dict(self.match)} until {self.until} by {self.author}: {self.reason}{again}"


def silence(
    match: Mapping[str, Any],
    *,
    until: str,
    author: str,
    reason: str,
    recurring: Mapping[str, Any] | None = None,
) -> Silence:
    return Silence(match, until, author, reason, recurring)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something happens to a process of ours.

    ``restart``: all of them die and come back. ``kill sender``: the next sender dies after its gateway has taken a message and
    before it writes that down; another one comes. ``rules away``: they die, and do not come back before ``restart``.
    """

    what: Literal["restart", "kill sender", "rules away"]

    def __str__(self) -> str:
        return f"!! {self.what}"


restart = Fault("restart")
kill_sender = Fault("kill sender")
rules_away = Fault("rules away")


@dataclass(frozen=True, slots=True)
class Switch:
    """An operator switches a channel on again, or off."""

    channel: str
    on: bool
    lenient: bool = False  # it may be on already

    def __str__(self) -> str:
        return f"channel {self.channel} switched {'on' if self.on else 'off'}"


def switch_on(channel: str, *, lenient: bool = False) -> Switch:
    return Switch(channel, True, lenient)


def switch_off(channel: str) -> Switch:
    return Switch(channel, False)


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody edits the centre file; every process starts again with it."""

    sections: Mapping[str, Any]

    def __str__(self) -> str:
        return f"the centre file is changed: {dict(self.sections)}"


def centre_file(**sections: Any) -> Changed:
    """Sections laid over the file, key by key."""
    return Changed(sections)


Step = Event | Seen | Gateway | Act | Silence | Fault | Switch | Changed


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a scenario speaks of it: every field that is given must fit."""

    channel: str | None = None
    to: str | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    count: int = 1
    why: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [self.channel or "message"]
        words += [f"to {self.to}"] if self.to else []
        words += [f"“{'…'.join(self.contains)}”"] if self.contains else []
        words += [f"without “{'…'.join(self.lacks)}”"] if self.lacks else []
        words += [f"because {self.why}"] if self.why else []
        words += [f"x{self.count}"] if self.count != 1 else []
        return " ".join(words)


def message(
    channel: str | None = None,
    *,
    to: str | None = None,
    contains: str | tuple[str, ...] = (),
    lacks: str | tuple[str, ...] = (),
    count: int = 1,
    why: str | None = None,
) -> Message:
    """``to``: a name, an id or an address; ``contains``: text, or several that must all be there."""
    texts = (contains,) if isinstance(contains, str) else contains
    without = (lacks,) if isinstance(lacks, str) else lacks
    return Message(channel, to, texts, without, count, why)


def sms(**more: Any) -> Message:
    """A message on the channel ``sms``; see :func:`message`."""
    return message("sms", **more)
