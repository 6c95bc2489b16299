"""Receipts that are pushed, fetched or asked for, with the providers' fakes over HTTP and real PostgreSQL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from alerts.hooks.aliyun.fake import FakeAliyun
from alerts.hooks.base import Handed, Hook, Pushed, Receipt
from alerts.hooks.fake_server import FakeServer
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.tencent.fake import FakeTencent
from alerts.messages import Outgoing
from alerts.receipt_rounds import ReceiptRounds
from alerts.receipts_app import LARGEST, create_receipts_app
from alerts.sender import Sender
from store import Connection
from tests.alerts.conftest import NOW, Desk, make_finding

pytestmark = pytest.mark.postgres
TOKEN = "of-the-gateway-alone"


@pytest.fixture
def aliyun() -> Iterator[FakeAliyun]:
    with FakeAliyun() as made:
        yield made


@pytest.fixture
def tencent() -> Iterator[FakeTencent]:
    with FakeTencent() as made:
        yield made


def sent(desk: Desk, hook: Hook) -> Sender:
    """One message to one person, handed over."""
    desk.issue(make_finding(window="A09"))
    sender = desk.sender(hook)
    desk.drain(sender)
    assert desk.states() == {"sent": 1}
    return sender


def rounds(desk: Desk, hook: Hook, sender: Sender) -> ReceiptRounds:
    return ReceiptRounds(desk.dsn, {"http": hook}, desk.clock, sender.outgoing)


def late(desk: Desk) -> None:
    desk.connection.execute("update outbox set ask_at = now() where ask_at is not null")


# -- pushed


@pytest.fixture
def pushing(desk: Desk, aliyun: FakeAliyun, tmp_path: Path) -> Iterator[str]:
    """Where to push to: the message of the desk has been sent through the fake."""
    (tmp_path / "token").write_text(TOKEN)
    hook = aliyun.hook(push_token_file=tmp_path / "token")
    sent(desk, hook)
    with FakeServer(
        create_receipts_app(desk.dsn, desk.clock, {"sms": aliyun.hook(), "http": hook})
    ) as server:
        yield f"{server.url}/http"
    hook.close()


def test_a_push_is_answered_when_it_is_written(
    desk: Desk, aliyun: FakeAliyun, pushing: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = aliyun.receipts(fate=False, code="MK:0001")
    with caplog.at_level(logging.DEBUG):
        assert httpx.post(pushing, content=body).status_code == 403
        assert httpx.post(f"{pushing}?token=wrong", content=body).status_code == 403
        assert httpx.post(f"{pushing}?token={TOKEN}", content=b"{").status_code == 400
        assert httpx.post(f"{pushing}?token={TOKEN}", content=b"x" * (LARGEST + 1)).status_code == 413
        assert httpx.post(pushing.replace("/http", "/nobody"), content=body).status_code == 404
        assert desk.states() == {"sent": 1}
        for _ in range(2):
            answer = httpx.post(f"{pushing}?token={TOKEN}", content=body)
            assert (answer.status_code, answer.content) == (200, b'{"code":0,"msg":"OK"}')
    assert desk.rows("state, fate_code") == [("undelivered", "MK:0001")]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("alerts")]
    assert len([line for line in ours if "without proof" in line]) == 2
    assert not any(TOKEN in line or "13800000001" in line for line in ours)


def test_while_the_database_is_away_the_gateway_is_to_push_again(desk: Desk, tmp_path: Path) -> None:
    def away(dsn: str) -> Connection:
        raise psycopg.OperationalError("away")

    class Open:
        def read_push(self, *_: object) -> Pushed:
            return Pushed([Receipt("delivered", "g1")])

    app = create_receipts_app(desk.dsn, desk.clock, {"http": Open()}, connector=away)  # type: ignore[dict-item]
    with FakeServer(app) as server:
        assert httpx.post(f"{server.url}/http").status_code == 503


# -- fetched


def test_fetching_goes_on_until_there_is_no_more(desk: Desk, tencent: FakeTencent) -> None:
    hook = tencent.hook(receipts=True)
    sender = sent(desk, hook)
    tencent.report()
    # A hundred at a time: ours is in the third hundred.
    strangers = [tencent.waiting[0] | {"SerialNo": f"x{n}", "SessionContext": ""} for n in range(205)]
    tencent.waiting[:0] = strangers
    tencent.replies = [{"PhoneNumber": "+8613800000001", "ReplyContent": "收到。", "ReplyTime": 0}]
    rounds(desk, hook, sender).round(desk.connection)
    assert tencent.waiting == []
    assert desk.rows("state, fate_code") == [("delivered", "DELIVRD")]
    assert desk.rows("acknowledged_at") == [NOW]
    assert desk.connection.execute("select count(*) from receipt where message_id is null").fetchone() == (
        205,
    )


def test_one_fetches_at_a_time_and_a_failure_is_said_once(
    desk: Desk, tencent: FakeTencent, caplog: pytest.LogCaptureFixture
) -> None:
    hook = tencent.hook(receipts=True)
    sender = sent(desk, hook)
    tencent.report()
    fetching = rounds(desk, hook, sender)
    with psycopg.connect(desk.dsn) as other:
        other.execute("select pg_advisory_lock(%s, hashtext('http'))", (0x6D6A7270 + 1,))
        fetching.round(desk.connection)
    assert len(tencent.waiting) == 1
    tencent.always = Behaviour("status", status=500)
    for _ in range(3):
        fetching.round(desk.connection)
    assert len([r for r in caplog.records if "cannot be fetched" in r.getMessage()]) == 1
    tencent.always = Behaviour("ok")
    fetching.round(desk.connection)
    assert desk.states() == {"delivered": 1}


def test_a_defect_in_one_hook_is_not_the_end_of_the_others(desk: Desk) -> None:
    class Broken(Once):
        def pull(self) -> Pushed:
            raise TypeError("a defect")

    good = Once()
    sender = sent(desk, good)
    both: dict[str, Hook] = {"broken": Broken(), "http": good}
    ReceiptRounds(desk.dsn, both, desk.clock, sender.outgoing).round(desk.connection)
    assert desk.states() == {"delivered": 1}


class Once:
    """A gateway that forgets what it has given away."""

    def __init__(self) -> None:
        self.waiting = [Receipt("delivered", "g1")]

    def send(self, message: Outgoing) -> Handed:
        return Handed("g1")

    def pull(self) -> Pushed:
        given, self.waiting = self.waiting, []
        return Pushed(given)

    def close(self) -> None: ...


def test_what_was_fetched_outlives_a_database_that_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import alerts.receipts

    hook = Once()
    fetching = rounds(desk, hook, sent(desk, hook))
    with monkeypatch.context() as away:
        away.setattr(alerts.receipts, "take", _away)
        with pytest.raises(psycopg.OperationalError):
            fetching.round(desk.connection)
    assert hook.waiting == []
    fetching.round(desk.connection)
    assert desk.states() == {"delivered": 1}


def _away(*_: object, **__: object) -> int:
    raise psycopg.OperationalError("away")


# -- late


def test_a_late_receipt_is_asked_for_then_unknown(desk: Desk, aliyun: FakeAliyun, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    hook = aliyun.hook(push_token_file=tmp_path / "token")
    sender = sent(desk, hook)
    asking = rounds(desk, hook, sender)
    asking.round(desk.connection)
    assert desk.states() == {"sent": 1}, "not before its time"
    (left,) = desk.connection.execute("select ask_at - handed_at from outbox").fetchone() or (None,)
    assert left == timedelta(minutes=30)
    late(desk)
    aliyun.always = Behaviour("status", status=500)
    asking.round(desk.connection)
    assert desk.states() == {"sent": 1}, "it could not be asked"
    aliyun.always = Behaviour("ok")
    late(desk)
    asking.round(desk.connection)
    assert desk.states() == {"unknown": 1}
    assert _chained(desk)[-1][0] == "message.unknown"


@pytest.mark.parametrize(("status", "state"), [(3, "delivered"), (2, "undelivered"), (1, "sent")])
def test_a_channel_that_only_answers_is_asked_once(
    desk: Desk, aliyun: FakeAliyun, status: int, state: str
) -> None:
    hook = aliyun.hook()
    sender = sent(desk, hook)
    aliyun.taken[0]["SendStatus"] = status
    late(desk)
    rounds(desk, hook, sender).round(desk.connection)
    assert desk.states() == {state: 1}
    assert desk.rows("ask_at") == [None]


def test_a_channel_without_receipts_stays_at_sent(desk: Desk) -> None:
    class Mail:
        def send(self, message: Outgoing) -> Handed:
            return Handed()

        def close(self) -> None: ...

    sent(desk, Mail())
    assert desk.rows("ask_at") == [None]


# -- replies


def reply(desk: Desk, text: str, sender: str = "8613800000001", **more: Any) -> Any:
    from alerts.hooks.base import Reply
    from alerts.replies import take_replies

    return take_replies(desk.connection, "http", [Reply(sender, text, **more)], desk.clock.now())


def test_a_word_sent_back_acknowledges_the_newest_message(desk: Desk) -> None:
    hook = Once()
    desk.issue(make_finding(1, window="A09"))
    desk.issue(make_finding(2, window="A09"))
    desk.drain(desk.sender(hook))
    now = datetime.now(UTC)
    assert reply(desk, "请问是哪一件？") == ["kept"]
    assert reply(desk, " 收到！", at=now) == ["acknowledged"]
    assert reply(desk, " 收到！", at=now) == [], "pushed twice"
    assert desk.rows("acknowledged_at") == [None, NOW]
    assert reply(desk, "１", provider_id="r2") == ["acknowledged"]
    assert reply(desk, "1", provider_id="r3") == ["kept"], "nothing is left to be acknowledged"
    assert reply(desk, "1", sender="13900000009") == ["stranger"]
    assert reply(desk, "收到", sender="1") == ["stranger"]
    chained = [row for row in _chained(desk) if row[0] in ("act.acknowledged", "message.reply")]
    assert [(kind, body.get("text") or body["detail"]["text"]) for kind, body in chained] == [
        ("message.reply", "请问是哪一件？"),
        ("act.acknowledged", " 收到！"),
        ("act.acknowledged", "１"),
        ("message.reply", "1"),
    ]
    assert chained[1][1]["detail"]["by"] == "reply"
    assert "13800000001" not in json.dumps(chained)


def test_a_reply_acknowledges_nothing_revoked_newer_or_old(desk: Desk) -> None:
    sent(desk, Once())
    hour = timedelta(hours=1)
    assert reply(desk, "1", at=datetime.now(UTC) - hour) == ["stranger"], "sent before the message"
    desk.connection.execute("update outbox set handed_at = now() - interval '73 h'")
    assert reply(desk, "1") == ["stranger"]
    desk.connection.execute("update outbox set handed_at = now() - interval '71 h'")
    desk.issue(make_finding(window="A09", state="revoked"), "revoked")
    assert reply(desk, "1", provider_id="r") == ["revoked"]
    assert desk.rows("acknowledged_at", "template = 'finding.yellow'") == [None]


def _chained(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    from tests.alerts.test_receipts import kept

    return kept(desk)
