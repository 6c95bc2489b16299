"""Who is told, and why not: a table of decisions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.routing import Plan, Reason, Recipient, plan_messages
from tests.alerts.conftest import LINKS, NOW, make_centre, make_finding


def decide(finding=None, change: str = "opened", centre=None, now=NOW, **more) -> Plan:
    return plan_messages(
        finding or make_finding(), change, centre or make_centre(), now, LINKS.digest, **more
    )


def told(plan: Plan) -> list[str]:
    return [entry.person for entry in plan if not entry.skipped]


def why_not(plan: Plan) -> dict[str, Reason]:
    return {entry.person: entry.reason for entry in plan if entry.skipped}


@pytest.mark.parametrize(
    ("severity", "people"), [("yellow", ["p1", "p2"]), ("red", ["p1", "p2", "p3", "p4"]), ("notice", ["p1"])]
)
def test_it_tells_the_roles_of_the_severity(severity: str, people: list[str]) -> None:
    assert told(decide(make_finding(severity=severity))) == people


def test_a_severity_for_which_the_centre_file_names_nobody_is_told_to_nobody() -> None:
    assert why_not(decide(make_finding(severity="notice"), centre=make_centre(notice=[]))) == {
        "*": Reason.NOT_CONFIGURED
    }


def test_a_notice_whose_matter_is_over_is_not_sent() -> None:
    plan = decide(make_finding(severity="notice", state="closed"))
    assert why_not(plan) == {"*": Reason.OVER}


def test_a_card_that_is_closed_at_once_is_still_sent() -> None:
    assert told(decide(make_finding(rule="extension.late", state="closed", closed_at=NOW))) == ["p1", "p2"]


def test_a_history_that_is_imported_does_not_flood_phones() -> None:
    limit = timedelta(hours=24)
    assert told(decide(make_finding(opened_at=NOW - limit))) == ["p1", "p2"]
    late = decide(make_finding(opened_at=NOW - limit - timedelta(seconds=1)))
    assert told(late) == []
    assert why_not(late) == {"*": Reason.STALE}


def test_it_names_who_has_no_phone_and_sends_to_the_others() -> None:
    plan = decide(make_finding(window="A08", severity="red"))
    assert told(plan) == ["p6", "p4"]
    assert why_not(plan) == {"p5": Reason.NO_PHONE, "p1": Reason.SAME_PHONE}


def test_two_roles_of_one_person_are_one_message() -> None:
    plan = decide(make_finding(window="A09"))
    assert told(plan) == ["p1"]
    assert plan[0].params["roles"] == ["handler", "superior"]


def test_an_unknown_person_and_an_empty_role_are_named() -> None:
    assert why_not(decide(make_finding(window="A10"))) == {
        "p404": Reason.NO_PERSON,
        "role:superior": Reason.NO_PERSON,
    }


@pytest.mark.parametrize("window", [None, "Z99"])
def test_without_a_window_only_the_inspectors_are_told(window: str | None) -> None:
    plan = decide(make_finding(window=window, severity="red"))
    assert told(plan) == ["p4"]
    assert set(why_not(plan).values()) == {Reason.NO_WINDOW}
    assert len(why_not(plan)) == 3


@pytest.mark.parametrize(
    ("rule", "window", "people"),
    [
        ("source.silent", None, ["p3"]),
        ("rule.stopped", None, ["p3"]),
        ("camera.down", "A07", ["p3"]),
        ("fee", None, []),
        ("fee", "A07", ["p1"]),
    ],
)
def test_what_supervision_lacks_goes_to_the_operators_if_there_are_any(
    rule: str, window: str | None, people: list[str]
) -> None:
    finding = make_finding(rule=rule, severity="notice", window=window)
    assert told(decide(finding, centre=make_centre(operators=["p3"]))) == people
    assert told(decide(make_finding(rule=rule, severity="notice", window=None))) == []


def test_a_correction_goes_to_those_who_were_told_even_if_roles_have_changed() -> None:
    finding = make_finding(state="revoked", revoked_at=NOW, opened_at=NOW - timedelta(days=9))
    earlier = [Recipient("p9", "13899999999"), Recipient("p1", "13800000001")]
    plan = decide(finding, "revoked", earlier=earlier)
    assert [(row.person, row.phone) for row in plan] == [("p9", "13899999999"), ("p1", "13800000001")]
    assert {row.template for row in plan} == {"finding.correction"}
    assert {row.ack_digest for row in plan} == {None}


def test_a_revocation_nobody_heard_of_sends_nothing() -> None:
    assert why_not(decide(make_finding(state="revoked"), "revoked")) == {"*": Reason.NOT_MESSAGED}


def test_a_closing_sends_nothing_and_is_not_worth_a_row() -> None:
    (entry,) = decide(change="closed")
    assert entry.reason is Reason.NO_NEWS
    assert not entry.kept


def test_keys_name_finding_person_and_step() -> None:
    assert [row.key for row in decide()] == ["f1:p1:opened", "f1:p2:opened"]
    assert [row.key for row in decide()] == [row.key for row in decide(now=NOW + timedelta(hours=1))]


def test_a_finding_that_opens_again_has_new_keys() -> None:
    again = decide(change="reopened")[0].key
    assert again.startswith("f1:p1:reopened@2026")
    assert again != decide(change="reopened", now=NOW + timedelta(hours=1))[0].key


def test_who_was_told_is_not_told_again_when_only_the_closing_was_wrong() -> None:
    plan = decide(change="reopened", earlier=[Recipient("p1", "13800000001")])
    assert told(plan) == ["p2"]
    assert why_not(plan) == {"p1": Reason.ALREADY_TOLD}


def test_an_absence_shows_since_when_and_how_long() -> None:
    explain = {"since": "2026-11-20T16:30:00+08:00", "minutes": 30, "articles": "…"}
    params = decide(make_finding(rule="absence.red", severity="red", case=None, explain=explain))[0].params
    assert (params["since"], params["minutes"]) == ("2026-11-20T16:30:00+08:00", 30)
    assert "due_at" not in params
    assert "articles" not in params


def test_params_hold_no_more_than_a_phone_should_show() -> None:
    finding = make_finding(explain={"applicant": "公民甲", "facts": ["secret"]})
    params = decide(finding)[0].params
    assert "公民甲" not in str(params)
    assert params["case"] == "LY-0001"
    assert params["due_at"] == "2026-11-20T17:00:00+08:00"
    assert params["who"] == "张三"
    assert LINKS.token("f1:p1:opened") not in str(params)


def test_every_row_has_its_own_token_and_end() -> None:
    rows = decide()
    assert len({row.ack_digest for row in rows}) == 2
    assert {row.ack_expires_at for row in rows} == {NOW + timedelta(hours=72)}
