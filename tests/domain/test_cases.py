"""Rule 10: order, duplicates, conflicts."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from domain.cases import fold_case, without_duplicates
from domain.events import CASE_KINDS
from tests.detectors.making import at, event

NOW = at("12-31 00:00")


def test_at_one_moment_the_kinds_have_an_order():
    events = [event(kind[5:], "03-02 10:00", days=1, stage="x") for kind in reversed(CASE_KINDS)]
    assert [step.kind for step in fold_case(events, NOW).steps] == list(CASE_KINDS)


def test_then_by_event_id_then_by_source():
    a = event("suspended", "03-02 10:00", id="b")
    b = event("suspended", "03-02 10:00", id="a")
    c = replace(b, source="another")
    for order in permutations([a, b, c]):
        found = fold_case(order, NOW).steps
        assert [(s.event.event_id, s.event.source) for s in found] == [
            ("a", "another"),
            ("a", "test"),
            ("b", "test"),
        ]


def test_the_same_event_twice_counts_once():
    one = event("accepted", "03-02 10:00", id="x")
    stand, conflicts = without_duplicates([one, replace(one, received_at=at("03-02 11:00"))])
    assert (stand, conflicts) == ([one], [])


def test_of_two_contents_the_first_to_arrive_stands():
    one = event("accepted", "03-02 10:00", id="x")
    other = event("accepted", "03-03 10:00", id="x")
    assert without_duplicates([one, other]) == ([one], [other])
    assert without_duplicates([other, one]) == ([other], [one])


def test_the_earliest_of_the_stops_is_the_stop():
    case = fold_case(
        [event("closed", "03-05 10:00"), event("decided", "03-04 10:00"), event("accepted", "03-02 10:00")],
        NOW,
    )
    assert case.stop is not None
    assert case.stop.kind == "case.decided"
    assert [step.kind for step in case.running] == ["case.accepted", "case.decided"]


def test_events_ahead_are_not_taken():
    case = fold_case([event("accepted", "03-02 10:00"), event("closed", "03-05 10:00")], at("03-03 00:00"))
    assert (len(case.steps), case.ahead) == (1, at("03-05 10:00"))
    assert len(fold_case([event("accepted", "03-02 10:00")], at("03-02 10:00")).steps) == 1


def test_item_and_window_as_last_named():
    first = event("received", "03-02 10:00", item=None)
    second = replace(event("accepted", "03-03 10:00", item="A"), window="A02")
    case = fold_case([first, second, event("closed", "03-04 10:00", item="B")], NOW)
    assert [case.item_at(step) for step in case.steps] == ["A", "A", "B"]
    assert case.window_at(at("03-02 12:00")) == "A01"
    assert case.window_at(at("03-03 12:00")) == "A02"
