"""The page of a bundle that people read: each finding with its count, acts and messages, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from domain.centre import Centre
from domain.events import Event
from domain.findings import Finding
from mingjing.act_words import words_of
from mingjing.audit.bundle import picture_name
from mingjing.why.reasons import answer_case
from mingjing.why.text import Speaker

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "title": "监察证据",
        "about": "{name}（{centre}）　{what}　{made_at}",
        "acts": "处理经过",
        "messages": "短信",
        "pictures": "图片（不得留存的区域在写入前已涂黑）",
        "missing": "缺：{role}（{reason}）",
        "unknown": "摄像机时钟偏差未知",
        "offset": "摄像机时钟偏差 {seconds:+.1f} 秒",
        "gone": "已删除",
        "none": "无",
        "case": "办件的计算",
        "check": "核验：mingjing audit verify 本文件（离线）。做法见 docs/evidence.md。链中的序号写作 #n。",
        "files": "文件与 SHA-256",
    },
    "en": {
        "title": "Evidence",
        "about": "{name} ({centre}), {what}, {made_at}",
        "acts": "What was done",
        "messages": "Messages",
        "pictures": "Pictures (black where nothing may be kept, before they were written)",
        "missing": "missing: {role} ({reason})",
        "unknown": "the camera's own clock is not known",
        "offset": "the camera's own clock was {seconds:+.1f} s ahead",
        "gone": "deleted",
        "none": "none",
        "case": "The counts of the case",
        "check": "To verify: mingjing audit verify FILE (offline); docs/evidence.md says how. #n is a row of the chain.",
        "files": "Files and SHA-256",
    },
}
_ROLES: Mapping[str, tuple[str, str]] = {
    "before": ("离开前", "last seen"), "first": ("首张空岗", "first of the empty seat"), "sample": ("抽样", "sample"),
    "opened": ("立案时", "when the finding opened"), "last": ("末张空岗", "last of the empty seat"), "back": ("返岗", "back"),
}  # fmt: skip
_SEEN: Mapping[str | None, tuple[str, str]] = {
    "present": ("识别：有人", "seen: somebody"), "absent": ("识别：无人", "seen: nobody"),
    "unknown": ("识别：不能确定", "seen: cannot tell"), None: ("", ""),
}  # fmt: skip
_HEAD = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>监察证据</title>
<style>body{font:15px/1.6 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}pre{white-space:pre-wrap;font-family:inherit}
section{border-top:1px solid #999;margin-top:2em}td{padding:0 1em 0 0;vertical-align:top}
figure{display:inline-block;margin:0 1em 1em 0;max-width:28em;vertical-align:top}figure img{max-width:100%}figcaption{overflow-wrap:anywhere}
figcaption small{font:11px/1.4 monospace;color:#555}</style>
"""


def page(
    about: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    events: Mapping[str, Sequence[Event]],
    centres: Mapping[str, Centre],
    centre: Centre,
    now: datetime,
    files: Mapping[str, str],
) -> str:
    """The whole page.

    Args:
        rows: findings as the chain tells them (their acts and messages).
        events, centres: of each case; the centre with the limits of its start.
        files: name → SHA-256.
    """
    parts = [_HEAD]
    for language in ("zh", "en"):
        parts += _in(language, about, rows, findings, events, centres, centre, now, files)
    return "\n".join(parts) + "\n"


def _in(
    language: str,
    about: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    events: Mapping[str, Sequence[Event]],
    centres: Mapping[str, Centre],
    centre: Centre,
    now: datetime,
    files: Mapping[str, str],
) -> Iterator[str]:
    texts, words, speak = _TEXTS[language], words_of(language), Speaker(language, centre)
    yield f"<section><h1>{texts['title']}</h1>"
    values = {
        key: f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
        for key, value in about.items()
    }
    yield f"<p>{escape(texts['about'].format(**values))}</p><p>{texts['check']}</p>"
    for finding, row in zip(findings, rows, strict=True):
        yield f"<h2>{escape(words[finding.severity])} {escape(finding.rule)} #{row['row'] or '–'}</h2>"
        yield f"<pre>{escape(chr(10).join(speak.finding(finding)))}</pre>"
        yield f"<h3>{texts['acts']}</h3>"
        yield _table(
            [
                [
                    f"#{act['row']}",
                    act["at"],
                    words.get(act["step"], act["step"]),
                    _name(centre, act["person"]),
                    str(act["detail"].get("text") or ""),
                ]
                for act in row["acts"]
            ],
            texts["none"],
        )
        yield f"<h3>{texts['messages']}</h3>"
        yield _table(
            [
                [
                    f"#{each['row']}",
                    each["at"],
                    each["kind"],
                    _name(centre, each["person"]),
                    each["phone"],
                    each["template"],
                ]
                for each in row["messages"]
            ],
            texts["none"],
        )
        yield from _pictures(row.get("pictures", ()), texts, language, centre)
    for case, taken in events.items():
        answer = answer_case(case, taken, centres[case], now)
        said = Speaker(language, centres[case]).why_not(answer)
        yield f"<h2>{texts['case']}</h2><pre>{escape(chr(10).join(said))}</pre>"
    yield f"<h3>{texts['files']}</h3>"
    yield _table([[name, digest] for name, digest in sorted(files.items())], texts["none"])
    yield "</section>"


def _pictures(
    rows: Sequence[Mapping[str, Any]], texts: Mapping[str, str], language: str, centre: Centre
) -> Iterator[str]:
    """The pictures that the chain links to a finding, beside this page in the bundle, and what is missing."""
    gone = {name for row in rows if row["kind"] == "picture.deleted" for name in row["pictures"]}
    answers = [row for row in rows if row["kind"] in ("picture.linked", "picture.missing")]
    if not answers:
        return
    number = 1 if language == "en" else 0
    yield f"<h3>{texts['pictures']}</h3>"
    for row in answers:
        for each in row.get("pictures", ()):
            at = datetime.fromisoformat(each["taken_at"]).astimezone(centre.zone)
            offset = each["clock_offset_ms"]
            clock = texts["unknown"] if offset is None else texts["offset"].format(seconds=offset / 1000)
            caption = f"#{row['row']} {_ROLES[each['role']][number]} {at:%Y-%m-%d %H:%M:%S} {row['camera']}/{row['post']} {_SEEN[each['state']][number]} {clock}"
            name = each["sha256"]
            shown = texts["gone"] if name in gone else f'<img src="{picture_name(name)}" alt="{name}">'
            yield f"<figure>{shown}<figcaption>{escape(caption)}<br><small>{name}</small></figcaption></figure>"
    for row in answers:
        for role, reason in row["missing"]:
            said = texts["missing"].format(role=_ROLES[role][number], reason=reason)
            yield f"<p>#{row['row']} {escape(row['camera'])}/{escape(row['post'])} {escape(said)}</p>"


def _name(centre: Centre, person: str) -> str:
    name = next((each.name for each in centre.people if each.id == person), "")
    return f"{name} {person}".strip()


def _table(rows: Sequence[Sequence[str]], none: str) -> str:
    if not rows:
        return f"<p>{none}</p>"
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
