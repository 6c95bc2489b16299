"""Acceptance (rule 7), suspensions, extensions, stages and delivery."""

from __future__ import annotations

import pytest

from tests.detectors.making import CENTRE, at, centre, event, judge, one, rows, show

RECEIVED = "03-02 09:30"  # a Monday; the fifth working day is 03-09


def overdue(*events, now="12-31 23:00"):
    return rows(judge(*events, now=now), "acceptance.overdue")


@pytest.mark.parametrize(
    "answer", ["accepted", "refused", "withdrawn", "decided", "closed", "supplement_requested"]
)
def test_any_answer_in_time_is_an_answer(answer):
    assert overdue(event("received", RECEIVED), event(answer, "03-09 17:00")) == []


def test_no_answer_is_acceptance_from_the_receipt():
    silent = judge(event("received", RECEIVED))
    assert rows(silent, "acceptance.overdue") == [("03-09 17:00", None, "03-09 17:00")]
    # Both limits count from the receipt, the promised one to the same moment.
    assert rows(silent, "time_limit.promised") == [("03-09 17:00", None, "03-09 17:00")]
    assert rows(silent, "time_limit.legal") == [("03-16 17:00", None, "03-16 17:00")]
    assert one(silent, "time_limit.legal").explain["deemed_accepted"] is True


def test_nothing_is_said_before_the_limit_has_passed():
    early = judge(event("received", RECEIVED, item="A"), now="03-09 17:00")
    assert early.findings == ()
    later = judge(event("received", RECEIVED, item="A"), now=early.look_at)
    assert {f.rule for f in later.findings} == {
        "acceptance.overdue",
        "time_limit.notice",
        "time_limit.promised",
    }


def test_a_deadline_counted_from_the_receipt_may_lie_before_that_of_acceptance():
    short = centre(items=[{"code": "A", "legal_limit": {"days": 2}, "supplement_limit": 5}])
    verdict = judge(event("received", RECEIVED), event("accepted", "03-12 10:00"), centre=short)
    assert rows(verdict, "time_limit.legal") == [("03-04 17:00", None, "03-04 17:00")]
    assert rows(verdict, "acceptance.overdue") == [("03-09 17:00", "03-12 10:00", "03-09 17:00")]


def test_a_late_acceptance_closes_the_finding_and_changes_nothing_else():
    late = event("accepted", "03-10 10:00", legal_deadline=at("06-01 10:00").isoformat())
    verdict = judge(event("received", RECEIVED), late)
    assert rows(verdict, "acceptance.overdue")[0][1] == "03-10 10:00"
    assert rows(verdict, "time_limit.legal")[0][2] == "03-16 17:00"


def test_the_stop_closes_it_too():
    assert overdue(event("received", RECEIVED), event("refused", "03-11 10:00"))[0][1] == "03-11 10:00"


def test_waiting_for_supplements_is_not_on_the_clock():
    verdict = judge(
        event("received", RECEIVED),
        event("supplement_requested", "03-04 10:00"),
        event("supplement_received", "03-25 10:00"),
        event("accepted", "03-27 10:00"),
    )
    assert rows(verdict, "acceptance.overdue") == []
    assert show(verdict.status["started_at"]) == "03-27 10:00"


def test_each_receipt_has_its_limit():
    verdict = judge(
        event("received", RECEIVED),
        event("supplement_requested", "03-04 10:00"),
        event("supplement_received", "03-25 10:00"),
    )
    assert rows(verdict, "acceptance.overdue") == [("04-01 17:00", None, "04-01 17:00")]
    assert show(verdict.status["started_at"]) == "03-25 10:00"


def test_the_first_receipt_that_goes_unanswered_decides():
    verdict = judge(
        event("received", RECEIVED),
        event("supplement_received", "03-04 10:00"),
        event("supplement_requested", "03-10 10:00"),
    )
    assert show(verdict.status["started_at"]) == RECEIVED


def test_suspensions_do_not_lengthen_the_limit_of_acceptance():
    assert overdue(event("received", RECEIVED), event("suspended", "03-03 10:00"))[0][2] == "03-09 17:00"


def test_a_second_receipt_of_the_case_is_ignored():
    events = [
        event("received", RECEIVED),
        event("supplement_requested", "03-03 10:00"),
        event("received", "03-04 10:00"),
    ]
    assert overdue(*events) == []


def test_material_after_the_acceptance_starts_nothing():
    assert overdue(event("accepted", RECEIVED), event("supplement_received", "03-03 10:00")) == []


def test_an_item_without_a_supplement_limit_has_no_such_rule():
    assert judge(event("received", RECEIVED, item="B")).findings == ()


# ---- suspensions ---------------------------------------------------------------------------------------------------


def test_overrun_opens_when_the_announced_days_are_used_up():
    events = [event("accepted", "03-02 09:30"), event("suspended", "03-03 10:00", days=2)]
    assert rows(judge(*events), "suspension.overrun") == [("03-04 17:00", None, "03-04 17:00")]
    assert rows(judge(*events, event("resumed", "03-04 17:00")), "suspension.overrun") == []
    assert rows(judge(*events, event("resumed", "03-05 10:00")), "suspension.overrun")[0][1] == "03-05 10:00"
    assert rows(judge(*events, event("closed", "03-06 10:00")), "suspension.overrun")[0][1] == "03-06 10:00"


def test_one_finding_per_suspension():
    events = [
        event("suspended", "03-03 10:00", days=2), event("suspended", "03-04 10:00", days=3), event("resumed", "03-20 10:00"),
    ]  # fmt: skip
    verdict = judge(*events)
    assert [row[2] for row in rows(verdict, "suspension.overrun")] == ["03-04 17:00", "03-06 17:00"]
    assert len({f.finding_id for f in verdict.findings}) == 2


def test_two_suspensions_with_the_same_end_are_two_findings():
    verdict = judge(event("suspended", "03-03 10:00", days=2), event("suspended", "03-03 11:00", days=2))
    assert len({f.finding_id for f in verdict.findings}) == 2


# ---- extensions ----------------------------------------------------------------------------------------------------


def test_an_extension_after_the_legal_deadline_is_found_and_ignored():
    verdict = judge(event("accepted", "03-02 09:30"), event("extended", "03-17 10:00", days=5))
    assert rows(verdict, "extension.late") == [("03-17 10:00", "03-17 10:00", "03-16 17:00")]
    assert one(verdict, "extension.late").state == "closed"
    assert show(verdict.status["legal_due"]) == "03-16 17:00"


def test_an_extension_between_the_two_deadlines_lengthens_the_legal_one():
    verdict = judge(event("accepted", "03-02 09:30"), event("extended", "03-10 10:00", days=2))
    assert rows(verdict, "extension.late") == []
    assert (show(verdict.status["promised_due"]), show(verdict.status["legal_due"])) == (
        "03-09 17:00",
        "03-18 17:00",
    )


def test_without_a_legal_limit_no_extension_is_late():
    only_promised = centre(items=[{"code": "A", "promised_limit": {"days": 2}}])
    verdict = judge(
        event("accepted", "03-02 09:30"), event("extended", "03-30 10:00", days=2), centre=only_promised
    )
    assert rows(verdict, "extension.late") == []


# ---- stages --------------------------------------------------------------------------------------------------------


def stage(kind, when, name="review"):
    return event(kind, when, stage=name)


def test_a_stage_has_its_own_clock():
    events = [event("accepted", "03-02 09:30"), stage("stage_started", "03-03 10:00")]
    assert rows(judge(*events), "stage.overdue") == [("03-05 17:00", None, "03-05 17:00")]
    assert rows(judge(*events, stage("stage_finished", "03-05 17:00")), "stage.overdue") == []
    assert (
        rows(judge(*events, stage("stage_finished", "03-06 10:00")), "stage.overdue")[0][1] == "03-06 10:00"
    )
    assert rows(judge(*events, event("closed", "03-06 11:00")), "stage.overdue")[0][1] == "03-06 11:00"
    assert (
        rows(judge(*events, event("suspended", "03-04 10:00", days=1)), "stage.overdue")[0][2]
        == "03-06 17:00"
    )
    assert (
        rows(judge(*events, event("extended", "03-04 10:00", days=2)), "stage.overdue")[0][2] == "03-09 17:00"
    )


def test_each_run_of_a_stage_is_judged():
    verdict = judge(
        stage("stage_started", "03-03 10:00"), stage("stage_started", "03-04 10:00"), stage("stage_finished", "03-09 10:00"),
        stage("stage_started", "03-10 10:00"),
    )  # fmt: skip
    assert rows(verdict, "stage.overdue") == [
        ("03-05 17:00", "03-09 10:00", "03-05 17:00"), ("03-12 17:00", None, "03-12 17:00"),
    ]  # fmt: skip


def test_a_stage_without_a_limit_has_no_rule():
    assert rows(judge(stage("stage_started", "03-03 10:00", "archive")), "stage.overdue") == []


def test_a_stage_that_finishes_before_it_starts_is_ineffective():
    early = stage("stage_finished", "03-03 10:00")
    for events in (
        [early, stage("stage_started", "03-04 10:00")],
        [stage("stage_started", "03-04 10:00"), early],
    ):
        ((found, code, reason),) = judge(*events).ineffective
        assert found is early
        assert code == "finished_before_start"
        assert "review" in reason


def test_a_finish_without_any_start_is_fine():
    assert judge(stage("stage_finished", "03-03 10:00")).ineffective == ()
    assert (
        judge(
            stage("stage_finished", "03-03 10:00"), stage("stage_started", "03-04 10:00", "other")
        ).ineffective
        == ()
    )


# ---- delivery ------------------------------------------------------------------------------------------------------


def delivery(*events):
    return rows(judge(*events), "delivery.overdue")


def test_delivery_has_ten_working_days_after_a_granting_decision():
    decided = event("decided", "03-02 10:00")
    assert delivery(decided) == [("03-16 17:00", None, "03-16 17:00")]
    assert delivery(decided, event("delivered", "03-16 17:00")) == []
    assert delivery(decided, event("delivered", "03-17 10:00"))[0][1] == "03-17 10:00"
    assert delivery(decided, event("delivered", "03-01 10:00")) == []


@pytest.mark.parametrize(
    "events",
    [
        [event("decided", "03-02 10:00", result="denied")],
        [event("closed", "03-02 10:00")],
        [event("closed", "03-02 10:00"), event("decided", "03-03 10:00")],  # the decision is not the stop
        [event("decided", "03-02 10:00", item="B")],  # no delivery limit
    ],
)
def test_nothing_to_deliver(events):
    assert delivery(*events) == []


def test_office_hours_may_differ_by_day():
    own = centre(centre={"id": "1", "office_hours": {"mon": ["08:00-18:00"], "fri": ["08:00-11:00"]}})
    accepted = event(
        "accepted", "02-27 10:00", item="L"
    )  # a Friday; 02-28 is a make-up Saturday and takes Monday's hours
    for days, due in ((1, "02-28 18:00"), (2, "03-02 18:00"), (6, "03-06 11:00")):
        own_item = own.model_copy(
            update={"items": centre(items=[{"code": "L", "legal_limit": {"days": days}}]).items}
        )
        assert show(judge(accepted, centre=own_item).status["legal_due"]) == due


def test_settings_kept_with_a_case_judge_it_alike():
    events = [event("received", RECEIVED), event("accepted", "03-12 10:00")]
    kept = type(CENTRE).model_validate(CENTRE.clock_settings("A"))
    assert judge(*events, centre=kept).findings == judge(*events).findings
