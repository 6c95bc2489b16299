"""Bad reviews (差评): spoken about within a working day, put right within five or fifteen; and honest counts of ratings.

Anyang 2021 art. 52 and Shanghai 2024 art. 30 (contact), Dezhou and a city in Sichuan (putting right), 国办发〔2019〕51号
(every bad review is put right; mistaken and malicious ones are excluded through appeal).

Readings: a rating is under a name if ``data.real_name`` says so, or says nothing and the rating belongs to a case, for
then it is its applicant's. Whoever has put the matter right has been in contact. An appeal alone stops no clock, for no
source says that it does; an exclusion ends everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.family import Family
from detectors.limits import Clock, Due, explain_due, find_due, working_days
from detectors.subject_events import Facts, facts_of, first_after, instance, moment, soonest, text_of
from detectors.verdict import Claim, Verdict, overdue, settle
from domain.centre import Centre
from domain.events import Event
from domain.rules.ratings import RatingSettings

CONTACT, FIX = "rating.contact_overdue", "rating.fix_overdue"
ARTICLES = {
    CONTACT: "安阳市政务服务条例 art. 52; 上海市优化营商环境条例 art. 30 (1 个工作日内联系)",
    FIX: "国办发〔2019〕51号 (差评件件整改); E1 德州 5 / E2 四川 15 个工作日",
}
KINDS = frozenset(("rating.given", "rating.contacted", "rating.fixed", "rating.appealed", "rating.excluded"))


def name_of(event: Event, centre: Centre) -> str | None:
    """``data.rating``, or the case, or for a rating without either its own id."""
    named = text_of(event, "rating") or event.case
    return named or (event.event_id if event.kind == "rating.given" else None)


def judge_rating(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """The findings of one rating, or of all ratings of one case. Pure; depends on the set of events.

    ``status``: ``level`` of the newest rating, ``state`` (good, default, excluded, fixed, contacted, waiting).
    """
    now = now.astimezone(UTC)
    rules = centre.rules.ratings or RatingSettings()
    facts = facts_of(events, now)
    claims = [claim for given in facts.of("rating.given") for claim in _claims(given, facts, centre, rules)]
    first = facts.events[0] if facts.events else None
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"rating:{name}",
        case=next((e.case for e in facts.events if e.case), None),
        item=next((e.item for e in facts.events if e.item), None),
        window_at=lambda _: next((e.window for e in facts.events if e.window), None),
    )
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.finding_id))
    status = {} if first is None else _status(facts, rules)
    return Verdict(tuple(findings), soonest([*ahead, facts.ahead]), status)


def _claims(given: Event, facts: Facts, centre: Centre, rules: RatingSettings) -> list[Claim]:
    if not is_bad(given, rules) or not (rules.anonymous or _real_name(given)):
        return []
    since = moment(given)
    excluded = first_after(facts.of("rating.excluded"), since)
    fixed = first_after(facts.of("rating.fixed"), since)
    contacted = first_after(facts.of("rating.contacted", "rating.fixed"), since)
    appealed = first_after(facts.of("rating.appealed"), since)
    claims: list[Claim] = []
    for rule, days, done in ((CONTACT, rules.contact, contacted), (FIX, rules.fix, fixed)):
        due = None if days is None else find_due(Clock(since, working_days(days)), centre.working_time)
        if due is None:
            continue
        end = soonest(moment(e) for e in (done, excluded) if e is not None)
        claims += overdue(
            rule,
            "yellow",
            due.moment,
            end,
            provisional=due.provisional,
            instance=instance(given),
            explain=partial(_explain, rule, given, due, appealed, centre),
        )
    return claims


def is_default(event: Event, rules: RatingSettings) -> bool:
    """Whether a system rated in the citizen's place."""
    return event.data.get("default") is True or event.data.get("channel") in rules.default_channels


def is_bad(event: Event, rules: RatingSettings) -> bool:
    return not is_default(event, rules) and _level(event) >= rules.bad_from


def _level(event: Event) -> int:
    level: int = event.data["level"]
    return level


def _real_name(event: Event) -> bool:
    said = event.data.get("real_name")
    return said if isinstance(said, bool) else event.case is not None


def _explain(rule: str, given: Event, due: Due, appealed: Event | None, centre: Centre) -> dict[str, Any]:
    row = explain_due(due, centre.working_time)
    row["rating"] = {
        "event_id": given.event_id,
        "level": _level(given),
        "channel": given.data.get("channel"),
    }
    # The appeal is told of only if it came before the deadline: what is explained does not change afterwards.
    if appealed is not None and moment(appealed) <= due.moment:
        row["appealed_at"] = centre.working_time.local(moment(appealed)).isoformat()
    row["articles"] = f"{ARTICLES[rule]}; {row['articles']}"
    return row


def _status(facts: Facts, rules: RatingSettings) -> dict[str, Any]:
    given = facts.of("rating.given")
    if not given:
        return {"level": None, "state": "waiting"}
    last = given[-1]
    bad = [event for event in given if is_bad(event, rules)]
    since = moment(bad[0]) if bad else moment(last)
    if first_after(facts.of("rating.excluded"), moment(last)):
        state = "excluded"
    elif not bad:
        state = "default" if is_default(last, rules) else "good"
    elif first_after(facts.of("rating.fixed"), since):
        state = "fixed"
    else:
        state = "contacted" if first_after(facts.of("rating.contacted"), since) else "waiting"
    return {"level": _level(last), "state": state}


# ---- honest counts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RatingCounts:
    """Ratings of a set of cases, for the scores.

    ``by_level``: what people said, 1–5. ``default``: rated by a system in their place. ``unrated``: over the default's
    days old and nobody said anything. ``pending``: not yet that old. ``excluded``: taken out through appeal.
    """

    by_level: Mapping[int, int] = field(default_factory=dict)
    default: int = 0
    unrated: int = 0
    pending: int = 0
    excluded: int = 0

    @property
    def given(self) -> int:
        return sum(self.by_level.values())

    @property
    def satisfied_share(self) -> float | None:
        """Of the ratings people gave, the share of levels 1 to 3 (3 is "basically satisfied"); None without any."""
        return None if not self.given else sum(self.by_level.get(i, 0) for i in (1, 2, 3)) / self.given

    @property
    def coverage(self) -> float | None:
        """The share of cases due for a rating that a person did rate; None without any."""
        due = self.given + self.default + self.unrated
        return None if not due else self.given / due


def count_ratings(
    cases: Iterable[tuple[datetime, Sequence[Event]]],
    now: datetime,
    rules: RatingSettings,
) -> RatingCounts:
    """Counts each case once, by its newest rating from a person. Pure.

    Args:
        cases: the moment a case was closed, and its events ``rating.*``.
    """
    levels: dict[int, int] = {}
    counts = {"default": 0, "unrated": 0, "pending": 0, "excluded": 0}
    for closed_at, events in cases:
        facts = facts_of(events, now)
        given = facts.of("rating.given")
        own = [event for event in given if not is_default(event, rules)]
        if own and first_after(facts.of("rating.excluded"), moment(own[-1])):
            counts["excluded"] += 1
        elif own:
            levels[_level(own[-1])] = levels.get(_level(own[-1]), 0) + 1
        elif given:
            counts["default"] += 1
        else:
            late = now - closed_at > timedelta(days=rules.default_after)
            counts["unrated" if late else "pending"] += 1
    return RatingCounts(dict(sorted(levels.items())), **counts)


FAMILY = Family("ratings", "rating", KINDS, name_of, judge_rating)
