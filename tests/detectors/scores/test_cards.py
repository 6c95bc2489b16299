"""Cards: whose a case is, peers, quarters, ranks with ties and small samples; facts out of events."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scores.cards import Book, make_cards
from detectors.scores.facts import Looks, case_fact, rating_fact
from detectors.scores.periods import parse_period
from detectors.scores.ranking import rank, rank_centres
from domain.centre import Centre
from domain.divisions import level
from tests.detectors import making
from tests.detectors.scores.making import CENTRE, OCTOBER, case, finding, rating

PLAIN = CENTRE.model_copy(
    update={
        "rules": CENTRE.rules.model_validate(
            {"scores": {"early": None, "shorter": None, "minimum_sample": 2}}
        )
    }
)


def cards(by, cases, findings=(), period=OCTOBER, **more):
    return {card.key: card for card in make_cards(Book(PLAIN, cases, findings, **more), period, by)}


def test_each_subject_gets_what_is_its_own():
    cases = [case("c1"), case("c2", window="A02", staff="p2", item="B"), case("c3", window=None)]
    found = [finding("f1"), finding("f2", "yellow", case="c2", window=None, item=None)]
    assert {key: card.score.value for key, card in cards("department", cases, found).items()} == {
        "": 100, "D1": 90, "D2": 95
    }  # fmt: skip
    windows = cards("window", cases, found)
    assert [windows[key].score.value for key in ("A01", "A02")] == [90, 95]
    assert cards("person", cases, found)["p2"].score.value == 95
    assert cards("item", cases, found)["A"].counts["red"] == 1
    (whole,) = cards("centre", cases, found).values()
    assert (whole.key, whole.counts["accepted"], whole.name) == ("530502", 3, "隆阳区政务服务中心")


def test_a_window_without_cases_has_its_findings_and_no_figure():
    absence = finding("f1", rule="absence.red", case=None, window="A02", item=None)
    card = cards("window", [], [absence], looks={("window", "A02"): Looks(100, 80, 60)})["A02"]
    assert (card.score.value, card.grade) == (None, None)
    assert [line.what for line in card.score.lines] == ["absence.red"]
    assert (card.rates["staffed"].value, card.rates["staffed"].coverage) == (0.75, 0.8)
    assert card.rates["completion"].value is None


def test_revoked_and_appealed_have_columns_of_their_own():
    found = [finding("f1", revoked=True), finding("f2", "yellow", appealed=True)]
    card = cards("window", [case("c1")], found)["A01"]
    assert [card.counts[name] for name in ("red", "revoked_red", "yellow", "appealed")] == [0, 1, 1, 1]
    assert (card.score.value, card.score.if_revoked) == (95, 100)


def test_speed_is_told_against_those_who_do_the_same():
    slow = [case(f"s{n}", used=0.9) for n in range(3)]
    quick = [case(f"q{n}", window="A02", used=0.1 * n) for n in range(1, 4)]
    others = [case("b", window="A02", item="B", used=5.0)]
    made = cards("window", slow + quick + others)
    assert (made["A01"].used.median, made["A01"].peers.median) == (0.9, pytest.approx(0.2))
    assert made["A01"].peers.sample == 3, "other items are no peers"
    (alone,) = make_cards(Book(PLAIN, slow), OCTOBER, "centre", {"A": [0.3, 0.5], "B": [9.0]})
    assert (alone.peers.sample, alone.peers.p90) == (2, 0.5)


def test_a_quarter_is_the_mean_of_its_months_that_have_a_figure():
    quarter = parse_period("quarter", "2026-Q4", ZoneInfo("Asia/Shanghai"))
    cases = [case("c1"), case("c2", started=40, stopped=45, promised_due=None, legal_due=None)]
    card = cards("window", cases, [finding("f1")], quarter)["A01"]
    assert dict(card.months) == {"2026-10": 90, "2026-11": 100, "2026-12": None}
    assert card.score.value == 95
    assert [(line.what, line.points) for line in card.score.lines] == [("time_limit.legal", -10)]


def test_ranks_with_ties_small_samples_and_nobody():
    cases = [
        case(f"{window}{n}", window=window)
        for window, number in (("A01", 2), ("A02", 2), ("A03", 1))
        for n in range(number)
    ]
    cases += [
        case("w1", window="A04"),
        case("w2", window="A04"),
        case("x", window=None),
        case("y", window=None),
    ]
    found = [finding("f1", case="w1", window="A04")]
    places = rank(cards("window", cases, found).values(), 2)
    assert [(place.card.key, place.rank, place.of, place.why_not) for place in places] == [
        ("A01", 1, 3, None), ("A02", 1, 3, None), ("A04", 3, 3, None), ("", None, 3, "nobody"), ("A03", None, 3, "small_sample")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("530000", "province"), ("530500", "prefecture"), ("530502", "county"), ("530502001", "township"),
        ("530502001000", "township"), ("530502001201", "village"), ("530502000000", "county"), ("demo", ""),
    ],
)  # fmt: skip
def test_levels_of_divisions(code, named):
    assert level(code) == named


def test_counties_are_ranked_with_counties():
    def of(code, **more):
        centre = PLAIN.model_copy(update={"centre": PLAIN.centre.model_copy(update={"id": code})})
        (card,) = make_cards(Book(centre, [case("c1"), case("c2")], **more), OCTOBER, "centre")
        return card

    reds = [finding("f1")]
    found = rank_centres([of("530502"), of("530521", findings=reds), of("530502001", findings=reds)], 2)
    assert {name: [(p.card.centre, p.rank) for p in places] for name, places in found.items()} == {
        "county": [("530502", 1), ("530521", 2)],
        "township": [("530502001", 1)],
    }


# ---- facts out of events -----------------------------------------------------------------------------------------------


def fact(*events, now="12-31 23:00", **more):
    return case_fact(events, making.CENTRE, making.at(now), **more)


def test_a_case_in_a_few_words():
    # Legal 10, promised 5 working days from Monday 2 March 2026: due on the 16th and the 9th.
    made = fact(making.event("accepted", "03-02 09:30"), making.event("decided", "03-09 10:00", staffed=1))
    assert (made.outcome, made.item, made.window) == ("finished", "A", "A01")
    assert (made.promised_due, made.legal_due) == (making.at("03-09 17:00"), making.at("03-16 17:00"))
    assert (made.used, made.early, made.same_day) == (0.5, False, False)
    assert made.gaps == {"staff"}
    early = fact(making.event("accepted", "03-02 09:30"), making.event("closed", "03-06 10:00"))
    assert (early.early, early.used) == (True, 0.4)
    first_day = fact(making.event("accepted", "03-02 09:30"), making.event("closed", "03-02 16:00"))
    assert (first_day.same_day, first_day.used) == (True, 0.0)
    over = fact(making.event("accepted", "03-02 09:30"), making.event("closed", "03-17 10:00"))
    assert over.used == 1.1


def test_a_deadline_that_has_not_come_is_not_missed():
    accepted = making.event("accepted", "03-02 09:30")
    due = making.at("03-09 17:00")
    assert fact(accepted, now="03-09 17:00").fate(due) is None, "at the very moment is in time"
    assert fact(accepted, now="03-09 17:00:01").fate(due) == (due, False)
    made = fact(accepted, making.event("closed", "03-12 10:00"), now="03-05 09:00")
    assert (made.outcome, made.fate(due)) == (None, None)


def test_suspended_days_are_not_used():
    events = [
        making.event("accepted", "03-02 09:30"), making.event("suspended", "03-03 10:00"),
        making.event("resumed", "03-10 10:00"), making.event("closed", "03-11 10:00"),
    ]  # fmt: skip
    assert fact(*events).used == 0.1


def test_calendar_days_and_explicit_deadlines():
    assert (
        fact(
            making.event("accepted", "03-02 09:30", item="B"), making.event("closed", "03-05 10:00", item="B")
        ).used
        == 0.2
    )
    explicit = making.event("accepted", "03-02 09:30", legal_deadline="2026-03-06T17:00:00+08:00")
    assert fact(explicit, making.event("closed", "03-04 10:00")).used == 0.5


@pytest.mark.parametrize("result", ["voided", "returned"])
def test_decided_and_then_voided_is_void(result):
    closed = making.event("closed", "03-05 10:00", result=result)
    made = fact(making.event("accepted", "03-02 09:30"), making.event("decided", "03-04 10:00"), closed)
    assert (made.outcome, made.apart) == (result, True)


def test_closed_without_acceptance_is_a_gap():
    made = fact(making.event("closed", "03-05 10:00", item="unheard"))
    assert made.gaps == {"accepted", "item", "staff"}
    assert fact(now="01-01 00:00") is None


EVENTS = [
    making.event("received", "03-02 09:00"), making.event("accepted", "03-02 09:30"),
    making.event("suspended", "03-03 10:00", days=2), making.event("resumed", "03-04 10:00"),
    making.event("extended", "03-05 10:00", days=3), making.event("decided", "03-10 10:00"),
    making.event("closed", "03-11 10:00", result="returned"),
]  # fmt: skip


@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=3))
def test_order_and_duplicates_change_no_fact(events, again):
    assert fact(*events, *again) == fact(*EVENTS)


def test_what_is_late_entered_is_handed_in():
    made = fact(making.event("accepted", "03-02 09:30"), uncounted=lambda case, centre: ("on_time",))
    assert made.late_entered == {"on_time"}


def test_defaults_of_a_system_are_no_ratings():
    def given(**data):
        return rating_fact(making.event("rating.given", "03-02 09:30", level=3, **data), ("timeout",)).default

    assert [given(), given(channel="qr"), given(channel="timeout"), given(default=True)] == [
        False,
        False,
        True,
        True,
    ]


def test_default_ratings_have_a_column():
    card = cards("window", [case("c1")], ratings=[rating(5), rating(3, default=True)])["A01"]
    assert (card.counts["ratings"], card.counts["default_ratings"]) == (1, 1)
    assert card.rates["satisfaction"].value == 0.0


def test_settings_come_from_the_centre_file():
    assert isinstance(PLAIN, Centre)
    assert PLAIN.rules.scores.minimum_sample == 2
