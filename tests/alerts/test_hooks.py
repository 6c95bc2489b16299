"""The hooks and the demo gateway by themselves, without a database."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from alerts.hooks import KINDS, UnclearSendError, open_hook
from alerts.hooks.asking import read_secret, retry_after
from alerts.hooks.http_json import Config, HttpJsonHook
from alerts.hooks.http_json.fake import FakeGateway
from alerts.hooks.http_json.gateway import Behaviour, Gateway, is_loopback, run_gateway
from alerts.hooks.http_json.hook import message_body
from alerts.hooks.http_json.inbox import Inbox
from alerts.hooks.http_json.signature import SIGNATURE, TIMESTAMP, is_signed, sign
from alerts.hooks.log import LogHook
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError

SECRET = b"only for tests, not secret"


def message(key: str = "f1:p1:opened", **changes: str) -> Outgoing:
    given = {
        "to": "13800000001",
        "template": "finding.red",
        "text": "【明镜】红牌：A07窗口离岗。确认：http://wall.example/ack/abcdefghijklmnop",
        "created_at": "2026-11-20T17:30:00+08:00",
    }
    return Outgoing(idempotency_key=key, values={"level": "红牌"}, **(given | changes))  # type: ignore[arg-type]


# -- the HTTP hook


def answer_with(
    status: int, content: bytes | None = None, **more
) -> Callable[[httpx.Request], httpx.Response]:
    """An answer that still has to be read, as one from the network."""

    def answer(request: httpx.Request) -> httpx.Response:
        whole = httpx.Response(status, content=content, **more)
        return httpx.Response(status, headers=whole.headers, stream=httpx.ByteStream(whole.content))

    return answer


def hook_on(answer, **settings) -> tuple[HttpJsonHook, list[httpx.Request]]:
    """A hook whose transport is a function of the request."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request) if callable(answer) else answer

    config = Config(url="http://gateway.example/messages", secret=SecretStr(SECRET.decode()), **settings)
    return HttpJsonHook(config, time_source=lambda: 1000.0, transport=httpx.MockTransport(handle)), asked


def test_it_signs_what_it_posts_and_names_the_key() -> None:
    hook, asked = hook_on(answer_with(202, json={"id": "G1"}))
    assert hook.send(message()).provider_id == "G1"
    headers, body = asked[0].headers, asked[0].content
    assert headers["Idempotency-Key"] == "f1:p1:opened"
    assert headers[TIMESTAMP] == "1000"
    assert headers[SIGNATURE] == sign(SECRET, "1000", body)
    sent = json.loads(body)
    assert (sent["to"], sent["template"], sent["params"]) == ("13800000001", "finding.red", {"level": "红牌"})
    assert SECRET.decode() not in str(headers) + body.decode()


def test_a_key_with_chinese_letters_fits_a_header() -> None:
    hook, asked = hook_on(answer_with(202, json={"id": 7}))
    assert hook.send(message("f1:张三:opened")).provider_id == "7"
    assert asked[0].headers["Idempotency-Key"].isascii()


def test_every_try_posts_the_same_bytes() -> None:
    assert message_body(message()) == message_body(message())


@pytest.mark.parametrize(
    ("status", "permanent", "unclear"),
    [
        (400, True, False), (401, True, False), (403, True, False), (404, True, False), (410, True, False),
        (413, True, False), (422, True, False), (301, True, False), (408, False, False), (409, False, False),
        (425, False, False), (429, False, False), (500, False, True), (502, False, True), (503, False, True),
        (504, False, True),
    ],
)  # fmt: skip
def test_it_knows_what_may_pass_and_what_not(status: int, permanent: bool, unclear: bool) -> None:
    hook, _ = hook_on(answer_with(status, json={"error": "why"}))
    with pytest.raises(SendError) as caught:
        hook.send(message())
    assert caught.value.permanent is permanent
    assert isinstance(caught.value, UnclearSendError) is unclear
    assert caught.value.reason == f"HTTP {status}: why"
    assert caught.value.scope == ("channel" if status in (401, 403) else "message")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"id": null}', b'{"ok": true}', b"\xff\xfe", b"[" * 50000]
)
def test_a_2xx_that_is_not_the_gateways_answer_is_unclear(body: bytes) -> None:
    hook, _ = hook_on(answer_with(200, body))
    with pytest.raises(UnclearSendError):
        hook.send(message())


def test_an_answer_without_end_is_cut() -> None:
    read = []

    def endless():
        while len(read) < 10_000:
            read.append(1)
            yield b"x" * 4096

    hook, _ = hook_on(httpx.Response(200, content=endless()), longest_answer=8192)
    with pytest.raises(UnclearSendError):
        hook.send(message())
    assert len(read) < 10


def test_an_answer_that_drips_ends_with_the_time_of_the_try() -> None:
    def drip():
        while True:
            time.sleep(0.02)
            yield b" "

    hook, _ = hook_on(httpx.Response(200, content=drip()), timeout=0.1)
    began = time.monotonic()
    with pytest.raises(UnclearSendError):
        hook.send(message())
    assert time.monotonic() - began < 2


def test_a_refusal_that_repeats_the_message_is_not_quoted() -> None:
    hook, _ = hook_on(answer_with(400, text="bad: 13800000001 http://wall.example/ack/abcdefghijklmnop"))
    with pytest.raises(SendError) as caught:
        hook.send(message())
    assert caught.value.reason == "HTTP 400"


@pytest.mark.parametrize(
    ("error", "unclear"),
    [
        (httpx.ConnectError("x"), False), (httpx.ConnectTimeout("x"), False), (httpx.ReadTimeout("x"), True),
        (httpx.WriteError("x"), True), (httpx.RemoteProtocolError("x"), True), (httpx.ReadError("x"), True),
    ],
)  # fmt: skip
def test_a_broken_connection_may_pass_and_may_have_sent(error: httpx.HTTPError, unclear: bool) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    hook, _ = hook_on(fail)
    with pytest.raises(SendError) as caught:
        hook.send(message())
    assert not caught.value.permanent
    assert isinstance(caught.value, UnclearSendError) is unclear


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("soon", None), ("7", 7), ("99999999", 3600), ("-3", None),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_it_reads_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 1000.0) == seconds


def test_asking_tells_accepted_from_unknown() -> None:
    with FakeGateway() as gateway:
        hook = gateway.hook()
        assert hook.query(message("a/b:?#:ü")) is None
        sent = hook.send(message("a/b:?#:ü"))
        assert hook.query(message("a/b:?#:ü")) == sent
        hook.close()


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"url": "ftp://x", "secret": "s"}, "url"),
        ({"url": "http://user:pass@x/", "secret": "s"}, "url"),
        ({"url": "http://x/"}, "secret_file"),
        ({"url": "http://x/", "secret": "s", "colour": 1}, "colour"),
        ({"url": "http://x/", "secret_file": "/nowhere/secret"}, "cannot be read"),
    ],
)
def test_bad_settings_are_named_and_never_quoted(settings: dict, names: str) -> None:
    with pytest.raises(SettingsError, match=names) as caught:
        open_hook("http_json", settings)
    assert "pass@" not in str(caught.value)


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from a file\n")
    config = Config(url="http://x/", secret_file=path)
    assert read_secret(config.secret, config.secret_file, "secret") == b"from a file"


# -- the others


def test_the_log_hook_writes_one_line_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert open_hook("log").send(message()).delivered
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert line["to"] == "138****0001"
    assert line["text"].endswith("/ack/…")
    assert line["parts"] == 1
    assert "13800000001" not in caplog.text


def test_every_kind_can_be_opened_and_has_its_page() -> None:
    import alerts.hooks

    folder = Path(alerts.hooks.__file__).parent
    for kind in KINDS:
        for file in ("__init__.py", "hook.py", "config.py", "fake.py", "README.md"):
            assert (folder / kind / file).is_file(), f"{kind}/{file}"
    assert isinstance(open_hook("log", {}), LogHook)
    with pytest.raises(SettingsError, match="http_json, http_map, huawei, log, smpp, tencent"):
        open_hook("pigeon")


# -- the demo gateway


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(":memory:")


@pytest.fixture
def client(inbox: Inbox) -> TestClient:
    return TestClient(Gateway(inbox, SECRET, names={"13800000001": "张三（示例）"}, now=lambda: 1000.0).app)


def post(client: TestClient, body: bytes, *, stamp: str = "1000", secret: bytes = SECRET) -> httpx.Response:
    headers = {TIMESTAMP: stamp, SIGNATURE: sign(secret, stamp, body), "Idempotency-Key": "k"}
    return client.post("/messages", content=body, headers=headers)


def test_the_gateway_takes_each_key_once(client: TestClient) -> None:
    body = message_body(message())
    first, second = post(client, body), post(client, body)
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert [first.json()["duplicate"], second.json()["duplicate"]] == [False, True]
    listed = client.get("/messages.json").json()
    assert listed["counts"] == {"f1:p1:opened": {"accepted": 1, "requests": 2}}
    assert listed["totals"] == {"keys": 1, "accepted": 1, "requests": 2}


def test_the_gateway_refuses_a_key_with_another_body(client: TestClient) -> None:
    post(client, message_body(message()))
    assert post(client, message_body(message(text="another"))).status_code == 422


@pytest.mark.parametrize(
    ("body", "settings", "status"),
    [
        (message_body(message()), {"secret": b"wrong"}, 401),
        (message_body(message()), {"stamp": "600"}, 401),
        (message_body(message()), {"stamp": "now"}, 401),
        (b"{}", {}, 400), (b"nonsense", {}, 400), (b"[" * 60000, {}, 400), (b"x" * 70000, {}, 413),
    ],
)  # fmt: skip
def test_the_gateway_refuses_what_is_not_a_signed_message(client: TestClient, body, settings, status) -> None:
    assert post(client, body, **settings).status_code == status
    assert client.get("/messages.json").json()["totals"]["accepted"] == 0


def test_a_signature_holds_for_its_body_and_moment_only() -> None:
    signature = sign(SECRET, "1000", b"body")
    assert is_signed(SECRET, "1000", signature, b"body", 1299.0)
    for stamp, body, now in [("1000", b"body", 1301.0), ("1001", b"body", 1000.0), ("1000", b"Body", 1000.0)]:
        assert not is_signed(SECRET, stamp, signature, body, now)
    assert not is_signed(SECRET, "1000", "ü", b"body", 1000.0)


def test_questions_are_signed_too(client: TestClient) -> None:
    assert client.get("/messages/f1").status_code == 401


def test_messages_survive_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with FakeGateway(tmp_path / "inbox.db") as gateway:
            hook = gateway.hook()
            hook.send(message())
            hook.close()
            counts = gateway.counts()
    assert counts == {"f1:p1:opened": {"accepted": 1, "requests": 2}}


def test_the_page_shows_phones_with_clickable_links(client: TestClient) -> None:
    assert "还没有短信" in client.get("/").text
    post(client, message_body(message()))
    page = client.get("/").text
    assert "张三（示例）" in page
    assert '<a href="http://wall.example/ack/abcdefghijklmnop"' in page
    assert "11-20 17:30" in page
    assert "⬣ 红牌" in page
    english = client.get("/?lang=en").text
    assert "Red card" in english
    assert "Demo SMS gateway" in english


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert "src=" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_message_cannot_become_markup(client: TestClient) -> None:
    post(
        client, message_body(message(text='<img src=x onerror=alert(1)> http://x/"><script>', to="<b>1</b>"))
    )
    page = client.get("/phones").text
    assert "<img" not in page
    assert "<script" not in page
    assert "<h2>未登记<span>&lt;b&gt;1&lt;/b&gt;</span>" in page


def test_beyond_this_machine_the_page_asks_for_a_password(inbox: Inbox) -> None:
    client = TestClient(Gateway(inbox, SECRET, page_key="字 key").app)
    for path in ("/", "/phones", "/messages.json"):
        assert client.get(path).status_code == 401
        assert client.get(path, auth=("x", "wrong")).status_code == 401
        assert client.get(path, headers={"Authorization": "Basic !!"}).status_code == 401
        assert client.get(path, auth=("anyone", "字 key")).status_code == 200
    with pytest.raises(SettingsError, match="password"):
        run_gateway("0.0.0.0", 0, ":memory:", SECRET)
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "wall")] == [
        True
    ] * 3 + [False] * 2


def test_the_fake_misbehaves_only_as_often_as_it_is_told() -> None:
    with FakeGateway() as gateway:
        hook = gateway.hook()
        gateway.will(Behaviour("status", status=429, retry_after="9"), Behaviour("cut"))
        with pytest.raises(SendError) as caught:
            hook.send(message())
        assert caught.value.retry_after == 9
        with pytest.raises(UnclearSendError):
            hook.send(message())
        assert hook.send(message()).provider_id == "G00000001"
        hook.close()
