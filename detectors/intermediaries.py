"""Intermediaries (中介服务): reports and appraisals by the days promised, and what article 43 forbids.

优化营商环境条例 (L2) art. 43: conditions, process, time and fee are published; no agency may designate an intermediary;
an agency pays for the technical service it orders itself. Zhejiang 2018 (L17) art. 45: the promised days are published
and filed, and whoever breaks this is fined.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from detectors.family import Family
from detectors.limits import Clock, Due, explain_due, find_due
from detectors.subject_events import facts_of, first_after, instance, moment, soonest, text_of
from detectors.verdict import Claim, Verdict, overdue, settle
from domain.centre import Centre, Limit
from domain.events import Event
from domain.rules.intermediaries import IntermediarySettings

OVERDUE = "commission.overdue"
ARTICLES = {
    OVERDUE: "浙江省保障“最多跑一次”改革规定 art. 45; 优化营商环境条例 art. 43",
    "commission.unpromised": "浙江省保障“最多跑一次”改革规定 art. 45 (承诺时限公布并备案)",
    "commission.designated": "优化营商环境条例 art. 43 (不得指定或者变相指定中介服务机构)",
    "commission.charged": "优化营商环境条例 art. 43 (行政机关委托的技术性服务费用由行政机关承担)",
}
KINDS = frozenset(("commission.started", "commission.delivered", "commission.cancelled"))


def name_of(event: Event, centre: Centre) -> str | None:
    """``data.commission``."""
    return text_of(event, "commission")


def judge_commission(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """The findings of one commission to an intermediary. Pure; depends on the set of events.

    ``status``: ``phase`` (new, running, delivered, cancelled), ``intermediary``, ``due``.
    """
    now = now.astimezone(UTC)
    rules = centre.rules.intermediaries or IntermediarySettings()
    facts = facts_of(events, now)
    started = next(iter(facts.of("commission.started")), None)
    done = facts.of("commission.delivered", "commission.cancelled")
    claims: list[Claim] = []
    due: Due | None = None
    end = None
    if started is not None:
        since, limit = moment(started), promised(started, rules)
        end = first_after(done, since)
        if limit is not None:
            due = find_due(Clock(since, limit), centre.working_time)
        if due is not None:
            claims += overdue(
                OVERDUE,
                "yellow",
                due.moment,
                None if end is None else moment(end),
                provisional=due.provisional,
                explain=partial(_explain, OVERDUE, started, centre, due),
            )
        for rule, wrong in (
            ("commission.unpromised", rules.unpromised and limit is None),
            ("commission.designated", rules.designated and started.data.get("designated") is True),
            ("commission.charged", rules.charged and _charged(started)),
        ):
            if wrong:
                explain = partial(_explain, rule, started, centre, None)
                over = None if end is None else moment(end)
                claims.append(
                    Claim(rule, "notice", since, since, None, over, over, False, instance(started), explain)
                )
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"commission:{name}",
        case=next((e.case for e in facts.events if e.case), None),
        item=next((e.item for e in facts.events if e.item), None),
        window_at=lambda _: next((e.window for e in facts.events if e.window), None),
    )
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.finding_id))
    status = {
        "phase": "new" if started is None else "running" if end is None else end.kind.partition(".")[2],
        "intermediary": None if started is None else text_of(started, "intermediary"),
        "due": None if due is None else due.moment,
    }
    return Verdict(tuple(findings), soonest([*ahead, facts.ahead]), status)


def promised(started: Event, rules: IntermediarySettings) -> Limit | None:
    """The shortest of the days in the event and those filed for the intermediary and for the service."""
    service, agency = text_of(started, "service") or "", text_of(started, "intermediary") or ""
    filed = [rules.by_intermediary.get(agency, {}).get(service), rules.promises.get(service)]
    limits = [Limit(days=each.days, unit=each.unit) for each in filed if each is not None]
    days = started.data.get("days")
    if isinstance(days, int):
        limits.append(Limit(days=days, unit=started.data.get("unit") or "working_day"))
    # Five working days are about a week of calendar days.
    return min(
        limits, key=lambda x: (x.days * (7 / 5 if x.unit == "working_day" else 1), x.unit), default=None
    )


def _charged(started: Event) -> bool:
    return started.data.get("ordered_by") == "agency" and started.data.get("paid_by") == "applicant"


def _explain(rule: str, started: Event, centre: Centre, due: Due | None) -> dict[str, Any]:
    row: dict[str, Any] = {} if due is None else explain_due(due, centre.working_time)
    row["started"] = {
        "event_id": started.event_id,
        "at": centre.working_time.local(moment(started)).isoformat(),
    }
    row["intermediary"] = text_of(started, "intermediary")
    row["service"] = text_of(started, "service")
    row["articles"] = "; ".join(part for part in (ARTICLES[rule], row.get("articles")) if part)
    return row


FAMILY = Family("intermediaries", "commission", KINDS, name_of, judge_commission)
