from __future__ import annotations

import json
from pathlib import Path

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import CanPull, CanQuery, CanReceive, Handed, short_key
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.tencent.fake import FakeTencent
from alerts.hooks.tencent.signature import authorization
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message


def test_the_documents_own_example_is_signed_as_there() -> None:
    body = b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    signed = authorization(
        b"*" * 32,
        "AKID",
        service="cvm",
        host="cvm.tencentcloudapi.com",
        action="DescribeInstances",
        stamp=1551113065,
        body=body,
    )
    assert signed == (
        "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, "
        "Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
    )


def test_a_message_is_taken_once_with_its_values_in_order() -> None:
    with FakeTencent() as tencent:
        handed = tencent.hook().send(message())
    (taken,) = tencent.taken
    assert handed == Handed(provider_id="2640:1")
    assert taken["PhoneNumber"] == "+8613800000001"
    assert taken["values"] == ["红牌", "离岗"]
    assert taken["SessionContext"] == short_key("f1:p1:opened")


@pytest.mark.parametrize(
    ("code", "permanent", "unclear", "pause", "wait"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", False, False, None, 30.0),
        ("LimitExceeded.PhoneNumberDailyLimit", False, False, None, 3600.0),
        ("InternalError.SendAndRecvFail", False, True, None, None),
        ("FailedOperation.ContainSensitiveWord", True, False, None, None),
    ],
)
def test_a_code_decides_what_is_done(
    code: str, permanent: bool, unclear: bool, pause: float | None, wait: float | None
) -> None:
    with FakeTencent() as tencent:
        tencent.answers = [code]
        with pytest.raises(SendError) as caught:
            tencent.hook().send(message())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError)) == (permanent, unclear)
    assert (error.retry_after, error.wait, error.reason, error.scope) == (pause, wait, code, "message")


@pytest.mark.parametrize(
    "code",
    [
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "UnauthorizedOperation.ServiceSuspendDueToArrears",
        "UnauthorizedOperation.SdkAppIdIsDisabled",
    ],
)
def test_bill_account_and_signature_are_refused_for_all_messages(code: str) -> None:
    with FakeTencent() as tencent:
        tencent.answers = [code]
        with pytest.raises(SendError, match=code) as caught:
            tencent.hook().send(message())
    assert (caught.value.permanent, caught.value.scope) == (True, "channel")


def test_a_wrong_secret_is_refused_for_good() -> None:
    with FakeTencent() as tencent:
        hook = tencent.hook()
        tencent.secret = "another"
        with pytest.raises(SendError, match=r"AuthFailure\.SignatureFailure") as caught:
            hook.send(message())
    assert (caught.value.permanent, caught.value.scope) == (True, "channel")


@pytest.mark.parametrize(
    ("how", "unclear"),
    [
        (Behaviour("status", status=500), True),
        (Behaviour("status", status=429), False),
        (Behaviour("cut", accept=True), True),
        (Behaviour("garbage", accept=True), True),
        (Behaviour("slow", seconds=0.4), True),
    ],
)
def test_trouble_on_the_way_is_unclear_unless_it_was_refused(how: Behaviour, unclear: bool) -> None:
    with FakeTencent() as tencent:
        tencent.will(how)
        with pytest.raises(SendError) as caught:
            tencent.hook(timeout=0.2).send(message())
    assert isinstance(caught.value, UnclearSendError) is unclear


def test_a_message_in_doubt_is_sent_again_only_when_its_receipt_would_have_come() -> None:
    now = 1000.0
    with FakeTencent() as tencent:
        hook = tencent.hook(receipts=True, patience=600, monotonic=lambda: now)
        tencent.will(Behaviour("cut", accept=True))
        with pytest.raises(UnclearSendError):
            hook.send(message())
        with pytest.raises(UnclearSendError) as caught:
            hook.query(message())
        assert caught.value.wait == 600
        now += 599
        with pytest.raises(UnclearSendError):
            hook.query(message())
        tencent.report("FAIL", "UNDELIV")
        assert hook.query(message()) == Handed("2640:1", "undelivered", "UNDELIV")
        with pytest.raises(UnclearSendError):
            hook.query(message("another"))
        now += 600
        assert hook.query(message("another")) is None


def test_receipts_and_replies_are_fetched_once() -> None:
    with FakeTencent() as tencent:
        hook = tencent.hook(receipts=True)
        for index in range(120):
            hook.send(message(f"f{index}"))
        tencent.report()
        tencent.replies = [{"PhoneNumber": "+8613800000001", "ReplyContent": "1", "ReplyTime": 1_700_000_000}]
        first, second, third = hook.pull(), hook.pull(), hook.pull()
    assert [len(first.receipts), len(second.receipts), len(third.receipts)] == [100, 20, 0]
    assert first.receipts[0].fate == "delivered"
    assert first.receipts[0].idempotency_key == short_key("f0")
    assert [reply.text for reply in first.replies] == ["1"]


def test_receipts_in_hand_survive_that_the_replies_cannot_be_fetched() -> None:
    with FakeTencent() as tencent:
        hook = tencent.hook(receipts=True)
        hook.send(message())
        tencent.report()
        tencent.will(Behaviour(), Behaviour("status", status=500))
        assert len(hook.pull().receipts) == 1


def test_without_receipts_nothing_is_fetched() -> None:
    with FakeTencent() as tencent:
        tencent.hook().pull()
    assert tencent.requests == 0


def test_pushes_are_believed_with_the_token_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("long and secret\n")
    row = {
        "user_receive_time": "2026-11-20 08:03:04",
        "nationcode": "86",
        "mobile": "13800000001",
        "sid": "2640:1",
    }
    body = json.dumps([row | {"report_status": "FAIL", "errmsg": "UNDELIV", "description": "…"}]).encode()
    with FakeTencent() as tencent:
        hook = tencent.hook(push_token_file=token)
        with pytest.raises(PermissionError):
            hook.read_push({}, {"token": "guess"}, body)
        pushed = hook.read_push({}, {"token": "long and secret"}, body)
        (receipt,) = pushed.receipts
        assert (receipt.fate, receipt.provider_id, receipt.code) == ("undelivered", "2640:1", "UNDELIV")
        assert json.loads(pushed.answer)["result"] == 0
        up = json.dumps(
            {"extend": "1", "mobile": "13800000001", "nationcode": "86", "text": "收到", "time": 1}
        )
        (reply,) = hook.read_push({}, {"token": "long and secret"}, up.encode()).replies
        assert (reply.sender, reply.text) == ("13800000001", "收到")
        with pytest.raises(ValueError, match="objects"):
            hook.read_push({}, {"token": "long and secret"}, b"[1]")


def test_it_can_be_asked_fetched_from_and_pushed_to() -> None:
    with FakeTencent() as tencent:
        hook = tencent.hook()
    assert isinstance(hook, CanQuery)
    assert isinstance(hook, CanPull)
    assert isinstance(hook, CanReceive)


def test_bad_settings_are_named() -> None:
    with pytest.raises(SettingsError, match="app_id"):
        open_hook(
            "tencent", {"secret_id": "A", "secret": "s", "app_id": "x", "sign_name": "明镜", "templates": {}}
        )
