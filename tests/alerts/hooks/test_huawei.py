from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import Handed, short_key
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.huawei.fake import FakeHuawei
from alerts.hooks.huawei.hook import password_digest
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message


def test_a_message_is_taken_once_with_its_values() -> None:
    with FakeHuawei() as huawei:
        assert huawei.hook().send(message()) == Handed("msg-1")
    (taken,) = huawei.taken
    assert (taken["to"], taken["values"], taken["signature"]) == ("+8613800000001", ["红牌"], "明镜")
    assert taken["extend"] == short_key("f1:p1:opened")


def test_the_password_is_the_digest_of_its_digits_or_of_its_bytes() -> None:
    digest = hashlib.sha256(b"n2026-11-20T00:00:00Zs")
    assert base64.b64decode(password_digest(b"s", "n", "2026-11-20T00:00:00Z")) == digest.hexdigest().encode()
    assert base64.b64decode(password_digest(b"s", "n", "2026-11-20T00:00:00Z", raw=True)) == digest.digest()


def test_a_wrong_secret_is_refused_for_good() -> None:
    with FakeHuawei() as huawei:
        hook = huawei.hook()
        huawei.secret = "another"
        with pytest.raises(SendError, match="E000105") as caught:
            hook.send(message())
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("code", "permanent", "unclear", "pause", "scope"),
    [
        ("E000623", False, False, 3600.0, "message"),
        ("E000503", True, False, None, "message"),
        ("E000112", True, False, None, "channel"),
        ("E000620", True, False, None, "channel"),
        ("E000000", False, True, None, "message"),
        ("E200030", True, False, None, "message"),
    ],
)
def test_a_code_decides_what_is_done(
    code: str, permanent: bool, unclear: bool, pause: float | None, scope: str
) -> None:
    with FakeHuawei() as huawei:
        huawei.answers = [code]
        with pytest.raises(SendError) as caught:
            huawei.hook().send(message())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError), error.reason) == (permanent, unclear, code)
    assert (error.retry_after, error.wait, error.scope) == (pause, None, scope)


@pytest.mark.parametrize(
    ("how", "unclear"),
    [
        (Behaviour("status", status=502), True),
        (Behaviour("status", status=429), False),
        (Behaviour("cut", accept=True), True),
        (Behaviour("garbage"), True),
    ],
)
def test_trouble_on_the_way(how: Behaviour, unclear: bool) -> None:
    with FakeHuawei() as huawei:
        huawei.will(how)
        with pytest.raises(SendError) as caught:
            huawei.hook().send(message())
    assert isinstance(caught.value, UnclearSendError) is unclear


def test_a_message_in_doubt_waits_for_the_receipt_that_would_have_come() -> None:
    now = 0.0
    with FakeHuawei() as huawei:
        hook = huawei.hook(patience=600, monotonic=lambda: now)
        with pytest.raises(UnclearSendError) as caught:
            hook.query(message())
        assert caught.value.wait == 600
        now = 600
        assert hook.query(message()) is None


def test_receipts_and_replies_are_believed_with_the_token_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("long and secret\n")
    with FakeHuawei() as huawei:
        hook = huawei.hook(push_token_file=token)
        hook.send(message())
        with pytest.raises(PermissionError):
            hook.read_push({}, {}, huawei.receipt())
        (receipt,) = hook.read_push(
            {}, {"token": "long and secret"}, huawei.receipt(status="UNDELIV")
        ).receipts
    assert (receipt.fate, receipt.code, receipt.provider_id) == ("undelivered", "UNDELIV", "msg-1")
    assert receipt.idempotency_key == short_key("f1:p1:opened")
    (reply,) = hook.read_push({}, {"token": "long and secret"}, b"from=%2B8613800000001&to=10&body=1").replies
    assert (reply.sender, reply.text) == ("+8613800000001", "1")
    for nonsense in (b"", b"\xff\xfe", b"a=b"):
        with pytest.raises(ValueError):
            hook.read_push({}, {"token": "long and secret"}, nonsense)


def test_bad_settings_are_named() -> None:
    with pytest.raises(SettingsError, match="sender"):
        open_hook("huawei", {"app_key": "A", "secret": "s", "url": "https://x", "templates": {}})
