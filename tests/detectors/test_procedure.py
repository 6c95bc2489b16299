"""The family rules.procedure as tables: order of stages, reasons, receipts, notices."""

from __future__ import annotations

import json

import pytest

from tests.detectors.making import centre, event, judge, one, show

ITEMS = [
    {"code": "S", "stages": {"承办": {"days": 5}, "审核": {"days": 5}, "批准": {"days": 5}}},
    {"code": "O", "stage_order": ["check", "sign"]},
    {"code": "G"},
    {"code": "I", "case_type": "immediate"},
    {"code": "P", "case_type": "parallel", "stages": {"a": {"days": 5}, "b": {"days": 5}}},
    {"code": "M", "materials": ["form", "identity card"]},
]
ON = centre(rules__procedure={"receipts": False}, items=ITEMS)
OFF = centre(items=ITEMS)
GUANGDONG = centre(rules__procedure={"receipts": False, "stage_order": "guangdong-2013"}, items=ITEMS)


def found(*events, centre=ON):
    """(short rule, severity, opened); closed at once or not at all."""
    result = []
    for f in judge(*events, centre=centre).findings:
        if f.rule.startswith("procedure."):
            assert f.closed_at == f.opened_at
            result.append((f.rule.removeprefix("procedure."), f.severity, show(f.opened_at)))
    return result


def stage(when, name, item="S", kind="stage_started"):
    return event(kind, when, item=item, stage=name)


# ---- order of stages: Guangdong 2013 (N6) -----------------------------------------------------------------------------


def test_the_order_in_which_the_stages_stand():
    accepted = event("accepted", "03-02 09:00", item="S")
    right = [stage("03-02 10:00", "承办"), stage("03-03 10:00", "审核"), stage("03-04 10:00", "批准")]
    assert found(accepted, *right, event("closed", "03-05 10:00", item="S")) == []
    wrong = [stage("03-02 10:00", "承办"), stage("03-03 10:00", "批准"), stage("03-04 10:00", "审核")]
    verdict = judge(accepted, *wrong, centre=ON)
    assert found(accepted, *wrong) == [("out_of_order", "yellow", "03-04 10:00")]
    explain = one(verdict, "procedure.out_of_order").explain
    assert (explain["stage"], explain["after"], explain["order"]) == (
        "审核",
        ["批准"],
        ["承办", "审核", "批准"],
    )
    assert found(accepted, *wrong, centre=OFF) == []


def test_a_stage_left_out_is_a_notice_at_the_end():
    events = [stage("03-02 10:00", "承办"), stage("03-03 10:00", "批准")]
    assert found(*events) == []
    assert found(*events, event("withdrawn", "03-04 10:00", item="S")) == []
    assert found(
        *events, event("accepted", "03-01 10:00", item="S"), event("decided", "03-04 10:00", item="S")
    ) == [("skipped_stage", "notice", "03-04 10:00")]


def test_a_case_whose_stages_nobody_sends_was_not_observed():
    assert found(event("accepted", "03-02 09:00", item="S"), event("closed", "03-05 10:00", item="S")) == []


def test_going_back_is_no_breach_and_the_same_moment_has_no_order():
    back = [stage("03-02 10:00", "承办"), stage("03-03 10:00", "审核"), stage("03-04 10:00", "承办")]
    assert found(*back) == []
    assert found(stage("03-02 10:00", "审核"), stage("03-02 10:00", "承办")) == []


def test_where_only_ends_are_sent_the_ends_count():
    ends = [
        stage("03-02 10:00", "sign", "O", "stage_finished"),
        stage("03-03 10:00", "check", "O", "stage_finished"),
    ]
    assert found(*ends) == [("out_of_order", "yellow", "03-03 10:00")]


def test_the_order_of_the_centre_for_items_without_one():
    wrong = [stage("03-02 10:00", "批准", "G"), stage("03-03 10:00", "承办", "G")]
    assert found(*wrong) == []
    assert found(*wrong, centre=GUANGDONG) == [("out_of_order", "yellow", "03-03 10:00")]


def test_agencies_side_by_side_have_no_order():
    assert found(stage("03-02 10:00", "b", "P"), stage("03-03 10:00", "a", "P")) == []


def test_the_order_survives_a_database_that_sorts_keys():
    sort = json.loads(json.dumps(ON.clock_settings("S"), sort_keys=True))
    kept = type(ON).model_validate(sort)
    assert kept.items[0].stage_order == ["承办", "审核", "批准"]


# ---- acceptance and decision ------------------------------------------------------------------------------------------


def test_decided_before_accepted():
    decided, later = event("decided", "03-02 10:00", item="G"), event("accepted", "03-03 10:00", item="G")
    assert found(decided, later) == [("decided_before_accepted", "yellow", "03-02 10:00")]
    closed = event("closed", "03-02 10:00", item="G")
    assert found(closed, later) == [("decided_before_accepted", "yellow", "03-02 10:00")]
    assert found(event("accepted", "03-01 10:00", item="G"), decided) == []


def test_decided_without_any_acceptance_may_be_a_gap_in_the_data():
    decided = event("decided", "03-02 10:00", item="G")
    assert found(decided) == [("decided_before_accepted", "notice", "03-02 10:00")]
    # On the spot (art. 34) there is none.
    assert found(event("decided", "03-02 10:00", item="I")) == []


def test_a_case_that_only_appears_closed_is_for_other_rules():
    assert found(event("closed", "03-02 10:00", item="G")) == []


def test_what_the_law_supposes_accepted_is_accepted():
    silent = centre(rules__procedure={"receipts": False}, items=[{"code": "A", "supplement_limit": 5}])
    received, decided = event("received", "03-02 10:00"), event("decided", "03-20 10:00")
    assert found(received, decided, centre=silent) == []


def test_a_second_acceptance():
    first, second = event("accepted", "03-02 10:00", item="G"), event("accepted", "03-03 10:00", item="G")
    assert found(second, first) == [("second_acceptance", "notice", "03-03 10:00")]


def test_a_resume_without_a_suspension():
    suspended, resumed = (
        event("suspended", "03-03 10:00", item="G"),
        event("resumed", "03-04 10:00", item="G"),
    )
    again = event("resumed", "03-05 10:00", item="G")
    assert found(suspended, resumed) == []
    assert found(suspended, resumed, again) == [("resume_without_suspension", "notice", "03-05 10:00")]
    assert found(resumed) == [("resume_without_suspension", "notice", "03-04 10:00")]
    # Announced days that are over: the resume still ends it.
    assert found(event("suspended", "03-02 10:00", item="G", days=1), again) == []


# ---- reasons and receipts: art. 32, 38, 72 ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, "", "  ", 7])
def test_a_refusal_or_denial_gives_its_reason(reason):
    data = {} if reason is None else {"reason": reason}
    assert found(event("refused", "03-02 10:00", item="G", **data)) == [
        ("refused_without_reason", "yellow", "03-02 10:00")
    ]
    accepted = event("accepted", "03-01 10:00", item="G")
    denied = event("decided", "03-02 10:00", item="G", result="denied", **data)
    assert found(accepted, denied) == [("denied_without_reason", "yellow", "03-02 10:00")]
    assert found(event("refused", "03-02 10:00", item="G", reason="不属于本机关职权范围")) == []
    assert found(accepted, event("decided", "03-02 10:00", item="G")) == []


def test_an_acceptance_or_refusal_names_its_receipt():
    strict = centre(rules__procedure={}, items=ITEMS)
    refused = {"reason": "x"}
    assert found(event("accepted", "03-02 10:00", item="G"), centre=strict) == [
        ("no_receipt", "notice", "03-02 10:00")
    ]
    assert found(event("refused", "03-02 10:00", item="G", **refused), centre=strict) == [
        ("no_receipt", "notice", "03-02 10:00")
    ]
    assert found(event("accepted", "03-02 10:00", item="G", receipt_no="受0001"), centre=strict) == []
    assert found(event("refused", "03-02 10:00", item="G", receipt_no="1", **refused), centre=strict) == []


@pytest.mark.parametrize(
    ("handed_in", "data", "expected"),
    [
        (["form", "identity card", "photo"], {}, "notice"),
        (["form", "identity card"], {"reason_code": "incomplete"}, "yellow"),
        (["form", "identity card"], {"reason_code": "not_competent"}, None),
        (["form", "identity card"], {"reason_code": "not_required"}, None),
        (["form"], {"reason_code": "incomplete"}, None),
        (None, {}, None),
    ],
)
def test_refused_though_complete(handed_in, data, expected):
    received = event(
        "received", "03-02 09:00", item="M", **({} if handed_in is None else {"materials": handed_in})
    )
    refused = event("refused", "03-03 10:00", item="M", reason="x", **data)
    rows = [] if expected is None else [("refused_though_complete", expected, "03-03 10:00")]
    assert found(received, refused) == rows


def test_what_the_applicant_brought_later_counts():
    events = [
        event("received", "03-02 09:00", item="M", materials=["form"]),
        event("supplement_requested", "03-02 10:00", item="M", materials=["identity card"]),
        event("supplement_received", "03-03 10:00", item="M", materials=["identity card"]),
        event("refused", "03-04 10:00", item="M", reason="x"),
    ]
    assert found(*events) == [("refused_though_complete", "notice", "03-04 10:00")]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["form"], ["photo"], "yellow"),  # new: it had to be said the first time
        (["form", "photo"], ["photo"], None),  # only reminds
        (["form"], None, "notice"),
        (None, ["photo"], "notice"),
    ],
)
def test_everything_missing_is_said_once(first, second, expected):
    def notice(when, materials):
        return event(
            "supplement_requested", when, item="G", **({} if materials is None else {"materials": materials})
        )

    rows = [] if expected is None else [("second_supplement_notice", expected, "03-04 10:00")]
    assert found(notice("03-02 10:00", first), notice("03-04 10:00", second)) == rows
    assert found(notice("03-02 10:00", first)) == []
    accepted = event("accepted", "03-03 10:00", item="G")
    assert found(notice("03-02 10:00", first), accepted, notice("03-04 10:00", second)) == []


def test_nothing_is_found_without_the_section():
    events = [
        event("resumed", "03-01 10:00", item="S"), event("refused", "03-02 10:00", item="S"), event("accepted", "03-03 10:00", item="S"),
    ]  # fmt: skip
    assert found(*events, centre=OFF) == []
    assert len(found(*events)) == 2
