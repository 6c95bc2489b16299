"""The light of a window: a pure function of what is known, of ``now`` and of how long silence may last.

Order of judgement: the worst open finding; then "shut" (nobody is expected to be there); then what cannot be known
(grey, with the reason); green only when every source that could say otherwise has spoken lately.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dashboard.facts import Beat, FindingFacts, WindowFacts
from dashboard.words import Words
from domain.rule_names import rule_name

#: ``off`` is the sixth: shut on purpose, which is neither well nor unknown.
LightName = Literal["red", "yellow", "notice", "green", "grey", "off"]
Shape = Literal["octagon", "triangle", "triangle-hollow", "circle", "hatched", "bar"]

#: Worst first: the order of the head and of the legend.
LIGHTS: tuple[LightName, ...] = ("red", "yellow", "notice", "grey", "green", "off")
SHAPES: dict[LightName, Shape] = {
    "red": "octagon",
    "yellow": "triangle",
    "notice": "triangle-hollow",
    "green": "circle",
    "grey": "hatched",
    "off": "bar",
}

#: Processes without which a green light would be a guess, by what they feed.
NEEDED_BY_ALL = ("worker", "rules")
NEEDED_BY_CAMERAS = ("cameras",)


@dataclass(frozen=True, slots=True)
class LightSettings:
    """How long silence may last.

    Args:
        camera_silent: of a window's camera data (centre file ``rules.sources.camera_silent``), on the system's clock.
        process_silent: real seconds without a sign of life after which a process counts as stopped.
        slack: real seconds that must have passed as well before camera data count as silent; at demo speed a minute
            of the simulated day is one second, and no camera sends more often than every 15 s.
        speed: simulated seconds per real second.
    """

    camera_silent: timedelta = timedelta(minutes=1)
    process_silent: float = 30.0
    slack: float = 45.0
    speed: float = 1.0

    @property
    def silence(self) -> timedelta:
        return max(self.camera_silent, timedelta(seconds=self.slack * self.speed))


@dataclass(frozen=True, slots=True)
class Light:
    """What a tile says. ``since``: when this began; ``seen_at``: newest data it rests on (None: rests on no camera)."""

    light: LightName
    word: str
    reason: str
    since: datetime | None = None
    seen_at: datetime | None = None
    more: int = 0

    @property
    def shape(self) -> Shape:
        return SHAPES[self.light]


def short_case(case: str | None) -> str:
    """The end of a case number, which is what people in the hall tell cases apart by."""
    if not case:
        return ""
    return case if len(case) <= 6 else f"…{case[-4:]}"


def rule_family(rule: str) -> str:
    """``absence.red`` and its kin are one rule to a reader; the severity stands beside it."""
    head = rule.partition(".")[0]
    return head if head in ("absence", "source") else rule


def leading(findings: Iterable[FindingFacts]) -> list[FindingFacts]:
    """One finding for one matter, the worst first.

    An absence of half an hour has a notice, a yellow and a red card open, a case past its legal limit two: one person
    has one thing to do. The cards themselves are counted in the totals.
    """
    found: dict[tuple[str, str], FindingFacts] = {}
    for finding in sorted(findings, key=lambda finding: finding.weight):
        head = finding.rule.partition(".")[0]
        matter = head if head in ("absence", "time_limit") else finding.finding_id
        found.setdefault((finding.subject, matter), finding)
    return list(found.values())


def empty_since(finding: FindingFacts, window: WindowFacts | None) -> datetime:
    """Since when the post is empty. The finding opens only when the threshold is reached."""
    value = finding.explain.get("since")
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if window is not None and window.presence == "absent" and window.since is not None:
        return min(window.since, finding.opened_at)
    return finding.opened_at


def finding_text(
    finding: FindingFacts, words: Words, now: datetime, window: WindowFacts | None = None
) -> str:
    """One finding in one line."""
    family = rule_family(finding.rule)
    case = short_case(finding.case)
    late = now - (finding.due_at or finding.opened_at)
    if family == "absence":
        text = words("finding_absence", span=words.span(now - empty_since(finding, window)))
        text += words("citizens_wait") if window is not None and window.waiting else ""
    elif family in ("time_limit.notice", "time_limit.warning"):
        left = (finding.due_at or now) - now
        key = "finding_time_limit.notice" if left > timedelta(0) else "finding_time_limit.notice_passed"
        text = words(key, case=case, span=words.span(left))
    elif family == "source":
        kind, _, name = finding.subject.removeprefix("source:").partition(":")
        key = f"finding_{kind}" if kind in ("camera", "site") else "finding_source"
        text = words(key, name=name or kind)
    elif words.has(f"finding_{family}"):
        text = words(f"finding_{family}", case=case, span=words.span(late))
    else:
        name = rule_name(finding.rule, "en" if words.language == "en" else "zh")
        text = words("finding_other", rule=name, span=words.span(now - finding.opened_at))
    return f"{text} ({words('provisional')})" if finding.provisional else text


def camera_text(code: str | None, words: Words) -> str:
    """Why a camera cannot say, in plain words."""
    key = f"camera_{code or 'no_frame'}"
    return words(key) if words.has(key) else words("camera_other", code=code)


def silent_process(
    window: WindowFacts, beats: Sequence[Beat], settings: LightSettings
) -> tuple[str, float | None] | None:
    """The first stopped process this window depends on and its silence in real seconds (None: never heard of)."""
    heard: dict[str, float] = {}
    for beat in beats:
        heard[beat.role] = min(beat.silent, heard.get(beat.role, beat.silent))
    for role in NEEDED_BY_ALL + (NEEDED_BY_CAMERAS if window.has_camera else ()):
        silent = heard.get(role)
        if silent is None or silent > settings.process_silent:
            return role, silent
    return None


def judge_light(
    window: WindowFacts,
    *,
    now: datetime,
    words: Words,
    settings: LightSettings,
    beats: Sequence[Beat] = (),
    blind_since: timedelta | None = None,
) -> Light:
    """The light of one window.

    Args:
        now: the system's clock.
        beats: signs of life of the processes.
        blind_since: how long (real time) the store has not answered; None while it does.
    """
    if blind_since is not None:
        reason = words("reason_blind_store", span=words.span(blind_since))
        return Light("grey", words("light_grey"), reason, seen_at=window.seen_at)

    # A silent source is a finding of its own, in the list; on the tile it is what it is: grey, not a card.
    findings = leading(finding for finding in window.findings if rule_family(finding.rule) != "source")
    if findings:
        worst = findings[0]
        absent = rule_family(worst.rule) == "absence"
        since = empty_since(worst, window) if absent else worst.opened_at
        text = finding_text(worst, words, now, window)
        return Light(
            worst.severity, words(f"light_{worst.severity}"), text, since, window.seen_at, len(findings) - 1
        )

    if window.desk != "open" or window.open_now is False:
        state = "after_hours" if window.open_now is False else window.desk
        return Light("off", words(f"word_{state}"), words(f"reason_{state}"))

    def grey(reason: str, since: datetime | None = None) -> Light:
        return Light("grey", words("light_grey"), reason, since, window.seen_at)

    stopped = silent_process(window, beats, settings)
    if stopped is not None:
        role, silent = stopped
        span = "" if silent is None else words.span(timedelta(seconds=silent))
        return grey(words(f"reason_blind_{role}", span=span).strip())

    def green(text: str, since: datetime | None = None) -> Light:
        return Light("green", words("light_green"), text, since, window.seen_at)

    if not window.has_camera:
        return green(words("reason_no_camera"))
    if window.presence is None:
        return grey(words("reason_no_data"))
    if window.presence == "unknown":
        text = camera_text(window.reason, words)
        if window.since is not None:
            text = words("for_span", text=text, span=words.span(now - window.since))
        return grey(text, window.since)
    if window.seen_at is None:
        return grey(words("reason_no_data"))
    if now - window.seen_at > settings.silence:
        return grey(words("reason_silent", span=words.span(now - window.seen_at)), window.seen_at)
    if window.presence == "absent":
        away = now - (window.since or window.seen_at)
        wait = words("citizens_wait") if window.waiting else ""
        return green(words("reason_away", span=words.span(away)) + wait, window.since)
    return green(words("reason_present"), window.since)


__all__ = [
    "LIGHTS",
    "SHAPES",
    "Light",
    "LightName",
    "LightSettings",
    "Shape",
    "camera_text",
    "empty_since",
    "finding_text",
    "judge_light",
    "leading",
    "rule_family",
    "short_case",
    "silent_process",
]  # fmt: skip
