"""The family rules.time as tables: parallel handling, lower review, pre-acceptance, immediate cases, default approval, licences."""

from __future__ import annotations

import json

import pytest

from domain.centre_file import parse_centre
from domain.errors import CentreFileError
from tests.detectors.making import at, centre, event, judge, one, rows, show

ITEMS = [
    {"code": "P", "case_type": "parallel", "agencies": {"fire": 5, "water": 10}},
    {"code": "PL", "case_type": "parallel", "legal_limit": {"days": 20}},
    {"code": "U", "case_type": "reported_up", "lower_review": {"stage": "first review"}},
    {"code": "U5", "lower_review": {"days": 5}},
    {"code": "I", "case_type": "immediate"},
    {"code": "C"},
    {
        "code": "D", "legal_limit": {"days": 10}, "promised_limit": {"days": 5}, "delivery_limit": 10,
        "deemed_approval": {"limit": "promised"},
    },
    {"code": "D1", "legal_limit": {"days": 10}, "deemed_approval": {"delivery": 1}},
    {"code": "E", "licence": True},
    {"code": "E1", "licence": 1},
    {"code": "X", "legal_limit": {"days": 20}},
    {"code": "X20", "legal_limit": {"days": 20}, "extension_limit": 20},
]  # fmt: skip
ON = centre(rules__time={}, items=ITEMS)
OFF = centre(items=ITEMS)
MONDAY = "03-02 10:00"


def found(verdict):
    return [(f.rule, f.severity, show(f.opened_at), show(f.closed_at)) for f in verdict.findings]


def stage(kind, when, name, agency=None, item="P"):
    data = {"stage": name} if agency is None else {"stage": name, "agency": agency}
    return event(kind, when, item=item, **data)


@pytest.mark.parametrize("item", ["P", "U5", "I", "D", "E", "X"])
def test_without_the_section_nothing_is_judged(item):
    events = [
        event("received", MONDAY, item=item, channel="online"), event("accepted", MONDAY, item=item),
        event("extended", "03-03 10:00", item=item, days=30), event("closed", "11-02 10:00", item=item),
    ]  # fmt: skip
    contract = {"time_limit.notice", "time_limit.promised", "time_limit.legal"}
    assert {f.rule for f in judge(*events, centre=OFF).findings} <= contract
    assert not {f.rule for f in judge(*events, centre=ON).findings} <= contract


# ---- parallel handling: art. 26 and 42, 45 working days in all and 15 more -------------------------------------------


def test_parallel_handling_takes_45_working_days_in_all():
    verdict = judge(event("accepted", MONDAY, item="P"), centre=ON)
    assert found(verdict) == [("parallel.overdue", "red", "05-08 17:00", None)]
    assert one(verdict, "parallel.overdue").explain["total_days"] == 45


def test_an_extension_adds_at_most_15():
    accepted = event("accepted", MONDAY, item="P")

    def due(*days):
        extensions = [event("extended", f"03-0{n} 10:00", item="P", days=d) for n, d in enumerate(days, 3)]
        return rows(judge(accepted, *extensions, centre=ON), "parallel.overdue")[0][2]

    assert (due(15), due(10, 10), due(3)) == ("05-28 17:00", "05-28 17:00", "05-12 17:00")


def test_a_suspension_is_not_on_the_clock():
    suspended = [event("suspended", "03-03 10:00", item="P"), event("resumed", "03-05 10:00", item="P")]
    verdict = judge(event("accepted", MONDAY, item="P"), *suspended, centre=ON)
    assert rows(verdict, "parallel.overdue")[0][2] == "05-12 17:00"


def test_where_the_legal_limit_ends_no_later_it_is_not_said_twice():
    verdict = judge(event("accepted", MONDAY, item="PL"), centre=ON)
    assert {f.rule for f in verdict.findings if f.severity == "red"} == {"time_limit.legal"}


def test_the_acceptance_may_say_that_a_case_is_parallel():
    verdict = judge(event("accepted", MONDAY, item="C", type="并联审批件"), centre=ON)
    assert found(verdict)[0][0] == "parallel.overdue"


def test_each_agency_has_its_share():
    events = [
        event("accepted", MONDAY, item="P"),
        stage("stage_started", MONDAY, "plan", "fire"),
        stage("stage_started", "03-03 10:00", "site", "fire"),
        stage("stage_finished", "03-06 10:00", "plan", "fire"),
        stage("stage_finished", "03-10 10:00", "site", "fire"),
        stage("stage_started", "03-10 10:00", "pipes", "water"),
        stage("stage_started", "03-10 10:00", "trees", "garden"),
    ]
    verdict = judge(*events, centre=ON)
    assert rows(verdict, "parallel.agency_overdue") == [
        ("03-09 17:00", "03-10 10:00", "03-09 17:00"),  # fire: five working days from 03-02
        ("03-24 17:00", None, "03-24 17:00"),  # water: ten from 03-10
    ]
    shares = one(verdict, "parallel.overdue").explain["shares"]
    assert [(s["agency"], s["days_of_the_total"], s["limit"]) for s in shares] == [
        ("fire", 6, 5), ("water", 39, 10), ("garden", 39, None),
    ]  # fmt: skip
    status = verdict.status["parallel"]
    assert show(status["total_due"]) == "05-08 17:00"
    assert [(a["agency"], a["days"], show(a["due"])) for a in status["agencies"]] == [
        ("fire", 6, "03-09 17:00"), ("water", None, "03-24 17:00"), ("garden", None, None),
    ]  # fmt: skip


def test_an_agency_that_gets_the_case_again_has_its_days_again():
    events = [
        event("accepted", MONDAY, item="P"),
        stage("stage_started", MONDAY, "plan", "fire"),
        stage("stage_finished", "03-06 10:00", "plan", "fire"),
        stage("stage_started", "03-16 10:00", "plan", "fire"),
        stage("stage_finished", "03-23 17:00", "plan", "fire"),
    ]
    assert rows(judge(*events, centre=ON), "parallel.agency_overdue") == []


# ---- the lower agency's review: art. 43, 20 working days -------------------------------------------------------------


def test_the_lower_agency_has_20_working_days():
    accepted = event("accepted", MONDAY, item="U")
    assert found(judge(accepted, centre=ON)) == [("lower_review.overdue", "red", "03-30 17:00", None)]
    for end in (
        event("case.reported_up", "03-30 17:00", item="U"),
        stage("stage_finished", "03-30 17:00", "first review", item="U"),
        event("closed", "03-30 17:00", item="U"),
    ):
        assert judge(accepted, end, centre=ON).findings == ()
    late = judge(accepted, event("case.reported_up", "04-01 09:00", item="U"), centre=ON)
    assert found(late) == [("lower_review.overdue", "red", "03-30 17:00", "04-01 09:00")]
    other = stage("stage_finished", "03-10 17:00", "second review", item="U")
    assert len(judge(accepted, other, centre=ON).findings) == 1


def test_an_item_may_have_a_review_limit_of_its_own_and_without_one_nothing_is_said():
    assert (
        rows(judge(event("accepted", MONDAY, item="U5"), centre=ON), "lower_review.overdue")[0][2]
        == "03-09 17:00"
    )
    assert judge(event("accepted", MONDAY, item="C", type="reported_up"), centre=ON).findings == ()


# ---- online pre-acceptance: 2 working days; over by more than 0, 3, 5 (P1) -------------------------------------------


def test_pre_acceptance_is_graded():
    """Received on a Monday: due Wednesday; over by 3 the next Monday, by 5 on Wednesday."""
    verdict = judge(event("received", MONDAY, item="C", channel="online"), centre=ON)
    assert found(verdict) == [
        ("pre_acceptance.notice", "notice", "03-04 17:00", "03-09 17:00"),
        ("pre_acceptance.yellow", "yellow", "03-09 17:00", None),
        ("pre_acceptance.red", "red", "03-11 17:00", None),
    ]
    assert one(verdict, "pre_acceptance.red").explain["limit"]["days"] == 7


@pytest.mark.parametrize(
    "answer", ["case.pre_reviewed", "accepted", "refused", "supplement_requested", "withdrawn"]
)
def test_any_answer_ends_it(answer):
    received = event("received", MONDAY, item="C", channel="online")
    assert judge(received, event(answer, "03-04 17:00", item="C"), centre=ON).findings == ()
    late = judge(received, event(answer, "03-05 09:00", item="C"), centre=ON)
    assert found(late) == [("pre_acceptance.notice", "notice", "03-04 17:00", "03-05 09:00")]


def test_material_handed_in_at_the_window_is_no_online_application():
    assert judge(event("received", MONDAY, item="C"), centre=ON).findings == ()


def test_under_the_profile_it_goes_by_the_four_point_clock():
    hunan = centre(rules__time={}, rules__time_limit={"profile": "hunan-2018"}, items=ITEMS)
    verdict = judge(event("received", MONDAY, item="C", channel="online"), centre=hunan)
    assert [(f.rule, show(f.opened_at)) for f in verdict.findings] == [
        ("pre_acceptance.notice", "03-04 10:00:01"),
        ("pre_acceptance.yellow", "03-09 10:00:01"),
        ("pre_acceptance.red", "03-11 10:00:01"),
    ]


# ---- immediate cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "due"),
    [
        ("03-02 10:00", "03-02 17:00"),
        ("03-02 17:00", "03-03 17:00"),  # after closing: the next working day
        ("03-07 10:00", "03-09 17:00"),  # a Saturday
        ("02-28 10:00", "02-28 17:00"),  # a make-up Saturday
    ],
)
def test_an_immediate_case_ends_the_same_working_day(accepted, due):
    start = event("accepted", accepted, item="I")
    assert rows(judge(start, centre=ON), "immediate.overdue") == [(due, None, due)]
    assert judge(start, event("closed", due, item="I"), centre=ON).findings == ()


def test_what_the_acceptance_says_wins_over_the_item():
    assert judge(event("accepted", MONDAY, item="I", type="承诺件"), centre=ON).findings == ()
    assert found(judge(event("accepted", MONDAY, item="C", type="1"), centre=ON))[0][0] == "immediate.overdue"
    assert judge(event("accepted", MONDAY, item="C", type=["1"]), centre=ON).findings == ()


# ---- default approval -------------------------------------------------------------------------------------------------


def test_a_passed_limit_counts_as_approval_and_starts_the_certificate_clock():
    verdict = judge(event("accepted", MONDAY, item="D"), centre=ON)
    assert rows(verdict, "deemed_approval.passed") == [("03-09 17:00", None, "03-09 17:00")]
    assert one(verdict, "deemed_approval.passed").severity == "notice"
    assert rows(verdict, "deemed_approval.delivery") == [("03-23 17:00", None, "03-23 17:00")]
    assert show(verdict.status["deemed_approved_at"]) == "03-09 17:00"
    # The overrun stays an overrun.
    assert rows(verdict, "time_limit.promised") == [("03-09 17:00", None, "03-09 17:00")]


def test_nothing_is_deemed_before_the_limit_or_when_it_was_kept():
    accepted = event("accepted", MONDAY, item="D")
    early = judge(accepted, now="03-09 17:00", centre=ON)
    assert "deemed_approved_at" not in early.status
    assert "deemed_approved_at" in judge(accepted, now=early.look_at, centre=ON).status
    decided = judge(accepted, event("decided", "03-09 17:00", item="D"), centre=ON)
    assert "deemed_approved_at" not in decided.status
    assert not any(f.rule.startswith("deemed") for f in decided.findings)


def test_after_a_decision_the_ordinary_delivery_limit_runs():
    verdict = judge(event("accepted", MONDAY, item="D"), event("decided", "03-11 10:00", item="D"), centre=ON)
    assert rows(verdict, "deemed_approval.passed") == [("03-09 17:00", "03-11 10:00", "03-09 17:00")]
    assert rows(verdict, "deemed_approval.delivery") == []
    assert rows(verdict, "delivery.overdue") == [("03-25 17:00", None, "03-25 17:00")]


def test_a_formal_permit_within_a_day():
    """Xianju 2023: the formal permit within 24 hours of the simulated one."""
    accepted = event("accepted", MONDAY, item="D1")
    verdict = judge(accepted, centre=ON)
    assert rows(verdict, "deemed_approval.delivery") == [("03-17 17:00", None, "03-17 17:00")]
    delivered = judge(accepted, event("delivered", "03-17 09:00", item="D1"), centre=ON)
    assert rows(delivered, "deemed_approval.delivery") == []
    assert rows(delivered, "deemed_approval.passed")[0][1] == "03-17 09:00"


def test_a_denial_after_it_counted_as_approved_is_a_contradiction():
    accepted = event("accepted", MONDAY, item="D")
    denied = judge(accepted, event("decided", "03-11 10:00", item="D", result="denied"), centre=ON)
    assert rows(denied, "deemed_approval.contradicted") == [("03-11 10:00", "03-11 10:00", "03-09 17:00")]
    in_time = judge(accepted, event("decided", "03-09 10:00", item="D", result="denied"), centre=ON)
    assert rows(in_time, "deemed_approval.contradicted") == []


def test_under_the_profile_it_passes_by_the_profile():
    hunan = centre(rules__time={}, rules__time_limit={"profile": "hunan-2018"}, items=ITEMS)
    verdict = judge(event("accepted", MONDAY, item="D"), centre=hunan)
    passed = one(verdict, "deemed_approval.passed")
    assert (show(passed.opened_at), show(passed.due_at)) == ("03-09 10:00:01", "03-09 10:00")
    assert passed.explain["statutory"]["deadline"] == "2026-03-09T17:00:00+08:00"


# ---- electronic licences ----------------------------------------------------------------------------------------------


def test_the_licence_comes_within_3_working_days_of_closing():
    closed = event("closed", MONDAY, item="E")
    assert found(judge(closed, centre=ON)) == [("licence.overdue", "yellow", "03-05 17:00", None)]
    issued = event("certificate.issued", "03-05 17:00", item="E", certificate_no="9")
    assert judge(closed, issued, centre=ON).findings == ()
    assert (
        rows(judge(event("closed", MONDAY, item="E1"), centre=ON), "licence.overdue")[0][0] == "03-03 17:00"
    )
    assert judge(event("closed", MONDAY, item="C"), centre=ON).findings == ()


@pytest.mark.parametrize("stop", [("refused", {}), ("withdrawn", {}), ("decided", {"result": "denied"})])
def test_no_licence_is_due_where_nothing_was_granted(stop):
    kind, data = stop
    events = [event(kind, MONDAY, item="E", **data), event("closed", "03-02 11:00", item="E")]
    assert judge(*events, centre=ON).findings == ()


# ---- extensions: art. 42, R12, R22 ------------------------------------------------------------------------------------


def extensions(*list_of, item="X", centre=ON):
    """(rule, at) of what is found of the extensions; each given as (moment, days) or (moment, data)."""
    events = [event("accepted", MONDAY, item=item)]
    for when, data in list_of:
        data = {"days": data, "approver": "head", "reason": "site"} if isinstance(data, int) else data
        events.append(event("extended", when, item=item, **data))
    verdict = judge(*events, centre=centre)
    return [
        (f.rule.removeprefix("extension."), show(f.opened_at))
        for f in verdict.findings
        if f.rule[:3] == "ext"
    ]


def test_extensions_that_keep_to_the_law_are_not_found():
    assert extensions(("03-10 10:00", 5), ("03-11 10:00", 5)) == []


def test_more_than_two_are_too_many():
    three = [("03-10 10:00", 2), ("03-11 10:00", 2), ("03-12 10:00", 2)]
    assert extensions(*three) == [("too_many", "03-12 10:00")]
    assert extensions(*three, centre=centre(rules__time={"extensions": {"most": 3}}, items=ITEMS)) == []


def test_more_than_ten_days_in_all_are_too_long():
    assert extensions(("03-10 10:00", 11)) == [("too_long", "03-10 10:00")]
    assert extensions(("03-10 10:00", 6), ("03-11 10:00", 6)) == [("too_long", "03-11 10:00")]
    assert extensions(("03-10 10:00", 20), item="X20") == []
    assert extensions(("03-10 10:00", 15), item="PL") == []  # parallel: 15


def test_the_latest_moment_is_five_countable_days_before_the_limit():
    """Legal limit 03-30: five working days before it is 03-23; its close is in time."""
    assert extensions(("03-23 17:00", 5)) == []
    assert extensions(("03-23 17:01", 5)) == [("short_notice", "03-23 17:01")]
    assert extensions(("04-02 10:00", 5)) == [("late", "04-02 10:00")]  # the contract's own rule


def test_a_limit_too_short_for_that_is_not_judged():
    short = centre(rules__time={}, items=[{"code": "X", "legal_limit": {"days": 4}}])
    assert extensions(("03-05 10:00", 2), centre=short) == []


@pytest.mark.parametrize("data", [{"approver": "head"}, {"reason": "site"}, {"approver": " ", "reason": 5}])
def test_an_extension_names_its_approver_and_reason(data):
    assert extensions(("03-10 10:00", {"days": 2, **data})) == [("unexplained", "03-10 10:00")]


def test_the_applicant_is_told_where_the_setting_asks_for_it():
    strict = centre(rules__time={"extensions": {"told": True}}, items=ITEMS)
    assert extensions(("03-10 10:00", 2), centre=strict) == [("unexplained", "03-10 10:00")]
    told = {"days": 2, "approver": "head", "reason": "site", "notice_no": "7"}
    assert extensions(("03-10 10:00", told), centre=strict) == []


# ---- settings ---------------------------------------------------------------------------------------------------------


def test_each_rule_can_be_turned_off():
    off = {"pre_acceptance": None, "parallel": None, "extensions": None, "lower_review": None, "licence": None, "immediate": False}  # fmt: skip
    quiet = centre(rules__time=off, items=ITEMS)
    for item in ("P", "U", "I", "E", "X"):
        events = [
            event("received", MONDAY, item=item, channel="online"), event("accepted", "04-02 10:00", item=item),
            event("extended", "04-03 10:00", item=item, days=30), event("closed", "04-08 10:00", item=item),
        ]  # fmt: skip
        assert judge(*events, centre=quiet).findings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: {time: {pre_acceptence: {}}}", "did you mean 'pre_acceptance'?"),
        ("rules: {time: {pre_acceptance: {yellow_over: 9}}}", "red_over"),
        ("items: [{code: A, licence: 0}]", "items.0.licence"),
        ("items: [{code: A, deemed_approval: {limit: none}}]", "'legal' or 'promised'"),
        ("items: [{code: A, stage_order: [a, b, a]}]", "'a' stands twice"),
        ("rules: {time_limit: {profile: hunan}}", "hunan-2018"),
    ],
)
def test_a_slip_in_the_centre_file_is_said_with_its_place(text, reason):
    with pytest.raises(CentreFileError, match=r"centre\.yaml:2") as error:
        parse_centre("centre: {id: a}\n" + text)
    assert reason in str(error.value)


def test_what_is_kept_with_a_case_judges_it_alike_and_is_no_more_without_the_family():
    accepted = event("accepted", MONDAY, item="P")
    kept = ON.clock_settings("P")
    again = type(ON).model_validate(json.loads(json.dumps(kept)))
    assert judge(accepted, centre=again).findings == judge(accepted, centre=ON).findings
    plain = centre().clock_settings("A")
    assert plain["rules"] == {"time_limit": {"notice_before": 2, "deadline_at": "close"}}
    assert set(plain["items"][0]) == {
        "code", "name", "legal_limit", "promised_limit", "supplement_limit", "delivery_limit", "stages",
    }  # fmt: skip


def test_every_explanation_is_json_and_names_its_source():
    events = [
        event("received", MONDAY, item="P", channel="online"), event("accepted", "03-20 10:00", item="P"),
        stage("stage_started", "03-20 10:00", "plan", "fire"),
        event("extended", "03-24 10:00", item="P", days=30), event("suspended", "03-25 10:00", item="P", days=3),
    ]  # fmt: skip
    verdict = judge(*events, centre=ON)
    assert len(verdict.findings) >= 6
    for finding in verdict.findings:
        json.dumps(finding.explain)
        assert finding.explain["articles"]
    assert at(MONDAY) < verdict.findings[0].opened_at


# ---- warnings before the notice ------------------------------------------------------------------------------------------

WARNS = centre(rules__time={"warnings": [{"share": 50}, {"days": 5}, {"days": 2}]}, items=ITEMS)


def warned(verdict):
    rows = [f for f in verdict.findings if f.rule in ("time_limit.warning", "time_limit.notice")]
    return [(f.rule, f.severity, show(f.opened_at), show(f.due_at)) for f in rows]


def test_warnings_come_before_the_notice_by_share_and_by_days():
    verdict = judge(event("accepted", MONDAY, item="X"), centre=WARNS, now="04-20 10:00")
    due = "03-30 17:00"
    assert warned(verdict) == [
        ("time_limit.warning", "notice", "03-16 09:00", due),  # ten of twenty days are used
        ("time_limit.warning", "notice", "03-23 09:00", due),
        ("time_limit.notice", "notice", "03-26 09:00", due),  # and no warning that would say the same
    ]
    assert len({f.finding_id for f in verdict.findings}) == len(verdict.findings)


def test_a_warning_moves_with_the_due_day_and_ends_with_the_case():
    events = [
        event("accepted", MONDAY, item="X"),
        event("suspended", "03-03 10:00", item="X", ground="hearing"), event("resumed", "03-10 10:00", item="X"),
        event("decided", "03-27 15:00", item="X", result="granted"),
    ]  # fmt: skip
    (half,) = [f for f in judge(*events, centre=WARNS).findings if f.rule == "time_limit.warning"]
    assert (show(half.opened_at), show(half.due_at), show(half.closed_at)) == (
        "03-24 09:00",
        "04-08 17:00",
        "03-27 15:00",
    )


def test_a_limit_too_short_for_a_warning_has_none():
    short = [{"code": "S", "legal_limit": {"days": 3}}]
    verdict = judge(
        event("accepted", MONDAY, item="S"),
        centre=centre(rules__time={"warnings": [{"days": 5}]}, items=short),
    )
    assert not [f for f in verdict.findings if f.rule == "time_limit.warning"]


@pytest.mark.parametrize("warning", ["{}", "{days: 3, share: 50}", "{share: 100}"])
def test_a_warning_that_is_none_is_refused(warning):
    text = f"centre: {{id: '1'}}\nrules: {{time: {{warnings: [{warning}]}}}}\n"
    with pytest.raises(CentreFileError, match="warnings"):
        parse_centre(text)
