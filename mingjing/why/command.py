"""``mingjing why`` and ``mingjing why-not``: from a running system, or from a centre file and a file of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.errors import EventError, InputError
from domain.events import Event, parse_line
from mingjing.act_words import words_of
from mingjing.replay import Replay, parse_until, read_lines
from mingjing.why.reasons import CaseAnswer, answer_case
from mingjing.why.subjects import answer_subject, family_of
from mingjing.why.text import Speaker

#: Exit status where nothing is known of the id.
UNKNOWN = 3

WantedArgument = Annotated[
    str,
    typer.Argument(
        metavar="CASE|SUBJECT|FINDING",
        help="办件号、对象（complaint:…）或监察发现编号 · case, subject or finding_id",
    ),
]
LangOption = Annotated[str, typer.Option("--lang", help="zh, en")]
CentreOption = Annotated[
    Path | None, typer.Option("--centre", help="中心文件（不用数据库）· a centre file, without a database")
]
EventsOption = Annotated[Path | None, typer.Option("--events", help="事件文件 · a file of events, JSONL")]
UntilOption = Annotated[
    str | None, typer.Option(help="截止时刻 · the 'now'; default: the last event, or the system's clock")
]
ByOption = Annotated[str | None, typer.Option("--by", help="查阅人 · who looks; default: the login name")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]


def why_command(
    wanted: WantedArgument,
    lang: LangOption = "zh",
    centre: CentreOption = None,
    events: EventsOption = None,
    until: UntilOption = None,
    by: ByOption = None,
    data: DataOption = None,
) -> None:
    """为什么发牌 · Why there is a card: the day-by-day count, to be checked with a calendar.

    Exit status 3 where nothing is known of the case.
    """
    _answer(wanted, lang, centre, events, until, by, data, negative=False)


def why_not_command(
    wanted: Annotated[
        str, typer.Argument(metavar="CASE|SUBJECT", help="办件号或对象（complaint:…） · case or subject")
    ],
    lang: LangOption = "zh",
    centre: CentreOption = None,
    events: EventsOption = None,
    until: UntilOption = None,
    by: ByOption = None,
    data: DataOption = None,
) -> None:
    """为什么没有发牌 · Why there is no (other) card: state, pause, calendar, limits, what is still ahead."""
    _answer(wanted, lang, centre, events, until, by, data, negative=True)


def _answer(
    wanted: str,
    lang: str,
    centre: Path | None,
    events: Path | None,
    until: str | None,
    by: str | None,
    data: Path | None,
    *,
    negative: bool,
) -> None:
    words_of(lang)
    if (centre is None) != (events is None):
        raise InputError("--centre and --events belong together: both, or neither for the running system")
    if centre is not None and events is not None:
        said = list(_from_files(wanted, lang, centre, events, until, negative=negative))
    else:
        said = list(_from_store(wanted, lang, until, by, data, negative=negative))
    for line in said:
        typer.echo(line)
    if not said:
        typer.echo(
            f"{wanted}: 无此办件、对象或监察发现 · no case, subject or finding that is known here", err=True
        )
        raise typer.Exit(UNKNOWN)


def _from_files(
    wanted: str, lang: str, path: Path, events: Path, until: str | None, *, negative: bool
) -> Iterator[str]:
    centres = load_centres(path)
    centres.refuse_problems()
    moment = None if until is None else parse_until(until, centres.first)
    if family_of(wanted) is not None:
        yield from _of_subject(wanted, lang, Replay(centres), events, moment, negative=negative)
        return
    case: str | None = wanted
    taken, last = _events_of(wanted, centres.checks, events)
    if not taken:
        case = _case_of_finding(wanted, Replay(centres), events, moment)
        if case is None:
            return
        taken, last = _events_of(case, centres.checks, events)
    now = moment or last
    assert now is not None
    for code in sorted({event.centre or centres.first.centre.id for event in taken}):
        of = centres[code]
        mine = [event for event in taken if (event.centre or code) == code]
        answer = answer_case(case or wanted, mine, of, now)
        yield from _said(answer, of, lang, wanted, negative=negative)


def _of_subject(
    wanted: str, lang: str, run: Replay, path: Path, until: datetime | None, *, negative: bool
) -> Iterator[str]:
    """A subject that is no case; said in each centre that knows it."""
    with path.open("rb") as stream:
        run.read(read_lines(stream))
    now = until or run.last
    for judged in run.judge_each(until):
        if judged.subject == wanted and now is not None:
            centre = run.centres[judged.centre]
            answer = answer_subject(wanted, judged.events, centre, now)
            yield from _said(answer, centre, lang, wanted, negative=negative)


def _said(answer: CaseAnswer, centre: Centre, lang: str, wanted: str, *, negative: bool) -> Iterator[str]:
    speak = Speaker(lang, centre)
    if negative:
        yield from speak.why_not(answer)
        return
    one = [finding for finding in answer.findings if finding.finding_id == wanted]
    if one:
        yield from speak.finding(one[0])
    else:
        yield from speak.why(answer)


def _events_of(case: str, checks: Mapping[str, Any], path: Path) -> tuple[list[Event], datetime | None]:
    taken: list[Event] = []
    last: datetime | None = None
    with path.open("rb") as stream:
        for line in read_lines(stream):
            if not line.strip():
                continue
            try:
                event = parse_line(line.removeprefix(b"\xef\xbb\xbf"), **checks)
            except EventError:
                continue  # mingjing replay names them
            last = event.occurred_at if last is None else max(last, event.occurred_at)
            if event.case == case:
                taken.append(event)
    return taken, last


def _case_of_finding(wanted: str, run: Replay, path: Path, until: datetime | None) -> str | None:
    with path.open("rb") as stream:
        run.read(read_lines(stream))
    for group in run.judge(until):
        for finding in group:
            if finding.finding_id == wanted:
                return finding.case
    return None


def _from_store(
    wanted: str, lang: str, until: str | None, by: str | None, data: Path | None, *, negative: bool
) -> Iterator[str]:
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from mingjing.why.live import ask_store

    context = Context(load_settings(data=data))
    now = context.clock.now() if until is None else parse_until(until, context.centres.first)
    with open_database(context.settings) as connection:
        for found in ask_store(connection, context.centres, wanted, now, by=by):
            if negative and found.is_case:
                yield from Speaker(lang, found.centre).why_not(found.answer, found.more)
            else:
                yield from _said(found.answer, found.centre, lang, wanted, negative=False)
