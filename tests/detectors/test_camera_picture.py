from __future__ import annotations

from datetime import timedelta

import pytest

from detectors.blind import judge_camera
from detectors.camera_picture import FAULTS, unfit_spans
from detectors.presence.look import REASONS
from domain.rule_names import NAMES
from tests.detectors.test_blind import ON, at, found


def words(*rows):
    return [(at(f"03-03 {when}"), state, reason) for when, state, reason in rows]


def judged(rows, now):
    return found(judge_camera("k", unfit_spans("k", words(*rows)), ON, at(now)))


@pytest.mark.parametrize("reason", sorted(FAULTS))
def test_each_fault_of_a_picture_has_its_own_finding(reason):
    assert judged([("09:30", "present", reason)], "03-03 09:33") == []
    assert judged([("09:30", "present", reason)], "03-03 09:34") == [(FAULTS[reason], "03-03 09:33", None)]
    assert FAULTS[reason] in NAMES
    assert reason in REASONS


@pytest.mark.parametrize(
    ("rows", "spans"),
    [
        ([("09:30", "present", "dark"), ("09:40", "present", None)], [("dark", "09:30", "09:40")]),
        # a hand before the lens: gone for ten seconds is not mended
        (
            [
                ("09:30", "present", "covered"),
                ("09:32:00", "present", None),
                ("09:32:10", "present", "covered"),
            ],
            [("covered", "09:30", None)],
        ),
        (
            [("09:30", "present", "covered"), ("09:32", "present", None), ("09:33", "present", "covered")],
            [("covered", "09:30", "09:32"), ("covered", "09:33", None)],
        ),
        # from one fault into another, then no picture at all
        (
            [("09:30", "present", "blurred"), ("09:35", "present", "dark"), ("09:40", "unknown", "no_frame")],
            [("blurred", "09:30", "09:35"), ("dark", "09:35", "09:40")],
        ),
        ([("09:30", "unknown", "frozen"), ("09:31", "present", "learning")], []),
        ([("09:30", "present", "moved"), ("09:31", "present", "moved")], [("moved", "09:30", None)]),
    ],
)
def test_words_become_spans(rows, spans):
    found = unfit_spans("k", reversed(words(*rows)))
    assert [(s.reason, s.since, s.until) for s in found] == [
        (reason, at(f"03-03 {since}"), at(f"03-03 {until}") if until else None)
        for reason, since, until in spans
    ]


def test_it_closes_when_the_picture_is_fit_again_and_its_explanation_says_which_windows():
    spans = unfit_spans("k", words(("09:30", "present", "moved"), ("10:00", "present", None)))
    (finding,) = judge_camera("k", spans, ON, at("03-03 11:00")).findings
    assert (finding.rule, finding.severity, finding.closed_at) == (
        "camera.moved",
        "notice",
        at("03-03 10:00"),
    )
    assert finding.explain["reason"] == "moved"
    assert at("03-03 10:00") - finding.opened_at == timedelta(minutes=27)


def test_a_camera_that_is_down_and_one_that_is_covered_are_told_apart():
    verdict = judge_camera(
        "k", unfit_spans("k", words(("09:30", "present", "covered"))), ON, at("03-03 10:00")
    )
    assert verdict.status == {"down": False}
