from __future__ import annotations

import pytest

from detectors.presence.look import Look
from detectors.presence.state import StateMachine, Thresholds

SEEN, EMPTY = Look(True, 0.9), Look(False, 0.0)


def none(reason: str) -> Look:
    return Look(None, 0.0, reason)


def run(looks, window=10.0, period=1.0, start=0.0):
    machine = StateMachine(window, period)
    states = [machine.tick(start + i * period, look) for i, look in enumerate(looks)]
    return [(s.state, s.reason) for s in states]


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        ([SEEN], ("present", None)),  # presence needs no long proof
        ([EMPTY] * 7, ("unknown", "restart")),  # absence does
        ([EMPTY] * 8, ("absent", None)),
        ([SEEN] * 10 + [EMPTY] * 4, ("present", None)),
        ([SEEN] * 10 + [EMPTY] * 5, ("unknown", "few_looks")),
        ([SEEN] * 10 + [EMPTY] * 9, ("absent", None)),
        ([EMPTY] * 10 + [SEEN], ("absent", None)),  # one lucky look does not bring anybody back
        ([EMPTY] * 10 + [SEEN] * 5, ("present", None)),  # back at half
        ([SEEN] * 4 + [EMPTY] * 4, ("unknown", "few_looks")),
        ([EMPTY] * 10 + [none("covered")] * 2, ("absent", None)),
        ([EMPTY] * 10 + [none("covered")] * 6, ("unknown", "covered")),
        ([SEEN] * 10 + [none("frozen")] * 6, ("unknown", "frozen")),
        ([none("no_frame")] * 20, ("unknown", "no_frame")),
        ([none("dark")] * 5 + [none("no_frame")] * 3, ("unknown", "no_frame")),  # the newest reason
        ([EMPTY, none("low_score")] * 10, ("unknown", "low_score")),
    ],
)
def test_the_table_of_states(looks, ends):
    assert run(looks)[-1] == ends


def test_unknown_never_counts_towards_absence():
    for reason in ("no_frame", "stale", "frozen", "dark", "covered", "moved", "learning"):
        assert all(state != "absent" for state, _ in run([none(reason)] * 40))


def test_the_window_is_in_seconds_whatever_the_period():
    fast = run([SEEN] * 50 + [EMPTY] * 48, period=0.2)
    assert fast[-1] == ("absent", None)
    assert fast[50 + 30][0] != "absent"


def test_looks_that_were_never_made_leave_presence_unproved():
    machine = StateMachine(10, 1)
    for t in range(10):
        machine.tick(t, EMPTY)
    assert machine.tick(9.5, EMPTY).state == "absent"
    assert machine.tick(18.5, EMPTY).state == "unknown"  # 9 s nobody looked: three looks of ten are too few
    for t in range(19, 27):
        said = machine.tick(t, EMPTY)
    assert said.state == "absent"


def test_since_and_vouched_tell_when_it_was_said_and_first_seen():
    machine = StateMachine(10, 1)
    for t in range(10):
        machine.tick(t, SEEN)
    states = [machine.tick(t, EMPTY) for t in range(10, 25)]
    absent = [s for s in states if s.state == "absent"]
    assert {s.since for s in absent} == {18}
    assert {s.vouched for s in absent} == {10}


def test_a_clock_that_runs_backwards_starts_anew():
    machine = StateMachine(10, 1)
    for t in range(100, 120):
        machine.tick(t, EMPTY)
    assert machine.tick(5, EMPTY).state == "unknown"


@pytest.mark.parametrize(("window", "period"), [(1, 2), (10, 0), (0, 0)])
def test_a_window_must_hold_a_look(window, period):
    with pytest.raises(ValueError, match="window"):
        StateMachine(window, period)


def test_thresholds_must_rise():
    with pytest.raises(ValueError, match="rise"):
        Thresholds(present=0.4, back=0.5)


def test_a_look_without_an_answer_has_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Look(None)
    with pytest.raises(ValueError, match="reason"):
        Look(True, 1.0, "dark")
    with pytest.raises(ValueError, match="unknown reason"):
        Look(None, 0.0, "tired")


# -- how many, and who waits -----------------------------------------------------------------------------------------


def counted(*counts, people=None):
    """The state's count after each look at which so many were seen, once a second in a window of five."""
    machine = StateMachine(window=5, period=1)
    told = []
    for t, count in enumerate(counts):
        told.append(machine.tick(float(t), Look(count > 0, 0.9, None, count)).people)
    return told


def test_people_are_counted_as_surely_as_the_post_itself():
    assert counted(2, 2, 2, 2, 2)[-1] == 2
    assert counted(2, 2, 1, 2, 2)[-1] == 2  # hidden behind the other for a moment
    assert counted(1, 1, 1, 1, 1, 2)[-1] == 1  # one look is none
    assert counted(1, 1, 1, 1, 1, 2, 2, 2)[-1] == 2
    # Two in half of the looks: as many as were told before.
    flickering = counted(2, 2, 2, 2, 2, 1, 2, 1, 2, 1, 2, 1)
    assert set(flickering) == {2}
    assert counted(2, 2, 2, 2, 2, 1, 1, 1, 1)[-1] == 1


def test_nobody_is_counted_where_nobody_is_or_nobody_counts():
    assert counted(1, 1, 0, 0, 0, 0, 0)[-1] is None
    machine = StateMachine(window=5, period=1)
    assert machine.tick(0.0, Look(True, 0.9)).people is None


def test_somebody_waits_when_most_looks_say_so_and_no_longer_when_hardly_any_does():
    machine, told = StateMachine(window=5, period=1), []
    for t, waits in enumerate([False] * 5 + [True] * 3 + [False, True, False] + [False] * 4):
        told.append(machine.tick(float(t), Look(False, 0.0, None, 0, waits)).waiting)
    assert told[4] is False
    assert told[7] is True
    assert told[9] is True
    assert told[-1] is False
    assert machine.tick(15.0, Look(None, 0.0, "dark")).waiting is False
    for t in range(16, 20):
        machine.tick(float(t), Look(None, 0.0, "dark"))
    assert machine.tick(20.0, Look(None, 0.0, "dark")).waiting is None
