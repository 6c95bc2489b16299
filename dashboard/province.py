"""All centres of a system on one screen: what is known of each, and its light. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dashboard.facts import Beat, FindingFacts, Totals, WindowFacts
from dashboard.lights import LIGHTS, Light, LightName, LightSettings, finding_text, silent_process
from dashboard.words import Words

#: Share of a centre's watched windows that may be unknown before the centre is: one camera in sixty is always being mended.
UNKNOWN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class CentreFacts:
    """One centre at one moment.

    Args:
        red, yellow, notice: matters by their worst open finding.
        worst: the worst of them.
        watched: windows with a camera. unknown: those of them nobody can speak for.
        heard_at: newest sign of life of any of its sources.
        silent_feeds: systems of it that have gone silent.
        rules_silent: real seconds since its rules spoke; None: never.
        open_now: whether it should serve now.
    """

    code: str
    name: str
    group: str = ""
    windows: int = 0
    red: int = 0
    yellow: int = 0
    notice: int = 0
    worst: FindingFacts | None = None
    watched: int = 0
    unknown: int = 0
    heard_at: datetime | None = None
    silent_feeds: int = 0
    rules_silent: float | None = 0.0
    open_now: bool = True


@dataclass(frozen=True, slots=True)
class ProvinceSnapshot:
    """All centres at one moment ``at`` of the system's clock, read at ``read_at`` (real epoch seconds).

    ``problems``: how many centre files are broken just now.
    """

    at: datetime
    read_at: float
    centres: tuple[CentreFacts, ...]
    totals: Totals = field(default_factory=Totals)
    beats: tuple[Beat, ...] = ()
    problems: int = 0


@dataclass(frozen=True, slots=True)
class CentreLight:
    """What a card says. ``ill``: why what it says may be old or lack something; empty if nothing."""

    light: Light
    count: int
    rest: str
    ill: str


def judge_centre(
    facts: CentreFacts,
    *,
    now: datetime,
    words: Words,
    settings: LightSettings,
    beats: Sequence[Beat],
    blind: timedelta | None = None,
) -> CentreLight:
    """The light of one centre: the worst open finding; then shut; then what cannot be known; then green."""
    ill = _ill(facts, words, settings, beats)
    counts: Mapping[LightName, int] = {"red": facts.red, "yellow": facts.yellow, "notice": facts.notice}
    if blind is not None:
        text = words("reason_blind_store", span=words.span(blind))
        return CentreLight(Light("grey", words("light_grey"), text, seen_at=facts.heard_at), 0, "", "")
    for name, count in counts.items():
        if count:
            light = Light(name, words(f"light_{name}"), _what(facts, words, now), seen_at=facts.heard_at)
            return CentreLight(light, count, _rest(facts, counts, name, words), ill)
    rest = _rest(facts, counts, None, words)
    if not facts.open_now:
        light = Light("off", words("word_after_hours"), words("reason_after_hours"), seen_at=facts.heard_at)
        return CentreLight(light, 0, "", ill)
    if facts.heard_at is None:
        return CentreLight(Light("grey", words("light_grey"), words("reason_no_data")), 0, rest, ill)
    if ill or facts.unknown > facts.watched * UNKNOWN_SHARE:
        reason = ill or words("centre_unknown", n=facts.unknown, of=facts.watched)
        light = Light("grey", words("light_grey"), reason, seen_at=facts.heard_at)
        return CentreLight(light, facts.unknown, rest if ill else "", ill)
    light = Light("green", words("light_green"), words("centre_well"), seen_at=facts.heard_at)
    return CentreLight(light, 0, rest, "")


def _what(facts: CentreFacts, words: Words, now: datetime) -> str:
    """The worst matter: where, and what."""
    if facts.worst is None:
        return ""
    text = finding_text(facts.worst, words, now)
    return f"{facts.worst.window} {text}" if facts.worst.window else text


def _rest(facts: CentreFacts, counts: Mapping[LightName, int], shown: LightName | None, words: Words) -> str:
    parts = [
        words("centre_count", word=words(f"light_{name}"), n=count)
        for name, count in counts.items()
        if count and name != shown
    ]
    if facts.unknown:
        parts.append(words("centre_unknown", n=facts.unknown, of=facts.watched))
    return " · ".join(parts)


def _ill(facts: CentreFacts, words: Words, settings: LightSettings, beats: Sequence[Beat]) -> str:
    own = [beat for beat in beats if beat.role != "rules"]
    if facts.rules_silent is not None:
        own.append(Beat("rules", facts.rules_silent))
    stopped = silent_process(WindowFacts("", has_camera=facts.watched > 0), own, settings)
    if stopped is not None:
        role, silent = stopped
        span = "" if silent is None else words.span(timedelta(seconds=silent))
        return words(f"reason_blind_{role}", span=span).strip()
    return words("centre_feeds_silent", n=facts.silent_feeds) if facts.silent_feeds else ""


def weight(facts: CentreFacts, light: LightName) -> tuple[int, int, int, int, int, str]:
    """Sorts the worst centre first; of equals the one with more of it."""
    return (LIGHTS.index(light), -facts.red, -facts.yellow, -facts.notice, -facts.unknown, facts.code)


__all__ = ["UNKNOWN_SHARE", "CentreFacts", "CentreLight", "ProvinceSnapshot", "judge_centre", "weight"]
