"""``mingjing backtest``: today's rules and proposed ones over the same history: what would change, and for whose phone.

Both are applied to the whole history; the settings kept with each case (contract, rule 9) are those of the day, and a
comparison needs two that differ in nothing but the proposal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.forecast import Forecast, MessageCount, Peak
from detectors.absence import DESK, LOOK_BACK, judge_absence, windows_of
from detectors.comparison import RuleChange, compare_groups
from domain.centre import Centre
from domain.centre_file import parse_rules
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.errors import InputError
from domain.events import Event, event_to_json
from domain.findings import Finding
from domain.observations import PresenceSpan
from mingjing.kept_findings import KeptFindings
from mingjing.replay import Replay, parse_until
from store import scoring
from store.connection import Connection
from streams.linking import AT_WINDOWS

_TICK = timedelta(microseconds=1)
#: Window → its spans of presence and the events of its desk: what absences are judged by.
Seats = dict[str, tuple[Sequence[PresenceSpan], Sequence[Event]]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one centre: changes by rule, messages today and under the proposal; ``cases`` with any finding on either side;
    ``shadow``: rule → findings that the proposal only counts."""

    centre: str
    cases: int
    changes: list[RuleChange]
    today: Forecast
    proposed: Forecast
    shadow: dict[str, int]


def backtest_command(
    rules: Annotated[
        Path,
        typer.Argument(
            help="拟议规则：只有 rules 一节 · a partial centre file: `rules:`", metavar="RULES.yaml"
        ),
    ],
    since: Annotated[str, typer.Option(help="起始时刻 · from; a day or a moment", metavar="TIME")],
    until: Annotated[
        str | None,
        typer.Option(
            help="截止时刻，缺省最后一个事件或现在 · to; default: last event, or now", metavar="TIME"
        ),
    ] = None,
    centre: Annotated[
        Path | None,
        typer.Option(
            help="中心文件或其文件夹，缺省为系统的 · centre file or folder; default: the system's",
            metavar="CENTRE.yaml",
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="事件文件，缺省为数据库 · events; default: the database", metavar="EVENTS.jsonl"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object a centre")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
) -> None:
    """回测 · What proposed rules would change over a stored history: findings, messages, the busiest day."""
    from mingjing.settings import load_settings

    settings = load_settings(data=data)
    today = load_centres(centre or settings.centre_file)
    today.refuse_problems()
    proposed = proposed_rules(rules, today)
    start = parse_until(since, today.first, option="--since")
    end = None if until is None else parse_until(until, today.first)
    if end is not None and end <= start:
        raise InputError("--until: must be later than --since")
    if events is not None:
        found = over_file(today, proposed, events, start, end)
    else:
        from mingjing.clocks import make_clock
        from mingjing.database import open_database

        with open_database(settings) as connection:
            found = list(over_database(connection, today, proposed, start, end or make_clock(settings).now()))
    for each in found:
        typer.echo(json.dumps(_json(each), ensure_ascii=False) if as_json else _words(each))


def proposed_rules(path: Path, centres: Centres) -> Centres:
    """The centres under the rules of a file.

    Raises:
        CentreFileError: with file and line.
        InputError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return Centres(parse_rules(text, str(path), centre) for centre in centres.values())


def over_file(
    today: Centres, proposed: Centres, events: Path, since: datetime, until: datetime | None
) -> list[Comparison]:
    """A file of events: everything that `mingjing replay` finds."""
    from mingjing.replay import read_lines

    # Each side reads the file: which events are kept for which subject depends on the rules.
    runs = Replay(today), Replay(proposed)
    for run in runs:
        try:
            with events.open("rb") as stream:
                run.read(read_lines(stream))
        except OSError as error:
            raise InputError(f"{events}: cannot be read: {error.strerror}") from None
    if runs[0].rejected:
        lines = len(runs[0].rejected)
        typer.echo(f"拒收 {lines} 行 lines refused; `mingjing replay --rejected` names them", err=True)
    end = until or runs[0].last or since
    found = {code: _Comparing(today[code], proposed[code], since, end) for code in today}
    for side, run in enumerate(runs):
        for group in run.judge(end):
            for finding in group:
                found[finding.centre].add(side, finding)
    return [comparing.result() for comparing in found.values()]


def over_database(
    connection: Connection, today: Centres, proposed: Centres, since: datetime, until: datetime
) -> Iterator[Comparison]:
    """The store: cases as `mingjing replay` would judge them, and absences as far back as presence is kept."""
    from store.judging import desk_events, presence_spans

    for code, centre in today.items():
        cases = scoring.cases_alive(connection, code, since, until)
        windows = dict.fromkeys(
            sorted(centre.window_ids), centre.working_time.day_start(centre.working_time.local_date(since))
        )
        spans = presence_spans(connection, code, windows)
        desks = desk_events(connection, code, windows, list(DESK))
        comparing = _Comparing(centre, proposed[code], since, until)
        for side, each in enumerate((centre, proposed[code])):
            run = Replay(Centres.of(each))
            of_cases = (group for _, group in scoring.case_events(connection, code, cases))
            others = scoring.other_events(connection, code, since, until)
            run.read(map(_dump, chain(chain.from_iterable(of_cases), others)))
            seats = _seats(connection, each, spans, desks, since, until)
            for finding in chain(chain.from_iterable(run.judge(until)), _absences(seats, each, since, until)):
                comparing.add(side, finding)
        yield comparing.result()


def _seats(
    connection: Connection,
    centre: Centre,
    spans: Mapping[str, Sequence[PresenceSpan]],
    desks: Mapping[str, Sequence[Event]],
    since: datetime,
    until: datetime,
) -> Seats:
    """What absences are judged by under the rules of one side: with ``staffing`` also leave, cover, clocks and queues, by the
    windows that this side's file gives them."""
    events = {window: list(desks[window]) for window in desks}
    if centre.rules.staffing is not None:
        reach: dict[timedelta, list[str]] = {}
        for kind in sorted(AT_WINDOWS):
            reach.setdefault(LOOK_BACK.get(kind, timedelta(0)), []).append(kind)
        begin = centre.working_time.day_start(centre.working_time.local_date(since))
        for back, kinds in reach.items():
            for event in scoring.events_of_kinds(connection, centre.centre.id, kinds, begin - back, until):
                for window in windows_of(event, centre):
                    if window in events:
                        events[window].append(event)
    return {window: (spans[window], events[window]) for window in desks}


def _dump(event: Event) -> bytes:
    return json.dumps(event_to_json(event), ensure_ascii=False).encode()


class _Comparing:
    """Takes the findings of both sides (0: today, 1: proposed) of one centre, one at a time."""

    def __init__(self, today: Centre, proposed: Centre, since: datetime, until: datetime) -> None:
        self._centre, self._since, self._until = today.centre.id, since, until
        self._messages = MessageCount(today), MessageCount(proposed)
        self._found, self._shadow = KeptFindings(), Counter[str]()

    def _inside(self, moment: datetime) -> bool:
        return self._since <= moment <= self._until

    def add(self, side: int, finding: Finding) -> None:
        self._found.add(side, finding)
        if not self._inside(finding.opened_at):
            return
        self._messages[side].add(finding)
        self._shadow[finding.rule] += side == 1 and finding.shadow

    def result(self) -> Comparison:
        today, proposed = (messages.forecast() for messages in self._messages)
        return Comparison(
            centre=self._centre,
            cases=self._found.count_cases(),
            changes=compare_groups(self._found.groups(), self._inside),
            today=today,
            proposed=proposed,
            shadow={rule: number for rule, number in sorted(self._shadow.items()) if number},
        )


def _absences(seats: Seats, centre: Centre, since: datetime, until: datetime) -> Iterator[Finding]:
    """Day by day: no absence crosses office hours."""
    for window, (spans, desk) in seats.items():
        if not spans and centre.rules.staffing is None:
            continue
        calendar = centre.open_time(window)
        for ordinal in range(calendar.local_date(since), calendar.local_date(until) + 1):
            begin, end = calendar.day_start(ordinal), min(calendar.day_start(ordinal + 1) - _TICK, until)
            if begin <= end:
                yield from judge_absence(window, spans, desk, centre, end, since=begin).findings


# ---- words -------------------------------------------------------------------------------------------------------------


def _words(found: Comparison) -> str:
    rows = [
        f"中心 centre {found.centre} · 有发现的办件 cases with findings {found.cases}",
        f"{'规则 rule':<26} {'级别':<6} {'现行':>7} {'拟议':>7} {'新增':>7} {'消失':>7} {'移动':>7}",
    ]
    for row in found.changes:
        rows.append(
            f"{row.rule:<28} {row.severity:<8} {row.today:>8} {row.proposed:>9} {row.new:>9} {row.gone:>9} {row.moved:>9}"
        )
        rows += [f"    {_WHAT[what]}  {subject}" for subject, what in row.examples]
    rows += [f"{rule:<28} 影子 shadow {number:>7}" for rule, number in found.shadow.items()]
    for name, load in (("现行 today", found.today), ("拟议 proposed", found.proposed)):
        rows.append(f"短信 messages {name}: {_load(load)}")
        rows += [f"    {_peak(peak)}" for peak in load.peaks[:3]]
        rows += [
            f"    超限 over {limit.provider} {limit.per_day}/日: {_peak(peak)}" for peak, limit in load.over
        ]
    return "\n".join(rows)


_WHAT = {"new": "新增 new  ", "gone": "消失 gone ", "moved": "移动 moved"}


def _load(load: Forecast) -> str:
    if load.busiest_day is None or load.per_day is None:
        return "0"
    day, number = load.busiest_day
    return f"{load.total} · 日均 per day {load.per_day:.1f} · 最忙日 busiest {day} {number}"


def _peak(peak: Peak) -> str:
    return f"{peak.day} {peak.person} {peak.template} ×{peak.messages}"


def _json(found: Comparison) -> dict[str, Any]:
    def load(each: Forecast) -> dict[str, Any]:
        return {
            "total": each.total,
            "per_day": each.per_day,
            "busiest_day": None
            if each.busiest_day is None
            else {"day": str(each.busiest_day[0]), "messages": each.busiest_day[1]},
            "peaks": [_peak_json(peak) for peak in each.peaks[:100]],
            "over": [
                {**_peak_json(peak), "provider": limit.provider, "limit": limit.per_day}
                for peak, limit in each.over
            ],
        }

    names = ("rule", "severity", "today", "proposed", "new", "gone", "moved")
    return {
        "centre": found.centre,
        "cases": found.cases,
        "shadow": found.shadow,
        "rules": [
            {**{name: getattr(row, name) for name in names}, "examples": _examples(row.examples)}
            for row in found.changes
        ],
        "messages": {"today": load(found.today), "proposed": load(found.proposed)},
    }


def _examples(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"subject": subject, "what": what} for subject, what in pairs]


def _peak_json(peak: Peak) -> dict[str, Any]:
    return {"day": str(peak.day), "person": peak.person, "template": peak.template, "messages": peak.messages}
