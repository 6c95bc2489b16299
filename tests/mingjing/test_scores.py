"""``mingjing scores``: out of a file and out of the database the same figures."""

from __future__ import annotations

import gc
import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from benchmarks import mixed_year
from detectors.late_entry import uncounted
from detectors.scores.cards import Book
from detectors.scores.facts import case_fact, rating_fact
from detectors.scores.periods import parse_period
from domain.centre_file import parse_centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.errors import EventError
from domain.events import Event, parse_line
from mingjing import score_words as words
from mingjing.cli import main
from mingjing.replay import Replay
from mingjing.scores import _finding_fact, book_of_database, books_of_file, ranked
from store.connection import connect
from store.ingest import write_events
from streams.rule_loop import RuleLoop
from tests.detectors.making import at

FILE = {
    "centre": {"id": "530502", "name": "隆阳区政务服务中心"},
    "rules": {"scores": {"minimum_sample": 1, "early": None, "shorter": None}},
    "items": [{"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 7}}],
    "departments": [{"id": "D1", "name": "公安"}, {"id": "D2", "name": "税务"}],
    "windows": [{"id": "A01", "department": "D1"}, {"id": "A02", "department": "D2"}],
}
CENTRE = parse_centre(yaml.safe_dump(FILE, allow_unicode=True))
NOVEMBER = parse_period("month", "2026-11", CENTRE.zone)


def line(number, kind, when, case, window, **data):
    return json.dumps(
        {
            "event_id": str(number), "kind": kind, "occurred_at": f"2026-{when}:00+08:00", "source": "s", "case": case,
            "item": "A", "window": window, "staff": f"clerk-{window}", "data": data,
        }
    ).encode()  # fmt: skip


# D1: one in time, one that passes both deadlines; D2: one voided, one rated. Promised 7, legal 10 working days.
LINES = [
    line(1, "case.accepted", "11-02T09:30", "c1", "A01"),
    line(2, "case.closed", "11-04T10:00", "c1", "A01"),
    line(3, "case.accepted", "11-02T09:30", "c2", "A01"),
    line(4, "case.accepted", "11-02T09:30", "c3", "A02"),
    line(5, "case.closed", "11-03T10:00", "c3", "A02", result="voided"),
    line(6, "case.accepted", "11-02T09:30", "c4", "A02"),
    line(7, "case.closed", "11-03T11:00", "c4", "A02"),
    line(8, "rating.given", "11-03T12:00", "c4", "A02", level=1),
    line(9, "rating.given", "11-18T12:00", "c3", "A02", level=3, channel="default"),
]


def good(lines):
    """Without those that replay refuses; of two that contradict each other the first stands."""
    known = {}
    for line in lines:
        try:
            event = parse_line(line)
        except EventError:
            continue
        if known.setdefault(event.event_id, line) == line:
            yield line.encode()


@pytest.fixture
def run(tmp_path, capsys):
    def call(*options, lines=LINES):
        (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE, allow_unicode=True), "utf-8")
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
        with pytest.raises(SystemExit) as end:
            main(["scores", str(tmp_path / "centre.yaml"), *options])
        return end.value.code, capsys.readouterr()

    return call


def test_the_figures_of_a_month(run, tmp_path):
    status, said = run("--month", "2026-11", "--events", str(tmp_path / "events.jsonl"), "--json")
    assert status == 0, said.err
    second, first = sorted(map(json.loads, said.out.splitlines()), key=lambda row: row["id"])
    assert (first["id"], first["name"], first["rank"], first["of"], first["score"]) == (
        "D2",
        "税务",
        1,
        2,
        100,
    )
    # Yellow and red of c2; its one warning is not three in a row.
    assert (second["id"], second["rank"], second["score"]) == ("D1", 2, 85)
    assert {part["what"]: part["points"] for part in second["lines"]} == {
        "time_limit.legal": -10,
        "time_limit.promised": -5,
    }
    rate = second["rates"]["completion"]
    assert [rate[name] for name in ("value", "good", "whole", "asked", "coverage")] == [0.5, 1, 2, 2, 1.0]
    assert rate["interval"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert second["rates"]["satisfaction"]["value"] is None
    assert (first["counts"]["voided"], first["counts"]["default_ratings"], first["counts"]["ratings"]) == (
        1,
        1,
        1,
    )
    assert (first["rates"]["completion"]["good"], first["rates"]["completion"]["whole"]) == (1, 1)
    assert (second["used"]["median"], second["peers"]["median"]) == (0.2, 0.1)


def test_a_month_that_goes_on_misses_nothing_in_advance(run, tmp_path):
    """The last event is of the 4th; c2 is promised to the 11th."""
    status, said = run(
        "--month", "2026-11", "--events", str(tmp_path / "events.jsonl"), "--json", lines=LINES[:8]
    )
    rows = {row["id"]: row for row in map(json.loads, said.out.splitlines())}
    assert (status, rows["D1"]["counts"]["late"], rows["D1"]["score"]) == (0, 0, 100)
    assert rows["D1"]["rates"]["promised"]["value"] == 1.0


def test_in_words(run, tmp_path):
    status, said = run("--month", "2026-11", "--events", str(tmp_path / "events.jsonl"), "--by", "window")
    assert status == 0, said.err
    assert "1/2  100.00 合格  A02" in said.out
    assert "-10  time_limit.legal ×1" in said.out
    assert "满意率 100.0%（1/1" in said.out
    assert "默认好评 1" in said.out


def test_refused_lines_are_said(run, tmp_path):
    bad = [*LINES, b"no event", b"", LINES[0]]
    status, said = run("--month", "2026-11", "--events", str(tmp_path / "events.jsonl"), "--json", lines=bad)
    assert (status, len(said.out.splitlines())) == (0, 2)
    assert "拒收 1 行" in said.err


def test_a_month_without_anything_says_nothing_good(run, tmp_path):
    status, said = run("--month", "2026-01", "--events", str(tmp_path / "events.jsonl"), "--json")
    assert (status, said.out) == (0, "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give one of --month, --quarter, --year"),
        (("--month", "2026-1"), "--month: '2026-1'"),
        (("--month", "2026-11", "--by", "moon"), "--by: 'moon'"),
        (("--month", "2026-11", "--events", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_what_cannot_be_used_is_named(run, options, says):
    status, said = run(*options)
    assert status == 2
    assert says in said.err


@pytest.mark.postgres
def test_the_database_gives_the_same(database):
    now = at("11-27 18:00")
    with connect(database, autocommit=True) as connection:
        events = [parse_line(raw) for raw in LINES]
        write_events(connection, events, centre="530502", now=at("11-03 12:00"))
        loop = RuleLoop(database, CENTRE, FakeClock(now))
        loop.tick(now)
        loop.close()
        book = book_of_database(connection, CENTRE, NOVEMBER, NOVEMBER.until - timedelta(seconds=1))
        ((places, _),) = ranked([book], NOVEMBER, "department")
        ((expected, _),) = ranked(
            books_of_file(Centres.of(CENTRE), LINES, NOVEMBER)[0], NOVEMBER, "department"
        )
        # A silent feed is a finding of the live system that belongs to no department.
        places = [place for place in places if place.card.key]
        assert [place.card.counts for place in places] == [place.card.counts for place in expected]
        assert [place.card.rates for place in places] == [place.card.rates for place in expected]
        assert [place.card.score for place in places] == [place.card.score for place in expected]
        connection.execute("update finding set life = 'appealed' where severity = 'red'")
        connection.execute("update finding set state = 'revoked' where severity = 'yellow'")
        book = book_of_database(connection, CENTRE, NOVEMBER, now)
        ((places, _),) = ranked([book], NOVEMBER, "window")
        (worst,) = [place.card for place in places if place.card.key == "A01"]
        assert (worst.score.value, worst.score.if_revoked, worst.counts["revoked_yellow"]) == (90, 100, 1)


def test_every_figure_is_explained():
    page = Path("docs/scores.md").read_text("utf-8")
    for name, word in {**words.COUNTS, **words.RATES, **words.LINES}.items():
        assert f"| `{name}` | {word}" in page, name


@pytest.mark.postgres
def test_late_entered_and_findings_of_older_cases(database):
    """Of a stop keyed in late no rate says "in time"; a card of a case from last month costs whoever handled it."""
    file = FILE | {"rules": FILE["rules"] | {"truthfulness": {"late_entry": {"received_days": 400}}}}
    centre = parse_centre(yaml.safe_dump(file, allow_unicode=True))
    late = json.loads(LINES[1]) | {"entered_at": "2026-11-10T10:00:00+08:00"}
    older = [
        line(20, "case.accepted", "01-05T09:30", "c9", "A02"),
        line(21, "case.suspended", "01-06T09:30", "c9", "A02", ground="hearing", days=3),
    ]
    lines = [LINES[0], json.dumps(late).encode(), *older]
    ((places, _),) = ranked(books_of_file(Centres.of(centre), lines, NOVEMBER)[0], NOVEMBER, "window")
    (card,) = [place.card for place in places if place.card.key == "A01"]
    assert (card.rates["promised"].good, card.rates["promised"].whole) == (0, 1)
    assert card.counts["late_entered"] == 1
    with connect(database, autocommit=True) as connection:
        write_events(connection, [parse_line(raw) for raw in older], centre="530502", now=at("01-06 12:00"))
        loop = RuleLoop(database, centre, FakeClock(at("01-30 18:00")))
        loop.tick(at("01-30 18:00"))
        loop.close()
        connection.execute("update case_state set promised_due = null, legal_due = null")
        connection.execute(
            "update finding set opened_at = %s where rule = 'suspension.overrun'", [at("11-03 09:00")]
        )
        book = book_of_database(connection, centre, NOVEMBER, NOVEMBER.until)
        ((places, _),) = ranked([book], NOVEMBER, "person")
    (card,) = [place.card for place in places if place.card.key == "clerk-A02"]
    assert (card.score.value, card.counts["yellow"]) == (None, 1)


def plainly(centre, lines, period):
    """All facts of a file, whatever can become of them: what the figures are made from is to be as good."""
    run = Replay(Centres.of(centre))
    run.read(lines)
    as_of = min(period.until - timedelta(microseconds=1), run.last)
    every, found = [], []
    for judged in run.judge_each(as_of):
        found += [_finding_fact(finding) for finding in judged.findings]
        fact = judged.case and case_fact(
            [e for e in judged.events if e.kind.startswith("case.")], centre, as_of, uncounted
        )
        every += [fact] if fact else []
    events = (parse_line(line) for line in dict.fromkeys(lines))
    ratings = [rating_fact(e) for e in events if e.kind == "rating.given" and e.occurred_at <= as_of]
    return Book(centre, every, found, ratings)


@pytest.mark.parametrize(("kind", "text"), [("month", "2025-12"), ("quarter", "2025-Q2")])
def test_a_few_facts_give_the_figures_of_all(kind, text):
    centre = parse_centre(
        yaml.safe_dump(mixed_year.CENTRE | {"rules": {name: {} for name in mixed_year.FAMILIES}})
    )
    lines = list(good(mixed_year.draw_year(150, seed=4)))
    period = parse_period(kind, text, centre.zone)
    whole = plainly(centre, lines, period)
    for spill_after in (10**9, 100):
        (few,), _ = books_of_file(Centres.of(centre), lines, period, spill_after=spill_after)
        assert len(few.cases) < len(whole.cases)
        for by in ("centre", "department", "window", "person", "item"):
            assert ranked([few], period, by) == ranked([whole], period, by), by


def test_events_of_a_scored_file_are_not_kept_in_memory():
    centre = parse_centre(yaml.safe_dump(mixed_year.CENTRE))
    period, most = parse_period("year", "2025", centre.zone), 0

    def alive():
        return sum(type(each) is Event for each in gc.get_objects())

    def watched():
        nonlocal most
        for number, line in enumerate(mixed_year.draw_year(100, seed=4)):
            if number % 90 == 89:
                most = max(most, alive() - before)
            yield line

    before = alive()
    (book,), refused = books_of_file(Centres.of(centre), watched(), period, spill_after=100)
    assert refused
    assert len(book.cases) == 100
    assert 50 < most <= 101
    assert alive() - before <= 1, "none is left"
