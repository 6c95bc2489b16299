"""Planning and the outbox together: what is loaded, what is kept of each decision, and how little is asked for many. Real PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import silences
from alerts.planner import Planner
from alerts.reasons import Why
from alerts.silence import Wanted
from domain.findings import Finding
from store import Connection
from tests.alerts.conftest import LINKS, NOW, Desk, make_centre, make_finding, save_finding

pytestmark = pytest.mark.postgres

MINUTE = timedelta(minutes=1)
ABSENCE = {
    "id": "absence",
    "match": {"rule": ["absence.*"], "severity": ["red"], "window": ["A0*"], "level": ["county"]},
    "to": ["superior"],
    "channels": ["http", "mail"],
    "remind_every": 30,
    "escalate": [{"after": 60, "to": ["leader"]}],
}


def use(desk: Desk, **messages: Any) -> None:
    """The desk under other settings."""
    desk.centre = make_centre(**({"group": None, "flood": None} | messages))
    desk.planner = Planner(desk.centre, LINKS, correction_hold=timedelta(0))


def absence(number: int = 1, **changes: Any) -> Finding:
    return make_finding(number, **({"rule": "absence.red", "severity": "red", "case": None} | changes))


def said(desk: Desk, columns: str = "person, state, reason") -> list[Any]:
    return desk.rows(columns)


def revoke(desk: Desk, number: int = 1) -> None:
    desk.issue(make_finding(number, state="revoked", revoked_at=desk.clock.now()), "revoked")


def pretend_sent(desk: Desk, where: str = "state = 'ready'") -> None:
    desk.connection.execute(f"update outbox set state = 'sent', sent_at = %s where {where}", [NOW])


# -- routes --------------------------------------------------------------------------------------------------------------


def test_the_first_route_that_matches_decides_and_stands_in_the_row(desk: Desk) -> None:
    use(desk, routes=[ABSENCE, {"id": "rest", "to": ["handler"], "match": {}}])
    desk.issue(absence(1))
    desk.issue(make_finding(2))
    assert said(desk, "person, route, why, level, state") == [
        ("p2", "absence", "opened", 0, "ready"),
        ("p1", "rest", "opened", 0, "ready"),
    ]
    assert said(desk, "channel, fallback") == [("http", [["mail", "13800000002"]]), ("http", [])]


@pytest.mark.parametrize(
    ("changes", "route"),
    [
        ({}, "absence"),
        ({"severity": "yellow"}, None),
        ({"rule": "time_limit.legal"}, None),
        ({"window": "B01"}, None),
        ({"window": None}, None),
    ],
)
def test_every_key_of_a_match_must_hold(changes: dict[str, Any], route: str | None) -> None:
    from alerts.routing import route_of

    assert route_of(absence(**changes), make_centre(routes=[ABSENCE])).id == route


# -- facts ---------------------------------------------------------------------------------------------------------------


def test_the_inhibitor_is_recorded_and_when_it_proves_wrong_the_other_is_told(desk: Desk) -> None:
    legal = make_finding(2, rule="time_limit.legal", severity="red", case="LY-0001")
    save_finding(desk.connection, legal)
    desk.issue(make_finding(1))
    assert set(said(desk)) == {("p1", "skipped", "inhibited"), ("p2", "skipped", "inhibited")}
    assert desk.rows("detail")[0]["inhibitor"] == "f2"
    desk.issue(
        make_finding(2, rule="time_limit.legal", case="LY-0001", state="revoked", revoked_at=NOW), "revoked"
    )
    assert desk.rows("person, idempotency_key", "state = 'ready'") == [
        ("p1", "f1:p1:opened:after:f2"),
        ("p2", "f1:p2:opened:after:f2"),
    ]
    desk.issue(
        make_finding(2, rule="time_limit.legal", case="LY-0001", state="revoked", revoked_at=NOW), "revoked"
    )
    assert desk.states()["ready"] == 2, "once"


def test_a_silence_keeps_what_it_covers_and_says_which(desk: Desk) -> None:
    wanted = Wanted({"window": ("A07",)}, "装修", NOW, NOW + timedelta(hours=2))
    made = silences.create(desk.connection, desk.centre, wanted, author="p4", now=NOW)
    desk.issue(make_finding(1))
    assert desk.rows("state, reason, detail, held_until")[0] == (
        "held",
        "silenced",
        {"silence": made.silence_id, "author": "p4"},
        NOW + timedelta(hours=2),
    )
    desk.issue(make_finding(2, window="A09"))
    assert desk.rows("state", "finding_id = 'f2'") == ["ready"]


def test_budget_and_flood_count_what_earlier_batches_wrote(desk: Desk) -> None:
    use(desk, budget={"per_day": 3, "keep_for_red": 1}, yellow=["superior"], red=["superior"])
    for number in range(4):
        desk.issue(make_finding(number))
    desk.issue(make_finding(9, severity="red"))
    assert [reason for _, _, reason in said(desk)] == [None, None, "budget", "budget", None]
    use(desk, flood={"more_than": 3, "within": 10, "every": 30}, yellow=["superior"])
    desk.issue(make_finding(10))
    assert desk.rows("reason, gather", "finding_id = 'f10'") == [("flood", "flood")]
    desk.clock.advance(11 * 60)
    desk.issue(make_finding(11))
    assert desk.rows("state", "finding_id = 'f11'") == ["ready"]


def test_a_number_has_one_budget_whichever_centres_ring_it(desk: Desk) -> None:
    use(desk, budget={"per_day": 3, "keep_for_red": 1}, yellow=["superior"])
    desk.issue(make_finding(1))
    desk.issue(make_finding(2))
    desk.connection.execute("update outbox set centre = 'neighbour', person = 'p9'")
    desk.issue(make_finding(3))
    assert desk.rows("reason", "finding_id = 'f3'") == ["budget"]
    use(desk, flood={"more_than": 1, "within": 10, "every": 30}, yellow=["superior"])
    desk.issue(make_finding(4))
    assert desk.rows("state", "finding_id = 'f4'") == ["ready"], "people are their centre's"


def test_the_number_of_somebody_who_is_not_told_is_not_kept(desk: Desk) -> None:
    desk.issue(make_finding(1, window="A08", severity="red"))
    assert desk.rows("person, phone, channel, detail", "reason = 'same_phone'") == [
        ("p1", "", "none", {"told": "p6"})
    ]


# -- a storm -------------------------------------------------------------------------------------------------------------


class Counting:
    """A connection that counts what is asked of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.statements = connection, 0

    def execute(self, *given: Any, **more: Any) -> Any:
        self.statements += 1
        return self._connection.execute(*given, **more)

    def __getattr__(self, name: str) -> Any:
        if name == "cursor":
            self.statements += 1
        return getattr(self._connection, name)


@pytest.mark.parametrize("change", ["opened", "revoked", "reopened"])
def test_a_storm_asks_no_more_than_a_breeze(desk: Desk, change: str) -> None:
    use(desk, budget={}, quiet={"hours": ["21:00-07:00"]}, flood={}, group={}, routes=[ABSENCE])
    findings = [make_finding(number) for number in range(60)]
    for finding in findings:
        save_finding(desk.connection, finding)
    asked = []
    for batch in (findings[:2], findings[2:]):
        counting = Counting(desk.connection)
        desk.planner(counting, [(finding, change) for finding in batch], NOW)  # type: ignore[arg-type]
        asked.append(counting.statements)
    assert asked[0] == asked[1] < 12


def test_leaders_get_one_message_for_a_storm_and_red_cards_stay_single(desk: Desk) -> None:
    use(desk, group={"wait": 1}, flood={"more_than": 10, "within": 10, "every": 30})
    findings = [make_finding(number, severity="red") for number in range(40)]
    for finding in findings:
        save_finding(desk.connection, finding)
    desk.planner(desk.connection, [(finding, "opened") for finding in findings], NOW)
    found = desk.connection.execute(
        "select person, state, gather, count(*) from outbox group by 1, 2, 3 order by 1, 2 desc"
    ).fetchall()
    assert found == [
        ("p1", "ready", None, 40),
        ("p2", "ready", None, 40),
        ("p3", "held", "group", 40),
        ("p4", "ready", None, 10),
        ("p4", "held", "flood", 30),
    ]


# -- what was told -------------------------------------------------------------------------------------------------------


def test_what_waits_of_a_revoked_finding_is_taken_back(desk: Desk) -> None:
    use(desk, group={"wait": 1}, yellow=["handler", "leader"])
    desk.issue(make_finding(1))
    pretend_sent(desk)
    revoke(desk)
    assert said(desk) == [
        ("p1", "sent", None),
        ("p3", "skipped", "revoked"),
        ("p1", "ready", None),
    ]


@pytest.mark.parametrize(("template", "corrected"), [("digest.group", True), ("digest.daily", False)])
def test_whoever_was_told_in_a_digest_is_corrected_but_the_days_report_corrects_itself(
    desk: Desk, template: str, corrected: bool
) -> None:
    use(desk, group={"wait": 1}, yellow=["leader"])
    desk.issue(make_finding(1))
    desk.connection.execute(
        "insert into outbox (idempotency_key, centre, person, phone, channel, template, state, next_try_at, give_up_at,"
        " created_at) values ('d', '530502', 'p3', '13800000003', 'mail', %s, 'sent', now(), now(), %s)",
        [template, NOW],
    )
    desk.connection.execute(
        "update outbox set state = 'gathered', digest_id = (select message_id from outbox where idempotency_key = 'd')"
        " where finding_id = 'f1'"
    )
    revoke(desk)
    last = desk.rows("person, template, state, why", "idempotency_key <> 'd'")[-1]
    assert last == (
        ("p3", "finding.correction", "held", "revoked")
        if corrected
        else ("*", "finding.correction", "skipped", "revoked")
    )


def test_a_correction_goes_the_way_its_card_went(desk: Desk) -> None:
    use(desk, channels=["sms", "mail"], yellow=["handler"])
    desk.issue(make_finding(1))
    desk.connection.execute("update outbox set state = 'sent', channel = 'mail', phone = 'zhang@example.cn'")
    revoke(desk)
    assert desk.rows("channel, phone, fallback", "state = 'ready'") == [
        ("mail", "zhang@example.cn", [["sms", "13800000001"]])
    ]


def test_a_finding_that_changes_twice_in_one_batch_is_told_in_turn(desk: Desk) -> None:
    finding, revoked = make_finding(1), make_finding(1, state="revoked", revoked_at=NOW)
    save_finding(desk.connection, finding)
    desk.planner(desk.connection, [(finding, "opened"), (revoked, "revoked"), (finding, "reopened")], NOW)
    assert said(desk) == [
        ("p1", "skipped", "revoked"),
        ("p2", "skipped", "revoked"),
        ("*", "skipped", "not_messaged"),
        ("p1", "ready", None),
        ("p2", "ready", None),
    ]


# -- what goes on --------------------------------------------------------------------------------------------------------


def courses(desk: Desk) -> list[tuple[str, str, datetime, datetime]]:
    return desk.connection.execute(
        "select finding_id, route, since, next_at from escalation order by finding_id"
    ).fetchall()


def test_a_course_begins_with_the_first_message_that_leaves(desk: Desk) -> None:
    use(desk, routes=[ABSENCE | {"hold_for": 40}])
    desk.issue(absence(1))  # opened half an hour ago
    since = NOW + 10 * MINUTE
    assert courses(desk) == [("f1", "absence", since, since + 30 * MINUTE)]
    desk.clock.advance(3600)
    desk.issue(absence(1), "reopened")
    assert courses(desk)[0][2] == since, "one that runs is left alone"
    desk.issue(make_finding(2))
    assert len(courses(desk)) == 1, "no route, nothing that goes on"


def test_where_nobody_can_be_told_whoever_comes_next_is_due_at_once(desk: Desk) -> None:
    use(desk, routes=[ABSENCE | {"to": ["handler"]}])
    desk.issue(absence(1, window="A08"))
    assert said(desk) == [("p5", "skipped", "no_phone")]
    assert courses(desk) == [("f1", "absence", NOW, NOW)]


def test_what_is_inhibited_does_not_go_on(desk: Desk) -> None:
    use(desk, routes=[ABSENCE | {"match": {}, "id": "all"}])
    save_finding(desk.connection, make_finding(2, rule="time_limit.legal", case="LY-0001"))
    desk.issue(make_finding(1))
    assert courses(desk) == []


def again(desk: Desk, why: Why, roles: list[str], number: int = 1, **more: Any) -> int:
    return desk.planner.again(
        desk.connection, absence(1), why=why, to_roles=roles, channels=None, level=number, number=number,
        now=desk.clock.now(), **more,
    )  # fmt: skip


def test_reminders_and_escalation_go_through_the_same_stages(desk: Desk) -> None:
    use(desk, routes=[ABSENCE], group={"wait": 1})
    desk.issue(absence(1))
    desk.clock.advance(1800)
    assert again(desk, Why.REMINDER, ["superior"]) == 1
    assert again(desk, Why.REMINDER, ["superior"]) == 0, "the same reminder is written once"
    assert again(desk, Why.REMINDER, ["superior"], 2) == 1
    assert again(desk, Why.ESCALATION, ["leader", "superior"], waited=60.0) == 2
    assert desk.rows("person, state, reason, why, template, level", "why <> 'opened'") == [
        ("p2", "ready", None, "reminder", "finding.again", 1),
        ("p2", "ready", None, "reminder", "finding.again", 2),
        ("p3", "held", "group", "escalation", "finding.escalated", 1),
        ("p2", "skipped", "already_told", "escalation", "finding.escalated", 1),
    ]
    params = desk.rows("params", "why = 'escalation'")[0]
    assert (params["waited"], params["until"], params["number"]) == (60.0, "acknowledged", 1)


@pytest.mark.parametrize(("state", "told"), [("sent", 0), ("ready", 0), ("undelivered", 1), ("unknown", 1)])
def test_a_step_tells_again_whom_no_message_reached(desk: Desk, state: str, told: int) -> None:
    use(desk, routes=[ABSENCE])
    desk.issue(absence(1))
    desk.connection.execute("update outbox set state = %s", [state])
    again(desk, Why.ESCALATION, ["superior"])
    assert len(desk.rows("state", "why = 'escalation' and state = 'ready'")) == told


def test_a_course_that_begins_anew_has_reminders_of_its_own(desk: Desk) -> None:
    use(desk, routes=[ABSENCE])
    desk.issue(absence(1))
    assert again(desk, Why.REMINDER, ["superior"], since=NOW) == 1
    assert again(desk, Why.REMINDER, ["superior"], since=NOW + 60 * MINUTE) == 1
