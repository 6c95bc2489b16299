"""``mingjing scores``: what a month, quarter or year is worth, out of the database or out of a file of events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from detectors.late_entry import uncounted
from detectors.scores.cards import Book, By, Card, make_cards, settings_of, shares_by_item
from detectors.scores.facts import CaseFact, FindingFact, Looks, RatingFact, case_fact, rating_fact
from detectors.scores.periods import Kind, Period, parse_period
from detectors.scores.points import at_issue
from detectors.scores.ranking import Place, rank, rank_centres
from domain.cases import RANK
from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.errors import InputError
from domain.events import Event
from domain.findings import Finding
from domain.rules.ratings import RatingSettings
from mingjing.score_words import card_json, card_text
from store.connection import Connection

_TICK = timedelta(microseconds=1)
CentreArgument = Annotated[
    Path,
    typer.Argument(help="中心文件或其文件夹 · the centre file, or a folder of them", metavar="CENTRE.yaml"),
]


def scores_command(
    centre: CentreArgument,
    month: Annotated[str | None, typer.Option(help="月 · 2026-10")] = None,
    quarter: Annotated[str | None, typer.Option(help="季 · 2026-Q4")] = None,
    year: Annotated[str | None, typer.Option(help="年 · 2026")] = None,
    by: Annotated[str, typer.Option(help="department, window, person, item, centre")] = "department",
    events: Annotated[
        Path | None,
        typer.Option(
            help="事件文件，缺省为数据库 · a file of events; default: the database", metavar="EVENTS.jsonl"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object a line")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
) -> None:
    """评分 · Scores, rates and ranks of departments, windows, people, items or centres."""
    if by not in get_args(By):
        raise InputError(f"--by: '{by}' is none of {', '.join(get_args(By))}")
    subject: By = by  # type: ignore[assignment]
    centres = load_centres(centre)
    centres.refuse_problems()
    kind, text = _which(month, quarter, year)
    period = parse_period(kind, text, centres.first.zone)
    if events is not None:
        books, refused = _books_of_file(centres, events, period)
        if refused:
            typer.echo(f"拒收 {refused} 行 lines refused; `mingjing replay --rejected` names them", err=True)
    else:
        books = _books_of_database(centres, period, data)
    for places, level in ranked(books, period, subject):
        if not as_json and level is not None:
            typer.echo(f"── {level}")
        for place in places:
            typer.echo(json.dumps(card_json(place), ensure_ascii=False) if as_json else card_text(place))


def _which(month: str | None, quarter: str | None, year: str | None) -> tuple[Kind, str]:
    options: dict[Kind, str | None] = {"month": month, "quarter": quarter, "year": year}
    given = [(kind, text) for kind, text in options.items() if text is not None]
    if len(given) != 1:
        raise InputError("give one of --month, --quarter, --year")
    return given[0]


def ranked(books: Sequence[Book], period: Period, by: By) -> list[tuple[list[Place], str | None]]:
    """The cards of every centre with their ranks: inside each centre, or of centres with those of their level."""
    shares = {book.centre.centre.id: shares_by_item(book.cases, period) for book in books}
    cards = {
        book.centre.centre.id: make_cards(book, period, by, _abroad(shares, book.centre.centre.id))
        for book in books
    }
    least = {book.centre.centre.id: settings_of(book.centre).minimum_sample for book in books}
    if by == "centre":
        every: list[Card] = [card for found in cards.values() for card in found]
        return [(places, level) for level, places in rank_centres(every, least).items()]
    several = len(books) > 1
    return [(rank(found, least[code]), code if several else None) for code, found in cards.items()]


def _abroad(shares: dict[str, dict[str, list[float]]], own: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for code, items in shares.items():
        for item, values in items.items() if code != own else ():
            found.setdefault(item, []).extend(values)
    return found


# ---- out of a file -----------------------------------------------------------------------------------------------------


def _books_of_file(centres: Centres, path: Path, period: Period) -> tuple[list[Book], int]:
    from mingjing.replay import read_lines

    try:
        with path.open("rb") as stream:
            return books_of_file(centres, read_lines(stream), period)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def books_of_file(
    centres: Centres, lines: Iterable[bytes | str], period: Period, spill_after: int | None = None
) -> tuple[list[Book], int]:
    """The facts of a file as of the end of the period, or of the file; and how many lines were refused.

    Events are kept as :class:`~mingjing.replay.Replay` keeps them; of what is made from them only what can move a figure of
    the period: cases at issue in it, and those with a finding or a rating in it, each with all that was found about it.
    """
    from mingjing.replay import SPILL_EVENTS, Replay

    rated: list[tuple[str, RatingFact]] = []

    def rating(code: str, event: Event) -> None:
        if event.kind == "rating.given" and period.holds(event.occurred_at):
            rated.extend((code, fact) for fact in _ratings([event], centres[code]))

    run = Replay(centres, spill_after=SPILL_EVENTS if spill_after is None else spill_after, on_event=rating)
    run.read(lines)
    as_of = period.until - _TICK if run.last is None else min(period.until - _TICK, run.last)
    cases: dict[tuple[str, str], CaseFact] = {}
    wanted = {(code, fact.case) for code, fact in rated if fact.at <= as_of and fact.case is not None}
    found: dict[str, list[FindingFact]] = {code: [] for code in centres}
    for judged in run.judge_each(as_of):
        facts = [_finding_fact(finding) for finding in judged.findings if not finding.shadow]
        inside = any(period.holds(fact.opened_at) for fact in facts)
        if judged.case is None:
            wanted |= {
                (judged.centre, fact.case)
                for fact in facts
                if fact.case is not None and period.holds(fact.opened_at)
            }
            facts = [
                fact
                for fact in facts
                if period.holds(fact.opened_at) or (judged.centre, fact.case or "") in cases
            ]
        else:
            case = _case_fact(judged.events, centres[judged.centre], as_of)
            key = judged.centre, judged.case
            if case is not None and (inside or key in wanted or at_issue([case], period)):
                cases[key] = case
            elif not inside:
                continue
        found[judged.centre] += facts
    # Those that only a finding about another subject names, as a complaint's; those are judged after all cases.
    for key in sorted(wanted - cases.keys()):
        case = _case_fact(run.events_of_case(*key), centres[key[0]], as_of)
        if case is not None:
            cases[key] = case
    books = [
        Book(
            centre,
            [fact for (of, _), fact in cases.items() if of == code],
            found[code],
            [fact for of, fact in rated if of == code and fact.at <= as_of],
        )
        for code, centre in centres.items()
    ]
    return books, len(run.rejected)


def _case_fact(events: Iterable[Event], centre: Centre, as_of: datetime) -> CaseFact | None:
    return case_fact((event for event in events if event.kind in RANK), centre, as_of, uncounted)


def _ratings(events: Iterable[Event], centre: Centre) -> list[RatingFact]:
    channels = (centre.rules.ratings or RatingSettings()).default_channels
    return [rating_fact(event, channels) for event in events]


def _finding_fact(finding: Finding) -> FindingFact:
    return FindingFact(
        finding.finding_id,
        finding.rule,
        finding.severity,
        finding.opened_at,
        finding.case,
        finding.item,
        finding.window,
        finding.state == "revoked",
        staff=_staff(finding),
    )


def _staff(finding: Finding) -> str | None:
    """Of a finding about a person's day; whose a case is, its events say."""
    staff = finding.explain.get("staff")
    return staff if finding.case is None and isinstance(staff, str) else None


# ---- out of the database -----------------------------------------------------------------------------------------------


def _books_of_database(centres: Centres, period: Period, data: Path | None) -> list[Book]:
    from mingjing.clocks import make_clock
    from mingjing.database import open_database
    from mingjing.settings import load_settings

    settings = load_settings(data=data)
    as_of = min(period.until - _TICK, make_clock(settings).now())
    with open_database(settings) as connection:
        return [book_of_database(connection, centre, period, as_of) for centre in centres.values()]


def book_of_database(connection: Connection, centre: Centre, period: Period, as_of: datetime) -> Book:
    """The facts of a centre: cases by the limits kept with them (rule 9), findings with what became of them."""
    from store import scoring
    from store.judging import load_settings as kept_settings
    from streams.rule_settings import centre_under

    code = centre.centre.id
    kept = scoring.cases_at_issue(connection, code, period.since, period.until)
    under: dict[str | None, Centre] = {None: centre}
    facts: list[CaseFact] = []
    for case, events in scoring.case_events(connection, code, list(kept)):
        settings_id = kept[case]
        if settings_id not in under:
            assert settings_id is not None
            under[settings_id] = centre_under(centre, kept_settings(connection, settings_id))
        fact = case_fact(events, under[settings_id], as_of, uncounted)
        if fact is not None:
            facts.append(fact)
    rows = scoring.findings_at_issue(connection, code, period.since, period.until, list(kept))
    findings = [
        FindingFact(
            row.finding_id, row.rule, row.severity, row.opened_at, row.case, row.item, row.window, row.revoked,
            row.appealed, row.staff,
        )
        for row in rows
    ]  # fmt: skip
    ratings = scoring.ratings_between(connection, code, period.since, min(period.until, as_of + _TICK))
    kinds: tuple[Literal["centre", "department", "window"], ...] = ("centre", "department", "window")
    looks: dict[tuple[str, str], Looks] = {
        (kind, key or (code if kind == "centre" else "")): Looks(*found)
        for kind in kinds
        for key, found in scoring.looks_between(connection, code, period.since, period.until, kind).items()
    }
    return Book(centre, facts, findings, _ratings(ratings, centre), looks)
