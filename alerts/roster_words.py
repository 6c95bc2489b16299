"""Words for why somebody is told, and why somebody else is not (:mod:`alerts.roster`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.roster import Ground

ROLES = {
    "zh-CN": {
        "handler": "经办人",
        "superior": "科室负责人",
        "leader": "分管领导",
        "staff": "窗口人员",
        "inspectors": "监察员",
        "operators": "运维人员",
    },
    "en": {
        "handler": "handler",
        "superior": "superior",
        "leader": "leader in charge",
        "staff": "staff",
        "inspectors": "inspectors",
        "operators": "operators",
    },
}
_ZH = {
    "role": "{window}{role}",
    "listed": "{role}名单（messages.{key}）",
    "person": "按人员编号指定",
    "duty": "值班{role}（messages.duty 第{entry}条）",
    "shift": "{window}当班人员（roster）",
    "substitute": "替{for}，其{span}请假（leave.granted {event}）",
    "b_post": "{for}的AB岗，其{span}请假、未指定替岗（leave.granted {event}）",
    "cover": "{since}起顶岗接替{for}（cover.started {event}）",
    "up": "{window}{role}均不在，逐级上报",
    "all_the_same": "不在岗，但再无他人，仍予发送",
    "on_leave": "{span}请假（leave.granted {event}），无人替岗",
    "on_leave_by": "{span}请假（leave.granted {event}），由{by}替岗",
    "covered": "{since}起由{by}顶岗（cover.started {event}）",
    "off_duty": "由{by}值班",
    "off_shift": "此时不当班（roster）",
    "unknown": "不在中心文件的人员名单中",
    "join": "；",
    "of": "{id} ",
    "span": "{first}至{last}",
    "day": "{moment:%Y-%m-%d}",
    "minute": "{moment:%Y-%m-%d %H:%M}",
    "time": "{moment:%H:%M}",
}
_EN = {
    "role": "{role}{window}",
    "listed": "on the list of {role} (messages.{key})",
    "person": "named by id",
    "duty": "on duty for {role} (messages.duty, entry {entry})",
    "shift": "on shift{window} (roster)",
    "substitute": "stands in for {for}, on leave {span} (leave.granted {event})",
    "b_post": "B-post of {for}, on leave {span} without a substitute (leave.granted {event})",
    "cover": "took over from {for} at {since} (cover.started {event})",
    "up": "in place of the {role}{window}, of whom nobody is left",
    "all_the_same": "away, but nobody else is left: told all the same",
    "on_leave": "on leave {span} (leave.granted {event}), nobody stands in",
    "on_leave_by": "on leave {span} (leave.granted {event}), {by} stands in",
    "covered": "{by} took over at {since} (cover.started {event})",
    "off_duty": "{by} is on duty",
    "off_shift": "not on shift now (roster)",
    "unknown": "not among the people of the centre file",
    "join": "; ",
    "of": " of {id}",
    "span": "{first} to {last}",
    "day": "{moment:%Y-%m-%d}",
    "minute": "{moment:%Y-%m-%d %H:%M}",
    "time": "{moment:%H:%M}",
}
_WORDS: Mapping[str, Mapping[str, str]] = {"zh-CN": _ZH, "en": _EN}


def ground_words(
    ground: Ground | Mapping[str, Any], language: str, name_of: Callable[[str], str] = str
) -> str:
    """One step in words.

    Args:
        ground: as found, or as it was kept (:meth:`Ground.to_json`).
        name_of: id of a person → how he is called; by default the id.
    """
    row = ground.to_json() if isinstance(ground, Ground) else ground
    words, code = _WORDS[language], str(row["code"])
    values: dict[str, Any] = dict(row)
    for key in ("for", "by"):
        if values.get(key):
            values[key] = name_of(str(values[key]))
    values["window"] = words["of"].format(id=row["window"]) if row.get("window") else ""
    if row.get("role"):
        values |= {"key": row["role"], "role": ROLES[language].get(str(row["role"]), row["role"])}
    if row.get("since"):
        values["since"] = words["time"].format(moment=datetime.fromisoformat(row["since"]))
    if row.get("from") and row.get("to"):
        values["span"] = _span(row["from"], row["to"], words)
    if code == "on_leave" and row.get("by"):
        code = "on_leave_by"
    return words[code].format_map(values) if code in words else code


def grounds_words(
    grounds: Iterable[Ground | Mapping[str, Any]], language: str, name_of: Callable[[str], str] = str
) -> str:
    """The steps of a reason as one line."""
    return _WORDS[language]["join"].join(ground_words(each, language, name_of) for each in grounds)


def _span(start: str, end: str, words: Mapping[str, str]) -> str:
    """An edge at midnight by its date, the last one included; else to the minute."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    begin = words["day" if _is_midnight(first) else "minute"].format(moment=first)
    until = (
        words["day"].format(moment=last - timedelta(days=1))
        if _is_midnight(last)
        else words["minute"].format(moment=last)
    )
    return begin if begin == until else words["span"].format(first=begin, last=until)


def _is_midnight(moment: datetime) -> bool:
    return moment.hour == moment.minute == 0


__all__ = ["ROLES", "ground_words", "grounds_words"]
