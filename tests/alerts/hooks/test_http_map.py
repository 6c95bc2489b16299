from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import Handed, short_key
from alerts.hooks.http_json.gateway import Behaviour
from alerts.hooks.http_map import Config, HttpMapHook
from alerts.hooks.http_map.fake import FakeMas
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message


def answered(value: object, status: int = 200) -> httpx.Response:
    """An answer not read yet, as it comes from a wire."""
    return httpx.Response(status, stream=httpx.ByteStream(json.dumps(value).encode()))


def hook_to(answer: httpx.Response | None = None, **settings: Any) -> tuple[HttpMapHook, list[httpx.Request]]:
    """A hook and what it will have asked."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer or answered({})

    config = Config.model_validate({"url": "http://gateway/send", "fields": {"to": "{to}"}} | settings)
    return HttpMapHook(
        config, time_source=lambda: 1_700_000_000.5, transport=httpx.MockTransport(handle)
    ), asked


def test_the_cloud_mas_takes_what_the_map_makes() -> None:
    with FakeMas() as mas:
        assert mas.hook().send(message()) == Handed("G1")
    assert mas.taken[0]["content"] == message().text
    assert mas.taken[0]["mobiles"] == "13800000001"


def test_a_wrong_secret_is_refused_for_good() -> None:
    with FakeMas() as mas:
        hook = mas.hook()
        mas.secret = "another"
        with pytest.raises(SendError, match="rspcod IllegalMac") as caught:
            hook.send(message())
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("code", "permanent", "unclear", "pause", "wait"),
    [
        ("InternalError", False, True, None, None),
        ("TooManyRequests", False, False, 30.0, None),
        ("NumberBusy", False, False, None, 70.0),
        ("IllegalContent", True, False, None, None),
    ],
)
def test_a_code_decides_what_is_done(
    code: str, permanent: bool, unclear: bool, pause: float | None, wait: float | None
) -> None:
    answer = {"code": "rspcod", "good": ["success"], "unclear": ["InternalError"]}
    answer |= {"too_many": ["TooManyRequests"], "passing": ["NumberBusy"]}
    with FakeMas() as mas:
        mas.answers = [code]
        with pytest.raises(SendError) as caught:
            mas.hook(answer=answer, pause=30, wait=70).send(message())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError)) == (permanent, unclear)
    assert (error.retry_after, error.wait) == (pause, wait)


@pytest.mark.parametrize(
    "how", [Behaviour("cut", accept=True), Behaviour("garbage"), Behaviour("status", status=500)]
)
def test_trouble_on_the_way_is_unclear(how: Behaviour) -> None:
    with FakeMas() as mas:
        mas.will(how)
        with pytest.raises(UnclearSendError):
            mas.hook().send(message())


@pytest.mark.parametrize(
    ("body", "content", "kind"),
    [
        ("json", b'{"to":"13800000001","n":1,"ok":true}', "application/json; charset=utf-8"),
        ("form", b"to=13800000001&n=1&ok=True", "application/x-www-form-urlencoded; charset=utf-8"),
        ("query", b"", None),
    ],
)
def test_fields_travel_as_asked(body: str, content: bytes, kind: str | None) -> None:
    hook, asked = hook_to(body=body, fields={"to": "{to}", "n": 1, "ok": True})
    hook.send(message())
    assert asked[0].content == content
    assert asked[0].headers.get("content-type") == kind
    assert dict(asked[0].url.params) == (
        {"to": "13800000001", "n": "1", "ok": "True"} if body == "query" else {}
    )


def test_digests_are_made_in_order_and_a_message_is_never_read_as_a_place() -> None:
    hook, asked = hook_to(
        fields={
            "a": "{inner}",
            "text": "{text}",
            "stamp": "{stamp_ms}",
            "level": "{values.level}",
            "k": "{short_key}",
        },
        digests={
            "first": {"of": "{to}", "algorithm": "sha256", "upper": True},
            "inner": {"of": "{first}|{text}", "algorithm": "hmac-sha256"},
        },
        secret="s",
    )
    odd = message()
    object.__setattr__(odd, "text", "{secret} {to}")
    hook.send(odd)
    said = json.loads(asked[0].content)
    first = hashlib.sha256(b"13800000001").hexdigest().upper()
    assert said["a"] == hmac.new(b"s", f"{first}|{odd.text}".encode(), "sha256").hexdigest()
    assert said["text"] == "{secret} {to}"
    assert (said["stamp"], said["level"], said["k"]) == (
        "1700000000500",
        "红牌",
        short_key(odd.idempotency_key),
    )


def test_a_gateway_that_can_be_asked_is_asked_by_key() -> None:
    answer = answered({"data": [{"state": 0, "id": 7}]})
    settings = {
        "query_url": "http://gateway/find?k={key}",
        "query": {"code": "data.0.state", "good": [0], "id": "data.0.id"},
    }
    hook, asked = hook_to(answer, **settings)
    assert hook.query(message("a/b&c")) == Handed("7")
    assert asked[0].url.params["k"] == "a/b&c"
    hook, _ = hook_to(answered({"data": [{"state": 9}]}), **settings)
    assert hook.query(message()) is None
    hook, _ = hook_to(answered({}, 404), **settings)
    assert hook.query(message()) is None
    hook, _ = hook_to(answered({}), **settings)
    with pytest.raises(UnclearSendError):
        hook.query(message())


def test_receipts_are_believed_with_the_token_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("long and secret\n")
    pushes = {
        "token_file": token,
        "rows": "reports",
        "key": "ref",
        "code": "stat",
        "delivered": ["DELIVRD"],
        "answer": "0",
    }
    hook, _ = hook_to(pushes=pushes)
    body = json.dumps(
        {"reports": [{"ref": "k1", "stat": "DELIVRD"}, {"ref": "k2", "stat": "EXPIRED"}]}
    ).encode()
    with pytest.raises(PermissionError):
        hook.read_push({}, {}, body)
    pushed = hook.read_push({}, {"token": "long and secret"}, body)
    assert [(r.idempotency_key, r.fate, r.code) for r in pushed.receipts] == [
        ("k1", "delivered", "DELIVRD"),
        ("k2", "undelivered", "EXPIRED"),
    ]
    assert pushed.answer == b"0"
    with pytest.raises(ValueError, match="objects"):
        hook.read_push({}, {"token": "long and secret"}, b"[1]")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"fields": {"to": "{too}"}}, "too"),
        ({"fields": {"to": "{to!r}"}}, "place"),
        ({"fields": {"to": "{to"}}, "fields|expected"),
        ({"fields": {"s": "{secret}"}}, "secret_file"),
        ({"fields": {"t": "{template_id}"}}, "finding.correction"),
        (
            {"digests": {"a": {"of": "{b}", "algorithm": "md5"}, "b": {"of": "{to}", "algorithm": "md5"}}},
            "digests.a",
        ),
        ({"constants": {"to": "x"}}, "to"),
        ({"answer": {"code": "x"}}, "good"),
        ({"query_url": "http://gateway/find"}, "key"),
        ({"url": "http://u:pass@gateway/"}, "password"),
    ],
)
def test_bad_settings_are_named(change: dict[str, Any], names: str) -> None:
    with pytest.raises(SettingsError, match=names) as caught:
        open_hook("http_map", {"url": "http://gateway/", "fields": {"to": "{to}"}} | change)
    assert "pass@" not in str(caught.value)


def test_a_value_the_message_does_not_have_is_a_fault_of_the_map() -> None:
    hook, asked = hook_to(fields={"x": "{values.colour}"})
    with pytest.raises(SendError) as caught:
        hook.send(message())
    assert caught.value.permanent
    assert not asked
