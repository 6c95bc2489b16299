"""Three rule loops and two senders on one database: everybody concerned hears of a finding once, whoever judged it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.hooks.http_json.fake import FakeGateway
from alerts.links import AckLinks
from alerts.planner import Planner
from alerts.sender import Sender, SenderSettings
from domain.centre import Centre
from domain.clock import FakeClock
from domain.events import Event
from store.connection import connect
from store.ingest import write_events
from streams.rule_loop import RuleLoop

pytestmark = pytest.mark.postgres

CODE, NOW = "530502", datetime(2026, 11, 23, 1, tzinfo=UTC)
#: Lately, or nobody would be told of it any more.
DEADLINE = (NOW - timedelta(hours=1)).isoformat()
LINKS = AckLinks(b"a secret for tests only", "http://wall.example")
PEOPLE = [
    {"id": f"p{n}", "name": name, "phone": f"1380000000{n}", "invented": True}
    for n, name in enumerate(("张三", "李四", "王五", "赵六"), 1)
]
CENTRE = Centre.model_validate(
    {
        "centre": {"id": CODE},
        "items": [{"code": "A-001", "legal_limit": {"days": 20}}],
        "people": PEOPLE,
        "windows": [{"id": "A01", "staff": ["p1"], "handler": "p1", "superior": "p2", "leader": "p3"}],
        "messages": {"inspectors": ["p4"], "group": None, "flood": None},
    }
)
CASES = [f"C{number}" for number in range(40)]


def event(kind: str, at: datetime, case: str) -> Event:
    return Event(
        event_id=f"{kind}-{case}", kind=f"case.{kind}", occurred_at=at, received_at=at, source="approval",
        centre=CODE, case=case, window="A01", item="A-001", data={"result": "denied"} if kind == "decided" else {"legal_deadline": DEADLINE},
    )  # fmt: skip


def test_three_loops_and_two_senders_tell_everybody_once(database: str) -> None:
    accepted = [event("accepted", NOW - timedelta(days=4), case) for case in CASES]
    # Of a third the decision was in time, but comes after the finding may have been issued.
    late = [event("decided", NOW - timedelta(minutes=10), case) for case in CASES[::3]]
    in_time = [event("decided", NOW - timedelta(hours=2), case) for case in CASES[1::3]]
    judged, stop, failures = threading.Event(), threading.Event(), []

    def guard(work) -> threading.Thread:  # type: ignore[no-untyped-def]
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def judge() -> None:
        plan = Planner(CENTRE, LINKS, correction_hold=timedelta(0))
        loop = RuleLoop(database, CENTRE, FakeClock(NOW), plan=plan, batch=7)
        try:
            while True:
                last = judged.is_set()
                if loop.tick(NOW).judged == 0 and last:
                    return
        finally:
            loop.close()

    def ingest(events: list[Event]) -> None:
        with connect(database, autocommit=True) as connection:
            for start in range(0, len(events), 5):
                batch = events[start : start + 5]
                write_events(connection, batch, centre=CODE, now=NOW)
                # What comes twice makes nobody hear of it twice.
                write_events(connection, [replace(one) for one in batch[:2]], centre=CODE, now=NOW)

    with FakeGateway() as gateway:
        quick = SenderSettings(waits=(0.0,), jitter=0.0, poll=0.05, max_tries=5)
        senders = [
            Sender(database, {"http": gateway.hook()}, FakeClock(NOW), links=LINKS, settings=quick, rng=random.Random(n))
            for n in range(2)
        ]  # fmt: skip
        sending = [guard(lambda sender=sender: sender.run(stop)) for sender in senders]
        judging = [guard(judge) for _ in range(3)]
        ingest(accepted)
        writing = [guard(lambda events=events: ingest(events)) for events in (late[::-1], in_time)]
        for thread in writing:
            thread.join(30)
        judged.set()
        for thread in judging:
            thread.join(60)
        with connect(database, autocommit=True) as db:
            for _ in range(600):
                (waiting,) = db.execute(
                    "select count(*) from outbox where state in ('ready', 'leased')"
                ).fetchone() or (0,)
                if not waiting or failures:
                    break
                threading.Event().wait(0.05)
            stop.set()
            db.execute("notify mingjing, 'outbox'")
            for thread in sending:
                thread.join(10)
            for sender in senders:
                sender.close()
            assert failures == []
            rows = db.execute(
                "select finding_id, person, template, state, idempotency_key from outbox order by message_id"
            ).fetchall()
            found = db.execute(
                "select finding_id, case_id, rule, state from finding where rule = 'time_limit.legal'"
            ).fetchall()
        counts = gateway.counts()
    # Each message that was written went out once, and nothing else did.
    assert {tuple(count.values()) for count in counts.values()} == {(1, 1)}
    assert set(counts) == {key for *_, state, key in rows if state == "sent"}
    # Nobody has two messages of one kind about one finding.
    assert max(Counter(row[:3] for row in rows).values()) == 1
    states = {case: state for _, case, _, state in found}
    assert len(found) == len(states)  # one finding a case
    assert {states[case] for case in CASES[::3]} == {"closed"}
    assert {states[case] for case in CASES[2::3]} == {"open"}
    assert {states.get(case, "revoked") for case in CASES[1::3]} == {"revoked"}
    # Of what stands, the same people were told each time; of what was revoked, whoever was told was told so.
    told: dict[str, set[str]] = {}
    for finding_id, person, _, state, _ in rows:
        if state == "sent":
            told.setdefault(finding_id, set()).add(person)
    stand = [finding_id for finding_id, *_, state in found if state != "revoked"]
    assert {frozenset(told[finding_id]) for finding_id in stand} == {frozenset(told[stand[0]])}
    sent = Counter((finding_id, person) for finding_id, person, _, state, _ in rows if state == "sent")
    for finding_id, *_, state in found:
        if state == "revoked":
            assert {sent[finding_id, person] for person in told.get(finding_id, ())} <= {2}
