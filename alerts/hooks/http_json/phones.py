"""The page with the phones: one for each number, messages as bubbles. No assets from elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from alerts.hooks.http_json.inbox import Accepted
from alerts.messages import sms_parts

PHONES, BUBBLES = 60, 12
_LINK = re.compile(r"https?://[^\s<>\"]+")

WORDS = {
    "zh-CN": {
        "title": "演示短信网关",
        "lead": "这里显示系统发出的短信在手机上的样子。演示用：不连接运营商，号码与姓名均为虚构。",
        "messages": "条短信",
        "phones": "部手机",
        "nothing": "还没有短信。出现黄牌或红牌后，责任人的手机会显示在这里。",
        "parts": "计费{n}条",
        "away": "网关没有应答，页面显示的是此前的内容",
        "more": "更早的 {n} 条未显示",
        "notice": "预警",
        "yellow": "黄牌",
        "red": "红牌",
        "correction": "更正",
        "corrections": "更正",
        "reminder": "催办",
        "again": "提醒",
        "escalated": "升级",
        "group": "汇总",
        "flood": "汇总",
        "daily": "日报",
        "test": "测试",
        "trouble": "系统故障",
        "clear": "系统恢复",
        "other": "English",
        "unknown": "未登记",
        "received": "{moment} 送达",
    },
    "en": {
        "title": "Demo SMS gateway",
        "lead": "Messages of the system as phones show them. For demonstration: no carrier, invented numbers and names.",
        "messages": "messages",
        "phones": "phones",
        "nothing": "No message yet. With the first yellow or red card the phones of those responsible appear here.",
        "parts": "SMS parts: {n}",
        "away": "The gateway does not answer; this is what it showed before",
        "more": "{n} earlier ones not shown",
        "notice": "Notice",
        "yellow": "Yellow card",
        "red": "Red card",
        "correction": "Correction",
        "corrections": "Corrections",
        "reminder": "Reminder",
        "again": "Reminder",
        "escalated": "Escalated",
        "group": "Several at once",
        "flood": "Several at once",
        "daily": "Daily report",
        "test": "Test",
        "trouble": "Trouble",
        "clear": "Over",
        "other": "中文",
        "unknown": "not listed",
        "received": "arrived {moment}",
    },
}

#: Colour is never alone: each kind has its sign and its word.
_SIGNS = {
    "notice": "◇", "yellow": "▲", "red": "⬣", "correction": "↺", "corrections": "↺", "reminder": "↻", "again": "↻",
    "escalated": "⇧", "group": "≡", "flood": "≡", "daily": "≡", "test": "○", "trouble": "✕", "clear": "○",
}  # fmt: skip

_STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0;background:#e9edf2;color:#17212b;font:16px/1.55 "Noto Sans CJK SC","Noto Sans SC","Microsoft YaHei",
"PingFang SC",system-ui,sans-serif}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.4rem 1.4rem;padding:1.1rem 2rem;background:#12304a;color:#fff}
h1{margin:0;font-size:1.5rem;font-weight:600}h1 small{font-weight:400;opacity:.8;margin-right:.6rem}
header p{margin:0;opacity:.85}header a{color:#cfe6ff;margin-left:auto}
#away{display:none;background:#8a1f11;color:#fff;padding:.5rem 2rem}
.sums{display:flex;gap:2rem;padding:1rem 2rem 0;font-size:1.05rem}.sums b{font-size:1.9rem;margin-right:.3rem}
.phones{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:1.6rem;padding:1.2rem 2rem 2rem}
.phone{background:#10161d;border-radius:34px;padding:12px;box-shadow:0 10px 26px #1a2a3a44}
.screen{background:#f6f8fa;border-radius:24px;overflow:hidden;display:flex;flex-direction:column;height:clamp(420px,64vh,700px)}
.phone h2{margin:0;padding:.75rem 1rem .6rem;background:#fff;border-bottom:1px solid #dde3ea;font-size:1.06rem;
white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.phone h2 span{display:block;font-weight:400;color:#4c5a68;font-size:.88rem;font-variant-numeric:tabular-nums}
ol{list-style:none;margin:0;padding:.9rem;overflow:auto;flex:1;display:flex;flex-direction:column;gap:.9rem}
time,.more{display:block;text-align:center;color:#566574;font-size:.8rem;margin-bottom:.25rem}
.bubble{background:#fff;border:1px solid #dde3ea;border-left:6px solid #7b8794;border-radius:6px 16px 16px 16px;
padding:.55rem .8rem .45rem;overflow-wrap:anywhere}
.yellow .bubble{border-left-color:#d99a00;background:#fffaea}.red .bubble{border-left-color:#c0271a;background:#fff2f0}
.notice .bubble{border-left-color:#2b6fb3;background:#f1f7fd}
.correction .bubble,.corrections .bubble,.clear .bubble{border-left-color:#3b7a4a;background:#f2f9f3}
.again .bubble,.reminder .bubble,.escalated .bubble,.trouble .bubble{border-left-color:#7a2e7a;background:#faf2fa}
.kind{font-weight:600;font-size:.86rem;display:flex;justify-content:space-between;color:#33414e}
.kind i{font-style:normal;font-weight:400;color:#566574}.bubble p{margin:.15rem 0 0}
.bubble a{color:#0b5cad}.none{padding:4rem 2rem;text-align:center;font-size:1.15rem;color:#43515f}
"""

_SCRIPT = """
const box=document.getElementById("live"),away=document.getElementById("away");
const bottom=()=>box.querySelectorAll("ol").forEach(o=>o.scrollTop=o.scrollHeight);bottom();let was=box.innerHTML;
setInterval(async()=>{try{const r=await fetch("phones"+location.search,{cache:"no-store"});if(!r.ok)throw 0;
const t=await r.text();away.style.display="none";if(t!==was){was=t;box.innerHTML=t;bottom()}}
catch(e){away.style.display="block"}},1500);
"""


def phones_page(part: str, language: str, nonce: str) -> str:
    """The whole page around :func:`phones_part`; it fetches that part again and again by itself."""
    words = WORDS[language]
    other = "?lang=en" if language == "zh-CN" else "?lang=zh-CN"
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{words['title']} · 明镜</title><style>{_STYLE}</style>"
        f"<header><h1><small>明镜</small>{words['title']}</h1><p>{words['lead']}</p>"
        f'<a href="{other}">{words["other"]}</a></header>'
        f'<div id="away" role="alert">{words["away"]}</div><main id="live">{part}</main>'
        f'<noscript><meta http-equiv="refresh" content="5"></noscript><script nonce="{nonce}">{_SCRIPT}</script></html>'
    )


def phones_part(
    messages: Sequence[Accepted], totals: tuple[int, int, int], names: Mapping[str, str], language: str
) -> str:
    """Counts and phones, in the order of their numbers.

    Args:
        messages: newest first.
        totals: (messages, phones, newest number) of the whole inbox.
        names: phone → whose it is.
    """
    words = WORDS[language]
    sums = (
        f'<div class="sums"><span><b>{totals[0]}</b>{words["messages"]}</span>'
        f"<span><b>{totals[1]}</b>{words['phones']}</span></div>"
    )
    if not messages:
        return f'{sums}<p class="none">{words["nothing"]}</p>'
    phones: dict[str, list[Accepted]] = {}
    for message in messages:
        phones.setdefault(message.phone, []).append(message)
    # Those with the newest messages, each always at its place: a phone that jumps cannot be read.
    drawn = [_phone(phone, inbox, names, language) for phone, inbox in sorted(list(phones.items())[:PHONES])]
    return f'{sums}<div class="phones">{"".join(drawn)}</div>'


def _phone(phone: str, inbox: Sequence[Accepted], names: Mapping[str, str], language: str) -> str:
    words = WORDS[language]
    hidden = len(inbox) - BUBBLES
    more = f'<li class="more">{words["more"].format(n=hidden)}</li>' if hidden > 0 else ""
    bubbles = "".join(_bubble(message, language) for message in reversed(inbox[:BUBBLES]))
    name = escape(names.get(phone) or words["unknown"])
    return (
        f'<section class="phone"><div class="screen"><h2>{name}<span>{escape(phone)}</span></h2>'
        f"<ol>{more}{bubbles}</ol></div></section>"
    )


def _bubble(message: Accepted, language: str) -> str:
    words, kind = WORDS[language], message.severity if message.severity in _SIGNS else "notice"
    arrived = words["received"].format(moment=time.strftime("%H:%M:%S", time.localtime(message.received_at)))
    return (
        f'<li class="{kind}"><time title="{escape(arrived)}">{escape(_moment(message.created_at))}</time>'
        f'<div class="bubble"><span class="kind">{_SIGNS[kind]} {words[kind]}'
        f"<i>{words['parts'].format(n=sms_parts(message.text))}</i></span><p>{_linked(message.text)}</p></div></li>"
    )


def _moment(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%m-%d %H:%M}"
    except ValueError:
        return text[:25]


def _linked(text: str) -> str:
    """Escaped text; addresses can be clicked."""
    parts, end = [], 0
    for match in _LINK.finditer(text):
        address = escape(match[0], quote=True)
        parts.append(escape(text[end : match.start()]))
        parts.append(f'<a href="{address}" target="_blank" rel="noreferrer noopener">{address}</a>')
        end = match.end()
    return "".join(parts) + escape(text[end:])
