"""Lease, send, confirm against a gateway that misbehaves on command. Real PostgreSQL, real HTTP."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable

import pytest

from alerts.hooks.http_json.fake import FakeGateway
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.http_json.hook import HttpJsonHook
from alerts.hooks.log.fake import FakeHook
from alerts.sender import SenderSettings
from domain.errors import SendError
from tests.alerts.conftest import LINKS, NOW, QUICK, Desk, make_finding

pytestmark = pytest.mark.postgres


def accepted(gateway: FakeGateway) -> list[int]:
    """How often each key was accepted."""
    return [count["accepted"] for count in gateway.counts().values()]


def test_it_sends_and_confirms_with_the_providers_id(desk: Desk, gateway: FakeGateway) -> None:
    desk.issue(make_finding())
    desk.clock.advance(60)
    assert desk.sender(gateway.hook()).step() == 2
    assert desk.states() == {"sent": 2}
    assert {row[1] for row in desk.rows("state, sent_at")} == {desk.clock.now()}
    assert set(desk.rows("provider_id")) == {message.provider_id for message in gateway.inbox.newest()}
    assert accepted(gateway) == [1, 1]


def test_a_message_arrives_with_its_link(desk: Desk, gateway: FakeGateway) -> None:
    desk.issue(make_finding())
    desk.drain(desk.sender(gateway.hook()))
    message = next(m for m in gateway.inbox.newest() if m.phone == "13800000001")
    assert message.text.endswith(LINKS.link("f1:p1:opened"))
    assert message.created_at == "2026-11-20T17:30:00+08:00"


@pytest.mark.parametrize(
    ("behaviour", "requests"),
    [
        (Behaviour("status", status=500), 2),
        (Behaviour("status", status=500, accept=True), 1),  # asked, it says that it has it
        (Behaviour("status", status=503), 2),
        (Behaviour("status", status=409), 2),
        (Behaviour("status", status=425), 2),
        (Behaviour("cut"), 2),
        (Behaviour("cut", accept=True), 1),
        (Behaviour("garbage"), 2),
        (Behaviour("garbage", accept=True), 1),
        (Behaviour("slow", seconds=0.4), 1),  # longer than the hook waits; the gateway takes it all the same
    ],
)
def test_whatever_the_gateway_does_the_message_arrives_once(
    desk: Desk, gateway: FakeGateway, behaviour: Behaviour, requests: int, wait_for: Callable[..., None]
) -> None:
    desk.issue(make_finding(window="A09"))
    sender = desk.sender(gateway.hook(timeout=0.2))
    gateway.will(behaviour)
    sender.step()
    assert desk.states() == {"ready": 1}
    if behaviour.kind == "slow":
        wait_for(lambda: accepted(gateway) == [1])
    desk.drain(sender)
    assert desk.states() == {"sent": 1}
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 1, "requests": requests}}


def test_a_gateway_that_cannot_be_asked_gets_the_same_key_again(desk: Desk, gateway: FakeGateway) -> None:
    desk.issue(make_finding(window="A09"))
    gateway.will(Behaviour("cut", accept=True))
    desk.drain(desk.sender(gateway.hook(can_query=False)))
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 1, "requests": 2}}


def test_asking_first_saves_a_second_message_at_a_gateway_without_memory(
    desk: Desk, gateway: FakeGateway
) -> None:
    desk.issue(make_finding(window="A09"))
    gateway.always = Behaviour("accept_twice")
    gateway.will(Behaviour("cut", accept=True))
    desk.drain(desk.sender(gateway.hook()))
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 1, "requests": 1}}
    assert desk.states() == {"sent": 1}


def test_a_gateway_that_cannot_be_asked_just_now_is_asked_later_and_not_sent_to(
    desk: Desk, gateway: FakeGateway
) -> None:
    desk.issue(make_finding(window="A09"))
    gateway.always = Behaviour("accept_twice")
    gateway.will(Behaviour("cut", accept=True))
    hook, answers = gateway.hook(), [SendError("gateway not reached")]
    asks = hook.query
    hook.query = lambda key: (_ for _ in ()).throw(answers.pop()) if answers else asks(key)
    desk.drain(desk.sender(hook))
    assert not answers
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 1, "requests": 1}}
    assert desk.states() == {"sent": 1}


@pytest.mark.parametrize("arrived", [True, False])
def test_a_card_revoked_while_nobody_knew_whether_it_arrived_is_recorded_as_it_was(
    desk: Desk, gateway: FakeGateway, arrived: bool
) -> None:
    desk.issue(make_finding(window="A09"))
    gateway.will(Behaviour("cut", accept=arrived))
    sender = desk.sender(gateway.hook())
    sender.step()
    desk.issue(make_finding(window="A09", state="revoked", revoked_at=NOW), "revoked")
    desk.drain(sender)
    card = "sent" if arrived else "skipped"
    assert desk.rows("state", "template <> 'finding.correction'") == [card]
    assert gateway.counts()["f1:p1:opened"]["accepted"] == int(arrived)


def test_the_fake_without_memory_does_accept_twice(desk: Desk, gateway: FakeGateway) -> None:
    """Guards the test above: not asking would show."""
    desk.issue(make_finding(window="A09"))
    gateway.always = Behaviour("accept_twice")
    gateway.will(Behaviour("cut", accept=True))
    desk.drain(desk.sender(gateway.hook(can_query=False)))
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 2, "requests": 2}}


@pytest.mark.parametrize("status", [400, 404, 422, 302])
def test_a_refusal_for_good_is_dead_at_once_with_its_reason(
    desk: Desk, gateway: FakeGateway, status: int
) -> None:
    desk.issue(make_finding(window="A09"))
    gateway.always = Behaviour("status", status=status)
    desk.drain(desk.sender(gateway.hook()))
    assert desk.rows("state, reason, attempts, last_error") == [
        ("dead", "refused", 1, f"HTTP {status}: on_command")
    ]


def test_a_gateway_that_is_away_is_a_passing_failure(desk: Desk) -> None:
    with FakeGateway() as gone:
        hook = gone.hook()
    desk.issue(make_finding(window="A09"))
    desk.sender(hook, dataclasses.replace(QUICK, waits=(60.0,))).step()
    assert desk.rows("state, last_error") == [("ready", "gateway not reached (ConnectError)")]


def test_pauses_grow_and_have_some_chance_in_them(desk: Desk) -> None:
    failing = FakeHook(*[SendError("no")] * 6)
    sender = desk.sender(failing, SenderSettings(waits=(10, 100, 1000), jitter=0.2))
    desk.issue(make_finding(window="A09"))
    waits = []
    for _ in range(4):
        sender.step()
        (wait,) = desk.rows("extract(epoch from next_try_at - clock_timestamp())::float")
        waits.append(wait)
        desk.connection.execute("update outbox set next_try_at = now()")
    for wait, least in zip(waits, (10, 100, 1000, 1000), strict=True):
        assert least - 1 < wait < least * 1.2
    assert waits[2] != pytest.approx(waits[3], abs=0.01)


def test_tries_are_capped(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    desk.drain(desk.sender(FakeHook(*[SendError("no")] * 50)))
    assert desk.rows("state, reason, attempts, last_error") == [
        ("dead", "tries_used_up", QUICK.max_tries, "no")
    ]


def test_a_pause_the_gateway_asks_for_is_kept_for_all_its_messages(desk: Desk, gateway: FakeGateway) -> None:
    now = [0.0]
    sender = desk.sender(gateway.hook(), dataclasses.replace(QUICK, workers=1), monotonic=lambda: now[0])
    desk.issue(make_finding(1))
    gateway.will(Behaviour("status", status=429, retry_after="7"))
    sender.step()
    (wait,) = desk.rows("extract(epoch from next_try_at - clock_timestamp())::float", "attempts = 1")
    assert 6 < wait <= 7
    assert sender.step() == 0  # the other message is due, but the gateway wants quiet
    now[0] = 7.1
    assert sender.step() == 1
    assert desk.states() == {"ready": 1, "sent": 1}


def test_a_wait_beyond_its_own_deadline_ends_the_message(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    desk.connection.execute("update outbox set give_up_at = now() + interval '10 s'")
    desk.sender(FakeHook(SendError("no", retry_after=60))).step()
    assert desk.rows("state, reason, last_error") == [("dead", "gave_up", "no")]


def test_what_no_hook_sends_does_not_wait_for_ever(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    desk.connection.execute("update outbox set channel = 'pigeon', give_up_at = now() - interval '1 s'")
    desk.sender(FakeHook()).step()
    assert desk.states() == {"dead:gave_up": 1}


def test_a_defect_in_a_hook_is_a_passing_failure(desk: Desk) -> None:
    hook = FakeHook()
    hook.failures.append(ValueError("defect"))  # type: ignore[arg-type]
    desk.issue(make_finding(window="A09"))
    sender = desk.sender(hook)
    sender.step()
    assert desk.rows("state, last_error") == [("ready", "unclear: hook failed (ValueError)")]
    desk.drain(sender)
    assert desk.states() == {"sent": 1}


def test_a_message_that_cannot_be_written_is_dead_and_the_others_go(desk: Desk) -> None:
    desk.issue(make_finding())
    desk.connection.execute("""update outbox set params = '{"rule": "x"}' where person = 'p1'""")
    hook = FakeHook()
    desk.drain(desk.sender(hook))
    assert desk.states() == {"dead:refused": 1, "sent": 1}


def test_a_slow_channel_does_not_hold_up_another(desk: Desk, wait_for: Callable[..., None]) -> None:
    release = threading.Event()

    class Slow(FakeHook):
        def send(self, message):
            release.wait(10)
            return super().send(message)

    from alerts.sender import Sender

    slow, fast = Slow(), FakeHook()
    sender = Sender(desk.dsn, {"http": slow, "log": fast}, desk.clock, links=LINKS, settings=QUICK)
    desk.opened.append(sender)
    for number in range(10):
        desk.issue(make_finding(number))
    desk.connection.execute("update outbox set channel = 'log' where person = 'p2'")
    stop = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: len(fast.sent) == 10)
        assert slow.sent == []
        assert len(desk.rows("person", "state = 'leased' and channel = 'http'")) == QUICK.workers
    finally:
        release.set()
        stop.set()
        thread.join(10)


def test_stopping_finishes_what_is_being_sent_and_leaves_the_rest(
    desk: Desk, wait_for: Callable[..., None]
) -> None:
    release = threading.Event()

    class Slow(FakeHook):
        def send(self, message):
            release.wait(10)
            return super().send(message)

    hook, stop = Slow(), threading.Event()
    sender = desk.sender(hook)
    for number in range(5):
        desk.issue(make_finding(number))
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    wait_for(lambda: desk.states().get("leased") == QUICK.workers)
    stop.set()
    release.set()
    thread.join(10)
    assert not thread.is_alive()
    assert desk.states() == {"sent": QUICK.workers, "ready": 10 - QUICK.workers}


def test_it_wakes_at_once_for_a_new_message(desk: Desk, wait_for: Callable[..., None]) -> None:
    hook, stop = FakeHook(), threading.Event()
    sender = desk.sender(hook, dataclasses.replace(QUICK, poll=30.0))
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: desk.connection.execute("select 1 from heartbeat where role = 'sender'").fetchone())
        desk.issue(make_finding())
        wait_for(lambda: len(hook.sent) == 2, 5.0)
    finally:
        stop.set()
        desk.connection.execute("notify mingjing, 'outbox'")
        thread.join(10)


def test_it_goes_on_after_the_database_was_away(desk: Desk, wait_for: Callable[..., None]) -> None:
    hook, stop = FakeHook(), threading.Event()
    thread = threading.Thread(target=desk.sender(hook).run, args=(stop,))
    thread.start()
    others = (
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mingjing-sender'"
    )
    try:
        wait_for(lambda: desk.connection.execute(others).fetchone())
        desk.issue(make_finding())
        wait_for(lambda: desk.states() == {"sent": 2})
    finally:
        stop.set()
        thread.join(10)
    assert len(hook.sent) == 2


def test_two_senders_share_the_work_and_send_nothing_twice(
    desk: Desk, gateway: FakeGateway, wait_for: Callable[..., None]
) -> None:
    for number in range(60):
        desk.issue(make_finding(number))
    stop = threading.Event()
    senders = [desk.sender(gateway.hook()) for _ in range(2)]
    threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: desk.states() == {"sent": 120})
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert {tuple(count.values()) for count in gateway.counts().values()} == {(1, 1)}
    assert all(sender.tally["sent"] > 0 for sender in senders)


def test_a_deposed_sender_confirms_nothing(desk: Desk) -> None:
    """It hangs in a send until its lease is another's; then its answer comes."""

    class Hanging(FakeHook):
        def send(self, message):
            desk.connection.execute("update outbox set leased_by = 'other', attempts = attempts + 1")
            return super().send(message)

    desk.issue(make_finding(window="A09"))
    sender = desk.sender(Hanging())
    sender.step()
    assert desk.rows("state, leased_by, provider_id") == [("leased", "other", None)]
    assert sender.tally["lost"] == 1


def test_the_lease_is_committed_before_the_send(desk: Desk) -> None:
    seen = []

    class Looking(FakeHook):
        def send(self, message):
            seen.extend(desk.rows("state"))  # another connection sees it
            return super().send(message)

    desk.issue(make_finding(window="A09"))
    desk.sender(Looking()).step()
    assert seen == ["leased"]


def test_it_shows_that_it_lives(desk: Desk) -> None:
    desk.sender(FakeHook(), instance="one").step()
    row = desk.connection.execute("select role, instance, at, detail from heartbeat").fetchone()
    assert row[:3] == ("sender", "one", NOW)
    assert row[3]["channels"] == ["http"]


def test_no_secret_reaches_a_log(desk: Desk, gateway: FakeGateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.issue(make_finding())
    gateway.will(Behaviour("status", status=500), Behaviour("status", status=401), Behaviour("cut"))
    hook: HttpJsonHook = gateway.hook()
    desk.drain(desk.sender(hook))
    secrets = [gateway.secret.decode(), LINKS.secret.decode(), "13800000001"]
    secrets += [LINKS.token(key) for key in desk.rows("idempotency_key")]
    assert caplog.records
    for secret in secrets:
        assert secret not in caplog.text
        assert secret not in str(desk.rows("last_error, reason, params")) or secret.startswith("138")
    assert LINKS.secret.decode() not in repr(LINKS)
