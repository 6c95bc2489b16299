from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.aliyun.fake import FakeAliyun
from alerts.hooks.aliyun.signature import authorization, canonical_query
from alerts.hooks.base import CanQuery, CanReceive, Handed, short_key
from alerts.hooks.http_json.gateway import Behaviour
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message


def test_the_documents_own_example_is_signed_as_there() -> None:
    asked = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-version": "2014-05-26",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    signed = authorization(
        b"YourAccessKeySecret", "YourAccessKeyId", "POST", "/", canonical_query(asked), headers
    )
    assert signed.endswith(
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_a_message_is_taken_once_with_template_and_values() -> None:
    with FakeAliyun() as aliyun:
        handed = aliyun.hook().send(message())
    (taken,) = aliyun.taken
    assert handed == Handed(provider_id="1^0")
    assert taken["PhoneNum"] == "13800000001"
    assert taken["values"] == {"level": "红牌"}
    assert taken["OutId"] == short_key("f1:p1:opened")


@pytest.mark.parametrize(
    ("code", "permanent", "unclear", "wait", "scope"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", False, False, None, "message"),
        ("isv.DAY_LIMIT_CONTROL", False, False, 3600.0, "message"),
        ("isv.AMOUNT_NOT_ENOUGH", True, False, None, "channel"),
        ("isv.SMS_SIGNATURE_ILLEGAL", True, False, None, "channel"),
        ("InvalidAccessKeyId.Inactive", True, False, None, "channel"),
        ("isv.MOBILE_NUMBER_ILLEGAL", True, False, None, "message"),
        ("isp.SYSTEM_ERROR", False, True, None, "message"),
        ("isv.SMS_TEMPLATE_ILLEGAL", True, False, None, "message"),
        ("isv.SOMETHING_NEW", True, False, None, "message"),
    ],
)
def test_a_code_decides_what_is_done(
    code: str, permanent: bool, unclear: bool, wait: float | None, scope: str
) -> None:
    with FakeAliyun() as aliyun:
        aliyun.answers = [code]
        with pytest.raises(SendError) as caught:
            aliyun.hook().send(message())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError), error.retry_after) == (
        permanent,
        unclear,
        wait,
    )
    assert error.scope == scope
    assert error.reason == code  # and nothing of the text beside it, which may repeat the number


@pytest.mark.parametrize(
    ("how", "unclear"),
    [
        (Behaviour("status", status=503, retry_after="7"), True),
        (Behaviour("status", status=429, retry_after="7"), False),
        (Behaviour("cut", accept=True), True),
        (Behaviour("garbage", accept=True), True),
        (Behaviour("slow", seconds=0.4), True),
    ],
)
def test_trouble_on_the_way_is_unclear_unless_it_was_refused(how: Behaviour, unclear: bool) -> None:
    with FakeAliyun() as aliyun:
        aliyun.will(how)
        with pytest.raises(SendError) as caught:
            aliyun.hook(timeout=0.2).send(message())
    assert isinstance(caught.value, UnclearSendError) is unclear
    assert not caught.value.permanent


def test_what_was_taken_before_the_cut_is_found_by_number_and_day() -> None:
    with FakeAliyun() as aliyun:
        hook = aliyun.hook()
        for index in range(60):  # more than a page of others; two templates, as one has its limit a day
            hook.send(
                message(f"f{index}:p1:opened", template="finding.red" if index % 2 else "finding.yellow")
            )
        assert hook.query(message("lost")) is None
        aliyun.will(Behaviour("cut", accept=True))
        with pytest.raises(UnclearSendError):
            hook.send(message("lost", template="finding.correction"))
        assert hook.query(message("lost")) == Handed()
        aliyun.taken[-1] |= {"SendStatus": 3, "ErrCode": "DELIVERED"}
        assert hook.query(message("lost")) == Handed(fate="delivered", code="DELIVERED")
        aliyun.taken[-1] |= {"SendStatus": 2, "ErrCode": "UNDELIV"}
        assert hook.query(message("lost")) == Handed(fate="undelivered", code="UNDELIV")


def test_the_limit_of_a_number_and_day_is_waited_for() -> None:
    with FakeAliyun() as aliyun:
        hook = aliyun.hook()
        for index in range(50):
            hook.send(message(f"f{index}"))
        with pytest.raises(SendError) as caught:
            hook.send(message("f50"))
    assert not caught.value.permanent
    assert (caught.value.wait, caught.value.retry_after) == (3600, None)  # others are not held up


def test_a_wrong_secret_is_refused_for_good() -> None:
    with FakeAliyun() as aliyun:
        aliyun.secret = "another"
        hook = aliyun.hook()
        aliyun.secret = "and yet another"
        with pytest.raises(SendError, match="SignatureDoesNotMatch") as caught:
            hook.send(message())
    assert caught.value.permanent


def test_receipts_and_replies_are_believed_with_the_token_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("long and secret\n")
    with FakeAliyun() as aliyun:
        hook = aliyun.hook(push_token_file=token)
        hook.send(message())
        body = aliyun.receipts(fate=False, code="UNDELIV")
        for wrong in ({}, {"token": ""}, {"token": "guess"}):
            with pytest.raises(PermissionError):
                hook.read_push({}, wrong, body)
        with pytest.raises(PermissionError):
            aliyun.hook().read_push({}, {"token": ""}, body)
        pushed = hook.read_push({}, {"token": "long and secret"}, body)
    (receipt,) = pushed.receipts
    assert (receipt.fate, receipt.code) == ("undelivered", "UNDELIV")
    assert receipt.idempotency_key == short_key("f1:p1:opened")
    assert receipt.provider_id == "1^0"
    assert receipt.at is not None
    assert receipt.at.utcoffset() is not None
    assert json.loads(pushed.answer)["code"] == 0
    up = [
        {
            "phone_number": "13800000001",
            "content": "收到",
            "send_time": "2026-11-20 08:00:00",
            "dest_code": "106",
        }
    ]
    (reply,) = hook.read_push({}, {"token": "long and secret"}, json.dumps(up).encode()).replies
    assert (reply.sender, reply.text, reply.to) == ("13800000001", "收到", "106")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[" * 100_000])
def test_nonsense_pushed_with_the_token_is_said_to_be_nonsense(body: bytes, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    with FakeAliyun() as aliyun, pytest.raises(ValueError):
        aliyun.hook(push_token_file=token).read_push({}, {"token": "t"}, body)


def test_it_can_be_asked_and_pushed_to() -> None:
    with FakeAliyun() as aliyun:
        hook = aliyun.hook()
    assert isinstance(hook, CanQuery)
    assert isinstance(hook, CanReceive)


def settings(**change: Any) -> dict[str, Any]:
    names = ["finding.notice", "finding.yellow", "finding.red", "finding.correction", "finding.reminder"]
    good = {
        "access_key_id": "LTAI",
        "secret": "s",
        "sign_name": "明镜",
        "templates": {name: {"id": "SMS_1", "values": ["level"]} for name in names},
    }
    return {name: value for name, value in (good | change).items() if value is not None}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"secret": None}, "secret_file"),
        ({"sign_name": ""}, "sign_name"),
        ({"templates": {"finding.red": {"id": "SMS_1"}}}, "finding.correction"),
        ({"templates": settings()["templates"] | {"finding.blue": {"id": "SMS_1"}}}, "finding.blue"),
        (
            {"templates": settings()["templates"] | {"finding.red": {"id": "S", "values": ["colour"]}}},
            "colour",
        ),
        ({"endpoint": "https://u:pass@x/"}, "password"),
        ({"sign": "x"}, "sign"),
    ],
)
def test_bad_settings_are_named(change: dict[str, Any], names: str) -> None:
    open_hook("aliyun", settings()).close()
    with pytest.raises(SettingsError, match=names) as caught:
        open_hook("aliyun", settings(**change))
    assert "pass@" not in str(caught.value)


def test_values_are_cut_to_what_the_provider_takes() -> None:
    long = Outgoing("k", "13800000001", "finding.red", {"level": "长" * 60}, "", "2026-11-20T00:00:00+08:00")
    with FakeAliyun() as aliyun:
        aliyun.hook().send(long)
    assert aliyun.taken[0]["values"]["level"] == "长" * 34 + "…"
