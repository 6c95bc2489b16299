"""The facts of a message: what its template shows of a finding, and nothing else. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.matcher import BLIND
from alerts.pipeline.draft import News
from alerts.reasons import Why
from alerts.roster import Roster
from domain.centre import Centre, Person
from domain.finding_life import INSPECTOR
from domain.findings import Finding
from domain.messages import Route

#: Surnames of two characters, so that 欧阳某 is not called 欧某.
TWO = frozenset((
    "欧阳", "太史", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛", "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政",
    "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "闾丘", "令狐", "轩辕", "端木",
    "百里", "呼延", "东郭", "南门", "西门", "拓跋",
))  # fmt: skip


def template_of(news: News) -> str:
    """Template id of the message for some news."""
    if news.why is Why.REVOKED:
        return "finding.correction"
    if news.late is not None:
        return "finding.reminder"
    again = {Why.REMINDER: "finding.again", Why.ESCALATION: "finding.escalated"}
    return again.get(news.why, f"finding.{news.finding.severity}")


def params_of(news: News, route: Route, centre: Centre, roster: Roster, now: datetime) -> dict[str, Any]:
    """Facts only, and only those a message shows: no ``explain``, which may hold more than a phone should."""
    finding, zone = news.finding, centre.zone
    window = centre.window_by_id.get(finding.window or "")
    moments = {"opened_at": finding.opened_at, "due_at": finding.due_at}
    if news.late is not None:
        moments["answer_due"] = news.late.due_at
    facts: dict[str, Any] = {
        "rule": finding.rule,
        "severity": finding.severity,
        "step": news.step,
        "window": finding.window,
        "window_name": window.name if window else None,
        "case": finding.case,
        "who": who_acts(news, centre, roster, now),
        "centre_name": centre.centre.name,
        "provisional": finding.provisional or None,
        "late": news.late.step if news.late is not None else None,
        "written_at": now.astimezone(zone).isoformat(timespec="seconds"),
    }
    facts |= {name: at.astimezone(zone).isoformat() for name, at in moments.items() if at is not None}
    facts |= _shown(finding)
    if news.why in (Why.REMINDER, Why.ESCALATION):
        facts |= {"number": news.number or None, "until": route.until, "waited": news.waited}
    return {name: value for name, value in facts.items() if value not in (None, "")}


def named(person: Person, how: str) -> str | None:
    """How a person is called in messages: ``full``, ``surname`` (张某) or ``role`` (what he is; None: the general word)."""
    if how == "full":
        return person.name
    if how == "role":
        return person.title or None
    name = person.name.strip()
    if name.isascii():
        return name.split(" ")[-1]
    return f"{name[:2] if name[:2] in TWO else name[:1]}某"


def who_acts(news: News, centre: Centre, roster: Roster, now: datetime) -> str | None:
    """Whoever handles the window at this moment, or stands in for a handler the file does not name; an appeal is decided by
    inspectors."""
    people = centre.person_by_id
    finding = news.finding
    if news.late is not None and news.late.roles == INSPECTOR:
        roles: tuple[str, ...] = ("inspectors",)
    elif centre.messages.operators and finding.rule.startswith(BLIND):
        roles = ("operators",)
    elif finding.window not in centre.window_by_id:
        return None
    else:
        roles = ("handler", "superior", "leader")
    for role in roles:
        for holder in roster.holders(role, finding.window, now).people:
            if holder in people:
                return named(people[holder], centre.messages.names)
    return None


def _shown(finding: Finding) -> dict[str, Any]:
    """What a message shows of ``explain``: the stage; of an absence or a silence its begin, minutes and source."""
    explain, family = finding.explain, finding.rule.split(".", 1)[0]
    if family == "stage" and explain.get("stage"):
        return {"stage": str(explain["stage"])}
    if family not in ("absence", "source") or not isinstance(explain.get("minutes"), int | float):
        return {}
    since = explain.get("since") or explain.get("last_seen")
    shown: dict[str, Any] = (
        {"since": str(since), "minutes": explain["minutes"], "due_at": None} if since else {}
    )
    if explain.get("seen_waiting") or (explain.get("waiting") or {}).get("count"):
        shown["waiting"] = True
    if family != "source":
        return shown
    kind = explain.get("kind")
    return (
        shown
        | {"source": str(explain.get("source"))}
        | ({"kind": kind} if kind in ("camera", "site") else {})
    )


__all__ = ["named", "params_of", "template_of", "who_acts"]
