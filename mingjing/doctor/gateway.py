"""The message gateway: named, reachable, on the same time; and the words that go through it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from domain.centre import Centre
from domain.errors import SettingsError
from mingjing.channels import check_templates, open_channels
from mingjing.doctor.report import Result, fault, ok, some, warning
from mingjing.doctor.scene import Scene
from mingjing.settings import Settings

SECONDS = 5.0
#: Signatures carry the time; gateways refuse those that are minutes old. The Date header is whole seconds.
SKEW_WARNING, SKEW_FAULT = 10.0, 120.0
#: More parts than this and a phone may show them in the wrong order; each is charged.
MANY_PARTS = 4
_NO_BREAK = "\u00a0\u2007\u202f\u2060\ufeff"


def gateway(scene: Scene) -> Iterator[Result]:
    settings = scene.settings
    if settings.channels_file is not None:
        yield _channels(settings, (scene.centres or {}).values())
        return
    if not settings.gateway_url:
        yield warning(
            "gateway",
            "未设置短信网关，短信只写入日志",
            "no gateway: messages are only written to the sender's log",
            "MINGJING_GATEWAY_URL=https://… MINGJING_GATEWAY_SECRET_FILE=…",
        )
        return
    if settings.gateway_secret_file is None:
        yield fault(
            "gateway.secret",
            "未设置网关密钥，短信无法签名",
            "messages could not be signed: the gateway's secret is not set",
            "MINGJING_GATEWAY_SECRET_FILE=…",
        )
    yield from _reach(settings.gateway_url)


def _channels(settings: Settings, centres: Iterable[Centre]) -> Result:
    """Whether every channel of the file can be opened; none is asked anything, since each question may cost."""
    try:
        check_templates(settings, centres)
        hooks = open_channels(settings)
    except SettingsError as error:
        mend = f"MINGJING_CHANNELS_FILE={settings.channels_file}"
        return fault(
            "gateway.channels", f"短信通道设置有误：{error}", f"a channel cannot be used: {error}", mend
        )
    for hook in hooks.values():
        hook.close()
    names = some(list(hooks))
    return ok("gateway.channels", f"短信通道可用：{names}", f"channels can be used: {names}")


def _reach(url: str) -> Iterator[Result]:
    parts = urlsplit(url)
    mend = "MINGJING_GATEWAY_URL；检查网关、防火墙、证书 · look at the gateway, the firewall, the certificate"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield fault(
            "gateway.address",
            "网关地址无效",
            "the gateway's address is none",
            "MINGJING_GATEWAY_URL=https://…",
        )
        return
    kind: Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=SECONDS)
    try:
        # Any answer means that it can be reached; a question without a message changes nothing there.
        connection.request("HEAD", parts.path or "/")
        date = connection.getresponse().getheader("Date")
    except (OSError, ssl.SSLError, http.client.HTTPException) as error:
        yield fault(
            "gateway.reach",
            "短信网关无法连接",
            f"the gateway cannot be reached ({type(error).__name__}: {error})",
            mend,
        )
        return
    finally:
        connection.close()
    yield ok("gateway.reach", "短信网关可连接", f"the gateway at {parts.hostname} answers")
    if date:
        yield from _skew(date)


def _skew(date: str) -> Iterator[Result]:
    try:
        seconds = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return
    zh, en = f"与网关时钟相差 {seconds:.0f} 秒", f"our clock is {seconds:.0f} s off the gateway's"
    mend = "timedatectl set-ntp true"
    if abs(seconds) > SKEW_FAULT:
        yield fault("clock.gateway", f"{zh}，签名会被拒绝", f"{en}: signatures will be refused", mend)
    elif abs(seconds) > SKEW_WARNING:
        yield warning("clock.gateway", zh, en, mend)
    else:
        yield ok("clock.gateway", zh, en)


def message_texts(scene: Scene) -> Iterator[Result]:
    """What a card of each window would be: written, without no-break spaces, in how many parts."""
    from alerts.catalogue import TEXTS
    from alerts.messages import message_values, render_text, sms_parts

    odd, long, most = [], [], 0
    for template, text in TEXTS["zh-CN"].items():
        if any(sign in text for sign in _NO_BREAK):
            odd.append(template)
    now = scene.now()
    for centre in (scene.centres or {}).values():
        people = {person.id: person for person in centre.people}
        for window in centre.windows:
            if any(sign in window.name for sign in _NO_BREAK):
                odd.append(f"windows.{window.id}.name")
            handler = people.get(window.handler or "")
            params: Mapping[str, Any] = {
                "rule": "time_limit.legal",
                "severity": "red",
                "opened_at": now.isoformat(),
                "due_at": now.isoformat(),
                "ack_until": now.isoformat(),
                "window": window.id,
                "window_name": window.name,
                "case": "0" * 12,
                "who": f"{handler.name}{handler.title}" if handler else None,
            }
            link = f"{scene.settings.wall_url}/ack/{'x' * 22}"
            try:
                values = message_values("finding.red", params, "zh-CN", link=link, now=now)
                parts = sms_parts(render_text("finding.red", values, "zh-CN"))
            except (KeyError, ValueError) as error:
                yield fault(
                    "sms.template",
                    f"短信模板缺少占位值 {error}",
                    f"a template lacks a value: {error}",
                    "alerts/catalogue.py",
                )
                return
            most = max(most, parts)
            if parts > MANY_PARTS:
                long.append(f"{window.id} ({parts})")
    if odd:
        yield warning(
            "sms.spaces",
            f"含不间断空格：{some(odd)}",
            f"no-break spaces make a message longer and templates differ: {some(odd)}",
            "改用普通空格 · write ordinary spaces there",
        )
    if long:
        yield warning(
            "sms.length",
            f"短信超过 {MANY_PARTS} 条计费：{some(long)}",
            f"messages of more than {MANY_PARTS} parts: {some(long)}",
            "缩短窗口名称或 MINGJING_BASE_URL · shorten the window's name or MINGJING_BASE_URL",
        )
    elif not odd:
        yield ok(
            "sms.template", f"短信模板完整，最长 {most} 条计费", f"templates are whole, {most} parts at most"
        )


def links(scene: Scene) -> Iterator[Result]:
    """A link in a message must open on a phone."""
    settings = scene.settings
    host = urlsplit(settings.wall_url).hostname or ""
    if settings.gateway_url and (host in ("localhost", "::1") or host.startswith("127.")):
        demo = (urlsplit(settings.gateway_url).hostname or "").startswith("127.")
        if not demo:
            yield warning(
                "sms.links",
                "短信中的确认链接指向本机，手机无法打开",
                "the links in messages lead to this machine: no phone can open them",
                "MINGJING_BASE_URL=https://…（大屏对外地址 · the wall's address as phones see it）",
            )


CHECKS = (gateway, message_texts, links)
