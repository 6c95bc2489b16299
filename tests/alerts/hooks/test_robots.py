"""The robots of group chats: one table for all, as they differ in little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import CanQuery, Handed
from alerts.hooks.dingtalk.fake import FakeDingtalk
from alerts.hooks.dingtalk.hook import sign as dingtalk_sign
from alerts.hooks.feishu.fake import FakeFeishu
from alerts.hooks.feishu.hook import sign as feishu_sign
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.wecom.fake import FakeWecom
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message

ROBOTS = [FakeWecom, FakeDingtalk, FakeFeishu]


def text_of(said: dict[str, Any]) -> str:
    return str((said.get("text") or {}).get("content") or said["content"]["text"])


@pytest.mark.parametrize("make", ROBOTS)
def test_the_text_is_written_into_the_group(make: Any) -> None:
    with make() as robot:
        assert robot.hook().send(message()) == Handed()
    assert [text_of(said) for said in robot.taken] == [message().text]


def test_the_recipient_is_called_where_the_robot_can() -> None:
    with FakeWecom() as wecom, FakeDingtalk() as dingtalk:
        for robot in (wecom, dingtalk):
            robot.hook().send(message(to="+8613800000001"))
            robot.hook(mention=False).send(message())
            robot.hook().send(message(to="zhang.wei"))
    assert [said["text"].get("mentioned_mobile_list") for said in wecom.taken] == [
        ["13800000001"],
        None,
        None,
    ]
    assert [said.get("at") for said in dingtalk.taken] == [{"atMobiles": ["13800000001"]}, None, None]


@pytest.mark.parametrize(
    ("make", "code", "permanent", "unclear"),
    [
        (FakeWecom, 45009, False, False), (FakeWecom, -1, False, True), (FakeWecom, 93000, True, False),
        (FakeDingtalk, 130101, False, False), (FakeDingtalk, -1, False, True), (FakeDingtalk, 310000, True, False),
        (FakeFeishu, 11232, False, False), (FakeFeishu, 9499, False, False), (FakeFeishu, 19021, True, False),
    ],
)  # fmt: skip
def test_a_code_decides_what_is_done(make: Any, code: int, permanent: bool, unclear: bool) -> None:
    with make() as robot:
        robot.answers = [code]
        with pytest.raises(SendError) as caught:
            robot.hook().send(message())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError)) == (permanent, unclear)
    assert error.retry_after == (None if permanent or unclear else 60)
    assert error.scope == ("channel" if permanent else "message")
    assert "name" not in error.reason


@pytest.mark.parametrize("make", ROBOTS)
@pytest.mark.parametrize(
    ("how", "unclear"),
    [(Behaviour("cut"), True), (Behaviour("garbage"), True), (Behaviour("status", status=429), False)],
)
def test_trouble_on_the_way(make: Any, how: Behaviour, unclear: bool) -> None:
    with make() as robot:
        robot.will(how)
        with pytest.raises(SendError) as caught:
            robot.hook().send(message())
    assert isinstance(caught.value, UnclearSendError) is unclear
    assert robot.url not in str(caught.value)


@pytest.mark.parametrize("make", [FakeWecom, FakeDingtalk])
def test_the_twenty_first_message_of_a_minute_waits(make: Any) -> None:
    with make() as robot:
        hook = robot.hook(pause=30)
        for index in range(20):
            hook.send(message(f"f{index}"))
        with pytest.raises(SendError) as caught:
            hook.send(message("f20"))
    assert caught.value.retry_after == 30


@pytest.mark.parametrize("make", [FakeDingtalk, FakeFeishu])
def test_a_wrong_secret_is_refused_for_good(make: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another")
    with make() as robot:
        hook = robot.hook()
        hook._secret = b"another"
        with pytest.raises(SendError) as caught:
            hook.send(message())
    assert caught.value.permanent


def test_signatures_are_those_of_an_independent_calculation() -> None:
    # printf '1700000000000\\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
    assert dingtalk_sign(b"SECabc", "1700000000000") == "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM="
    # printf '' | openssl dgst -sha256 -hmac $'1700000000\\nabc' -binary | base64
    assert feishu_sign(b"abc", "1700000000") == "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4="


def test_a_robot_cannot_be_asked() -> None:
    with FakeWecom() as robot:
        assert not isinstance(robot.hook(), CanQuery)


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_bad_settings_are_named_and_the_address_never_quoted(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="url_file"):
        open_hook(kind, {})
    with pytest.raises(SettingsError, match="address") as caught:
        open_hook(kind, {"url": "ftp://robot/key=secret"})
    assert "secret" not in str(caught.value)
    (tmp_path / "url").write_text("https://robot/send?key=k\n")
    open_hook(kind, {"url_file": str(tmp_path / "url")}).close()
