"""Messages in doubt: at a gateway that may not know them again the second try is marked; nobody asks while it may still be at work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import httpx
import pytest

from alerts import outbox, receipts
from alerts.hooks.asking import Asker, AskingConfig
from alerts.hooks.base import Pushed, Receipt, UnclearSendError, can_ask, is_certain
from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.hook import open_hook as open_http
from alerts.hooks.http_map.fake import FakeMas
from alerts.hooks.log.hook import LogHook
from tests.alerts.conftest import NOW, QUICK, Desk, make_finding
from tests.alerts.ways import Asked, Told, age, put, sender_of, story

CUT = UnclearSendError("no answer (ReadTimeout)")
QUERY = {"query_url": "http://gateway.example/{key}"}


def lease(desk: Desk, by: str, *, certain: bool, seconds: float = 30) -> outbox.Leased:
    desk.connection.execute("update outbox set next_try_at = now()")
    (message,) = outbox.lease(
        desk.connection, channel="http", limit=9, by=by, seconds=seconds, certain=certain
    )
    return message


@pytest.mark.postgres
@pytest.mark.parametrize(("certain", "marked"), [(True, False), (False, True)])
def test_a_second_try_that_may_show_it_twice_says_so_before_it_is_made(
    desk: Desk, certain: bool, marked: bool
) -> None:
    desk.issue(make_finding(window="A09"))
    first = lease(desk, "first", certain=certain, seconds=0)
    assert desk.rows("detail ? 'perhaps_twice'") == [False]
    second = lease(desk, "second", certain=certain)
    assert (first.in_doubt, second.in_doubt) == (False, True)
    assert desk.rows("detail ? 'perhaps_twice'") == [marked]
    outbox.confirm(desk.connection, second, provider_id="G1", at=NOW, delivered=False)
    ((body,),) = desk.connection.execute("select body from evidence where kind = 'message.sent'").fetchall()
    assert ("perhaps_twice" in json.loads(body)["payload"]) is marked


@pytest.mark.postgres
def test_a_refusal_leaves_no_doubt(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    outbox.try_later(desk.connection, lease(desk, "first", certain=False), error="HTTP 429", seconds=0)
    assert not lease(desk, "second", certain=False).in_doubt
    assert desk.rows("detail ? 'perhaps_twice'") == [False]


class Mute(Asked):
    """One that is set up without questions."""

    asks = certain = False


class Vague(Asked):
    """One that only knows of messages it has heard of."""

    certain = False


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("hook", "questions", "state", "words"),
    [
        (Asked(CUT), 1, "dead", "the gateway does not have it"),
        (Vague(CUT), 1, "unknown", "unclear: nothing is heard of it"),
        (Mute(CUT), 0, "unknown", "unclear: no answer"),
    ],
)
def test_nobody_says_of_a_gateway_what_it_cannot_know(
    desk: Desk, hook: Asked, questions: int, state: str, words: str
) -> None:
    put(desk)
    sender = sender_of(
        desk, dataclasses.replace(QUICK, channel_patience=900.0, max_tries=60), sms=hook, mail=Told()
    )
    sender.step()
    age(desk, 1000)
    desk.drain(sender)
    assert story(desk) == [("sms", state, "channel_failing"), ("mail", "sent", None)]
    assert hook.questions == questions
    assert desk.rows("last_error")[0].startswith(words)


def test_who_can_be_asked_is_certain() -> None:
    with FakeMas() as mas:
        # It takes each key once, asked or not.
        alone = open_http(Config(url="http://gateway.example/", secret="x"))
        hooks = (mas.hook(), mas.hook(**QUERY), alone, LogHook())
        assert [can_ask(hook) for hook in hooks] == [False, True, False, False]
        assert [is_certain(hook) for hook in hooks] == [False, True, True, False]


def test_after_no_answer_a_gateway_is_left_to_finish() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    with Asker(AskingConfig(linger=7.5), transport=httpx.MockTransport(silent)) as asker:
        with pytest.raises(UnclearSendError) as caught:
            asker.ask("POST", "http://gateway.example/")
        assert caught.value.wait == 7.5
    assert Config(url="http://gateway.example/", secret="x").linger == 0


class Receipted(Told):
    """One that cannot be asked and tells by receipts."""

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        raise NotImplementedError


@pytest.mark.postgres
def test_where_only_a_receipt_can_tell_it_is_waited_for_before_the_second_try(desk: Desk) -> None:
    settings = dataclasses.replace(QUICK, doubt=40.0)
    for number, (hook, waits) in enumerate(((Receipted(CUT), True), (Mute(CUT), False), (Asked(CUT), False))):
        key = f"f{number}:p2:opened"
        put(desk, key, finding=f"f{number}", channel=f"sms{number}", fallback=[])
        sender_of(desk, settings, **{f"sms{number}": hook}).step()
        row = desk.rows(
            "state, extract(epoch from next_try_at - clock_timestamp()) > 30", f"idempotency_key = '{key}'"
        )
        assert row == [("ready", waits)]
    # What the receipt says is the end of it.
    receipts.take(desk.connection, "sms0", [Receipt("delivered", idempotency_key="f0:p2:opened")], NOW)
    assert desk.rows("state, attempts", "channel = 'sms0'") == [("delivered", 1)]
