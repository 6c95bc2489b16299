"""Whether a case's data can be true: late entry, stamped trails, unknown handlers, suspensions, grades, uncounted outcomes."""

from __future__ import annotations

import pytest

from detectors.case_grade import WEIGHTS, grade
from detectors.late_entry import uncounted
from domain.cases import fold_case
from tests.detectors.making import at, centre, judge, one, rows, show
from tests.detectors.told import told

ITEMS = [
    {"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 5}},
    {"code": "I", "case_type": "immediate"},
]
PEOPLE = [{"id": "0417", "name": "李"}]


def families(**settings):
    return centre(items=ITEMS, people=PEOPLE, rules__truthfulness=settings)


CENTRE = families()
NOW = at("04-30 23:00")


def found(*events, centre=CENTRE):
    prefix = "truthfulness."
    verdict = judge(*events, now=NOW, centre=centre)
    return sorted(f.rule.removeprefix(prefix) for f in verdict.findings if f.rule.startswith(prefix))


# ---- late entry -------------------------------------------------------------------------------------------------------

# Friday 03-06, 03-09 is a Monday. (entered, received) → late?
LATE = [
    ("03-06 10:05", "03-06 10:06", None),
    ("03-06 21:00", None, None),
    # By the end of the next working day; the weekend does not count.
    ("03-09 16:00", None, None),
    ("03-10 09:00", None, "entered_at"),
    # Our own stamp gives a day more: lines are down, uploads come at night.
    (None, "03-10 23:30", None),
    (None, "03-11 09:00", "received_at"),
    # In time by the sender's word, and yet it came late.
    ("03-06 10:05", "03-11 09:00", "received_at"),
    (None, None, None),
]


@pytest.mark.parametrize(("entered", "received", "by"), LATE)
def test_late_entry(entered, received, by):
    events = [
        told("accepted", "03-03 09:00", entered="03-03 09:01"),
        told("closed", "03-06 10:00", entered=entered, received=received),
    ]
    assert found(*events) == (["late_entry"] if by else [])
    if by:
        finding = one(judge(*events, now=NOW, centre=CENTRE), "truthfulness.late_entry")
        (row,) = finding.explain["steps"]
        assert (row["by"], row["kind"]) == (by, "case.closed")
        assert finding.severity == "notice"
        assert show(finding.opened_at) == (entered if by == "entered_at" else received)


def test_late_entry_is_one_finding_from_when_it_was_known():
    events = [
        told("accepted", "03-02 09:00", entered="03-20 10:00"),
        told("closed", "03-06 10:00", entered="03-20 10:05"),
    ]
    early = judge(*events, now="03-20 09:59", centre=CENTRE)
    assert rows(early, "truthfulness.late_entry") == []
    assert early.look_at == at("03-20 10:00")
    late = judge(*events, now=early.look_at, centre=CENTRE)
    assert rows(late, "truthfulness.late_entry") == [("03-20 10:00", "03-20 10:00", None)]


def test_a_history_is_not_late():
    old = told("closed", "2024-03-06 10:00", received="03-06 10:00")
    assert found(old) == ["late_entry"]
    assert found(old, centre=families(late_entry={"since": "2026-01-01"})) == []


def test_entered_before_it_happened():
    assert found(told("accepted", "03-03 15:00", entered="03-03 10:00")) == ["entered_ahead"]
    assert found(told("accepted", "03-03 15:00", entered="03-03 14:40")) == []  # clocks differ


def test_late_data_improves_no_rate():
    def outcomes(*events):
        return uncounted(fold_case(events, NOW), CENTRE)

    accepted = told("accepted", "03-02 09:00", entered="03-02 09:00", id="a")
    in_time = told("closed", "03-04 10:00", entered="03-04 10:00", id="c")
    late = told("closed", "03-04 10:00", entered="03-16 10:00", id="l")
    assert outcomes(accepted, in_time) == {}
    assert outcomes(accepted, late) == {"early": ("l",), "on_time": ("l",), "same_day": ("l",)}
    # A suspension keyed in afterwards moves a deadline that had passed: promised 03-09, closed a day later.
    moved = told("suspended", "03-03 10:00", entered="03-16 10:00", id="s", days=3)
    after = told("closed", "03-10 10:00", entered="03-10 10:00")
    assert outcomes(accepted, moved, after) == {"early": ("s",), "on_time": ("s",)}
    # On the due day itself only "early" needs it; well before, nothing does.
    on_the_day = told("closed", "03-09 10:00", entered="03-09 10:00")
    assert outcomes(accepted, moved, on_the_day) == {"early": ("s",)}
    assert outcomes(accepted, moved, in_time) == {}
    # Entered in time it is what it is.
    honest = told("suspended", "03-03 10:00", entered="03-03 10:00", days=3)
    assert outcomes(accepted, honest, after) == {}
    extended = told("extended", "03-04 10:00", entered="03-16 10:00", id="x", days=5)
    assert outcomes(accepted, extended, after) == {"early": ("x",), "on_time": ("x",)}
    # After the stop it moves nothing; a second stop proves nothing.
    assert outcomes(accepted, in_time, told("suspended", "03-05 10:00", entered="03-16 10:00")) == {}
    assert outcomes(accepted, told("decided", "03-03 10:00"), late) == {}
    delivered = told("delivered", "03-05 10:00", entered="03-16 10:00", id="d")
    assert outcomes(accepted, in_time, delivered) == {"delivered_in_time": ("d",)}
    answered = told("accepted", "03-02 09:00", entered="03-16 10:00", id="x")
    assert outcomes(answered, in_time) == {"accepted_in_time": ("x",)}
    staged = told("stage_finished", "03-03 10:00", entered="03-16 10:00", id="f", stage="review")
    assert outcomes(accepted, staged, in_time) == {"stage_in_time": ("f",)}
    # The finding says so too.
    finding = one(judge(accepted, late, now=NOW, centre=CENTRE), "truthfulness.late_entry")
    assert finding.explain["uncounted"] == {"early": ["l"], "on_time": ["l"], "same_day": ["l"]}
    assert uncounted(fold_case([accepted, late], NOW), centre()) == {}


# ---- stamped trails ---------------------------------------------------------------------------------------------------


def trail(*moments, kinds=("accepted", "stage_finished", "closed"), item="A"):
    return [
        told(kind, f"03-04 {moment}", item=item, **({"stage": "review"} if "stage" in kind else {}))
        for kind, moment in zip(kinds, moments, strict=True)
    ]


@pytest.mark.parametrize(
    ("events", "rules"),
    [
        # P4: acceptance, review and closing with the moment of closing.
        (trail("10:00:00", "10:00:00", "10:00:00"), ["stamped_together"]),
        (trail("10:00:00.000", "10:00:00.400", "10:00:00.999"), ["stamped_together"]),
        # Across the change of a second.
        (trail("10:00:00.900", "10:00:01.100", "10:00:01.500"), ["stamped_together"]),
        # A whole course within five minutes.
        (trail("10:00:00", "10:02:00", "10:05:00"), ["stamped_together"]),
        (trail("10:00:00", "10:02:00", "10:05:01"), []),
        # Receipt and acceptance at the counter are one act; decided and closed are one end.
        (trail("10:00:00", "10:00:00", "10:09:00", kinds=("received", "accepted", "closed")), []),
        (trail("09:00:00", "10:00:00", "10:00:00", kinds=("accepted", "decided", "closed")), []),
        # No stage between: for both_doors to say.
        (trail("10:00:00", "10:00:30", "10:01:00", kinds=("received", "accepted", "closed")), []),
        (trail("10:00:00", "10:00:00", "10:00:00", item="I"), []),
    ],
)
def test_stamped_together(events, rules):
    assert found(*events) == rules


def stages(*spans):
    events = []
    for n, (start, end) in enumerate(spans):
        events.append(told("stage_started", f"03-04 {start}", stage=f"s{n}"))
        events.append(told("stage_finished", f"03-04 {end}", stage=f"s{n}"))
    return events


@pytest.mark.parametrize(
    ("spans", "rules"),
    [
        ([("10:00:00", "10:00:00"), ("11:00:00", "11:00:00.9")], ["zero_stages"]),
        ([("10:00:00", "10:00:00"), ("11:00:00", "11:00:01")], []),
        # One may be a click, and most of them were walked.
        ([("10:00", "10:00")], []),
        (
            [
                ("10:00", "10:00"),
                ("11:00", "11:00"),
                ("12:00", "12:10"),
                ("13:00", "13:10"),
                ("14:00", "14:10"),
            ],
            [],
        ),
    ],
)
def test_zero_stages(spans, rules):
    assert found(*stages(*spans)) == rules


# ---- handlers, suspensions, traces ------------------------------------------------------------------------------------


def test_unknown_handlers():
    stranger = told("stage_finished", "03-04 10:00", stage="review", staff="deadbeef")
    assert found(stranger) == ["unknown_handler"]
    finding = one(judge(stranger, now=NOW, centre=CENTRE), "truthfulness.unknown_handler")
    assert finding.explain["unknown"] == ["deadbeef"]
    assert found(told("accepted", "03-04 10:00", staff="0417")) == []
    assert found(told("accepted", "03-04 10:00", staff="system")) == []
    # A centre that lists nobody does not know anybody.
    assert found(stranger, centre=centre(items=ITEMS, rules__truthfulness={})) == []


@pytest.mark.parametrize(
    ("moment", "limit"),
    [
        # Accepted 03-02, promised 5 working days: 03-09 (a Monday); legal 10: 03-16.
        ("03-06 16:00", None),
        ("03-09 08:00", "promised"),
        ("03-07 10:00", "promised"),  # Saturday: one working day is left
        ("03-10 10:00", "promised"),  # passed
        ("03-16 10:00", "promised"),
    ],
)
def test_suspended_at_the_end(moment, limit):
    events = [told("accepted", "03-02 09:30"), told("suspended", moment, days=5)]
    assert found(*events) == (["suspended_at_the_end"] if limit else [])
    if limit:
        explain = one(judge(*events, now=NOW, centre=CENTRE), "truthfulness.suspended_at_the_end").explain
        assert (explain["limit"], explain["due_day"]) == (limit, "2026-03-09")
        assert explain["passed"] is (moment > "03-09 17:00")
    # With two days allowed the Friday is one of them.
    assert found(*events, centre=families(last_days=2)) == ["suspended_at_the_end"]


def test_suspended_again():
    def course(*grounds):
        events = [told("accepted", "03-02 09:30")]
        for n, ground in enumerate(grounds):
            events.append(told("suspended", f"03-{3 + n:02} 10:00", ground=ground))
            events.append(told("resumed", f"03-{3 + n:02} 11:00"))
        return found(*events)

    assert course("testing", "hearing") == []
    assert course("testing", "testing") == ["suspended_again"]
    assert course("testing", "hearing", "appraisal") == ["suspended_again"]


def test_no_trace():
    nowhere = [told("accepted", "03-02 09:30", window=None), told("closed", "03-04 10:00", window=None)]
    assert found(*nowhere) == ["no_trace"]
    assert found(*nowhere[:1]) == []  # it goes on
    assert found(nowhere[0], told("closed", "03-04 10:00")) == []
    assert found(*nowhere, told("queue.served", "03-02 09:00", ticket="7")) == []
    assert found(told("received", "03-02 09:00", window=None, channel="online"), *nowhere) == []


# ---- grades -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "letter"),
    [
        ([], "A"),
        (["time_limit.legal", "acceptance.overdue"], "A"),
        (["truthfulness.late_entry"], "B"),
        (["truthfulness.late_entry", "truthfulness.late_entry"], "B"),
        (["truthfulness.stamped_together"], "C"),
        (["truthfulness.late_entry", "truthfulness.no_trace"], "C"),
        (["truthfulness.stamped_together", "both_doors.closed_first"], "D"),
        (["truthfulness.entry_batch", "truthfulness.late_entry"], "D"),
    ],
)
def test_grade(rules, letter):
    result = grade(rules)
    assert result.grade == letter
    assert result.reasons == tuple(sorted(set(rules) & WEIGHTS.keys()))


def test_the_grade_stands_in_the_status():
    events = trail("10:00:00", "10:00:00", "10:00:00")
    assert judge(*events, now=NOW, centre=CENTRE).status["confidence"] == {
        "grade": "C",
        "reasons": ["truthfulness.stamped_together"],
    }
    assert "confidence" not in judge(*events, now=NOW, centre=families(shadow=True)).status
    assert "confidence" not in judge(*events, now=NOW, centre=centre(items=ITEMS)).status


def test_rules_can_be_turned_off():
    off = families(late_entry=None, same_second=None, whole_course=None, zero_stages=None, handlers=False,
                   last_days=None, suspensions=None, trace=False)  # fmt: skip
    events = [
        *trail("10:00:00", "10:00:00", "10:00:00"), *stages(("10:00", "10:00"), ("11:00", "11:00")),
        told("suspended", "03-04 09:00", staff="x", entered="03-20 09:00"), told("suspended", "03-04 09:10"),
    ]  # fmt: skip
    assert found(*events, centre=off) == []
    assert found(*events) != []
