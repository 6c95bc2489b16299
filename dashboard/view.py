"""The view model: everything on the wall as words, for one language. Pure: (snapshot, centre, now) → view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.facts import Beat, FindingFacts, Snapshot, Totals, WindowFacts
from dashboard.lights import (
    LIGHTS,
    SHAPES,
    Light,
    LightName,
    LightSettings,
    Shape,
    empty_since,
    finding_text,
    judge_light,
    leading,
    rule_family,
    silent_process,
)
from dashboard.words import Words
from domain.centre import Centre, Window

#: Rows of findings that fit the right column; the rest is counted, never hidden without a word.
FINDING_ROWS = 8

#: Processes shown in the foot, in the order in which data run through them.
FOOT_ROLES = ("door", "worker", "cameras", "rules", "sender")

TOTALS = tuple(Totals.__slots__)


@dataclass(frozen=True, slots=True)
class Tile:
    """``load``: open cases in words, shown where nothing worse is to be said."""

    window: str
    name: str
    light: Light
    load: str = ""


@dataclass(frozen=True, slots=True)
class FindingRow:
    finding_id: str
    light: LightName
    word: str
    window: str
    text: str
    who: str
    act: str
    since: str
    acknowledged: bool
    state: str


@dataclass(frozen=True, slots=True)
class Lamp:
    """One entry of the head or of the legend."""

    light: LightName
    shape: Shape
    word: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    role: str
    text: str
    well: bool


@dataclass(frozen=True, slots=True)
class WallView:
    """What one screen shows in one language. ``doubt``: why the list of findings may lack something; empty if nothing."""

    words: Words
    centre: str
    lamps: tuple[Lamp, ...]
    legend: tuple[Lamp, ...]
    totals: tuple[tuple[str, int], ...]
    tiles: tuple[Tile, ...]
    findings: tuple[FindingRow, ...]
    findings_total: int
    doubt: str
    health: tuple[Health, ...]
    method: str
    speed: float


def light_settings(centre: Centre, speed: float) -> LightSettings:
    """The centre file's patience with silent sources."""
    return LightSettings(camera_silent=timedelta(minutes=centre.rules.sources.camera_silent), speed=speed)


def responsible(centre: Centre, finding: FindingFacts, words: Words) -> str:
    """Who must act: the handler of the window; for a red card the leader in charge as well."""
    window = next((window for window in centre.windows if window.id == finding.window), None)
    names = [
        name
        for role in (("handler", "leader") if finding.severity == "red" else ("handler",))
        if (name := person_name(centre, window, role))
    ]
    if not names:
        return words("who_none")
    both = names[0] if len(names) == 1 else words("who_and", first=names[0], second=names[1])
    return words("who", name=both)


def person_name(centre: Centre, window: Window | None, role: str) -> str:
    """The name of the person who has this role at the window; empty where none is named."""
    person_id = getattr(window, role, None) if window is not None else None
    if role == "handler" and person_id is None and window is not None and window.staff:
        person_id = window.staff[0]
    person = next((person for person in centre.people if person.id == person_id), None)
    return person.name if person is not None else (person_id or "")


def act_by(
    centre: Centre, finding: FindingFacts, window: WindowFacts | None, words: Words, now: datetime
) -> str:
    """By when: before the next, worse thing happens; where the promise is already broken, at once."""
    limit: datetime | None = None
    family = rule_family(finding.rule)
    if family in ("time_limit.notice", "time_limit.warning"):
        limit = finding.due_at
    elif family == "absence" and finding.severity != "red":
        absence = centre.rules.absence
        minutes = absence.yellow if finding.severity == "notice" else absence.red
        limit = empty_since(finding, window) + timedelta(minutes=minutes)
    if limit is not None and limit > now:
        return words("act_by", at=words.moment(limit, now))
    return words("act_now")


def finding_row(
    centre: Centre, finding: FindingFacts, window: WindowFacts | None, words: Words, now: datetime
) -> FindingRow:
    if finding.acknowledged_at is not None:
        state = words("acknowledged", at=words.moment(finding.acknowledged_at, now))
    else:
        state = words("unacknowledged")
    return FindingRow(
        finding_id=finding.finding_id,
        light=finding.severity,
        word=words(f"light_{finding.severity}"),
        window=finding.window or "",
        text=finding_text(finding, words, now, window),
        who=responsible(centre, finding, words),
        act=act_by(centre, finding, window, words, now),
        since=words("since", at=words.moment(finding.opened_at, now)),
        acknowledged=finding.acknowledged_at is not None,
        state=state,
    )


def health_of(beats: Sequence[Beat], words: Words, settings: LightSettings) -> tuple[Health, ...]:
    """The processes that feed the wall. A feed or a process nobody expects is shown once it has spoken."""
    heard: dict[str, float] = {}
    for beat in beats:
        heard[beat.role] = min(beat.silent, heard.get(beat.role, beat.silent))
    rows = []
    for role in FOOT_ROLES:
        name, silent = words(f"role_{role}"), heard.get(role)
        if silent is None:
            rows.append(Health(role, words("role_missing", role=name), False))
        elif silent > settings.process_silent:
            span = words.span(timedelta(seconds=silent))
            rows.append(Health(role, words("role_silent", role=name, span=span), False))
        elif role == "sender" and (trouble := trouble_of(beats, words)):
            rows.append(Health(role, words("role_trouble", role=name, what=trouble), False))
        else:
            rows.append(Health(role, words("role_ok", role=name), True))
    return tuple(rows)


def trouble_of(beats: Sequence[Beat], words: Words) -> str:
    """What is wrong with the messages, the first and how many more; empty: nothing is known to be."""
    if any(beat.role == "hold" for beat in beats):
        return words("trouble_held")
    names = [beat.about for beat in beats if beat.role == "trouble"]
    if not names:
        return ""
    kind, _, about = min(names, key=lambda name: not name.startswith("channel_off")).partition(":")
    key = f"trouble_{kind}"
    text = words(key, about=about) if words.has(key) else words("trouble_some")
    return text if len(names) == 1 else words("trouble_more", what=text, n=len(names))


def doubt_of(
    beats: Sequence[Beat], words: Words, settings: LightSettings, blind_since: timedelta | None
) -> str:
    """An empty list means something only while everything that could fill it is alive."""
    if blind_since is not None:
        return words("reason_blind_store", span=words.span(blind_since))
    stopped = silent_process(WindowFacts(""), beats, settings)
    if stopped is None:
        return ""
    role, silent = stopped
    span = "" if silent is None else words.span(timedelta(seconds=silent))
    return words(f"reason_blind_{role}", span=span).strip()


def _waits(finding: FindingFacts, windows: Mapping[str, WindowFacts]) -> bool:
    window = windows.get(finding.window or "")
    return rule_family(finding.rule) == "absence" and window is not None and window.waiting


def build_view(
    snapshot: Snapshot,
    *,
    centre: Centre,
    now: datetime,
    words: Words,
    settings: LightSettings,
    blind_since: timedelta | None = None,
) -> WallView:
    """Judges every window and puts everything into words.

    Tiles keep the order of the centre file: a director learns where his window is, and nothing jumps.
    """
    tiles = tuple(
        Tile(
            window.window,
            window.name,
            judge_light(
                window, now=now, words=words, settings=settings, beats=snapshot.beats, blind_since=blind_since
            ),
            words("open_cases", n=window.open_cases) if window.open_cases else "",
        )
        for window in snapshot.windows
    )
    counts = Counter(tile.light.light for tile in tiles)
    by_id = {window.window: window for window in snapshot.windows}
    # Of equals those first at whose window somebody waits.
    findings = sorted(leading(snapshot.findings), key=lambda each: (each.weight[0], not _waits(each, by_id)))
    absence = centre.rules.absence
    minutes = {"notice": f"{absence.notice:g}", "yellow": f"{absence.yellow:g}", "red": f"{absence.red:g}"}
    correlation = any(window.method == "correlation" for window in snapshot.windows)
    return WallView(
        words=words,
        centre=centre.centre.name or centre.centre.id,
        lamps=tuple(Lamp(name, SHAPES[name], words(f"light_{name}"), counts[name]) for name in LIGHTS),
        legend=tuple(Lamp(name, SHAPES[name], words(f"legend_{name}", **minutes)) for name in LIGHTS),
        totals=tuple((name, getattr(snapshot.totals, name)) for name in TOTALS),
        tiles=tiles,
        findings=tuple(
            finding_row(centre, finding, by_id.get(finding.window or ""), words, now)
            for finding in findings[:FINDING_ROWS]
        ),
        findings_total=len(findings),
        doubt=doubt_of(snapshot.beats, words, settings, blind_since),
        health=health_of(snapshot.beats, words, settings),
        method=words("method_correlation") if correlation else "",
        speed=settings.speed,
    )


__all__ = [
    "FINDING_ROWS",
    "FOOT_ROLES",
    "TOTALS",
    "FindingRow",
    "Health",
    "Lamp",
    "Tile",
    "WallView",
    "act_by",
    "build_view",
    "finding_row",
    "health_of",
    "light_settings",
    "person_name",
    "responsible",
]  # fmt: skip
