"""Messages in doubt: at a gateway that may not know them again the second try is marked; nobody asks while it may still be at work."""

from __future__ import annotations

import json

import httpx
import pytest

from alerts import outbox
from alerts.hooks.asking import Asker, AskingConfig
from alerts.hooks.base import UnclearSendError, is_certain
from alerts.hooks.http_json.config import Config
from alerts.hooks.http_map.fake import FakeMas
from alerts.hooks.log.hook import LogHook
from tests.alerts.conftest import NOW, Desk, make_finding

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


def test_who_can_be_asked_is_certain() -> None:
    with FakeMas() as mas:
        assert not is_certain(mas.hook())
        assert is_certain(mas.hook(**QUERY))
    assert not is_certain(LogHook())


def test_after_no_answer_a_gateway_is_left_to_finish() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    with Asker(AskingConfig(linger=7.5), transport=httpx.MockTransport(silent)) as asker:
        with pytest.raises(UnclearSendError) as caught:
            asker.ask("POST", "http://gateway.example/")
        assert caught.value.wait == 7.5
    assert Config(url="http://gateway.example/", secret="x").linger == 0
