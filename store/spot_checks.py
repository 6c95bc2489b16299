"""Spot checks: plans, answers, and what was known of the same moments. Answers are added, never changed.

Plans and answers are rows of the evidence chain: neither a seed nor an answer can be changed afterwards unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.chain import Entry
from domain.errors import InputError, StoreError
from domain.observations import PresenceSpan
from store import chain
from store.connection import Connection


@dataclass(frozen=True, slots=True)
class Plan:
    """How a plan was drawn."""

    plan_id: str
    centre: str
    seed: str
    quota: int
    every: int
    first_day: date
    last_day: date
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One planned look; ``answer``, ``minutes``, ``person`` of the newest answer, None without one."""

    check_id: str
    window: str
    hour: int
    at: datetime
    population: int
    drawn: int
    answer: str | None = None
    minutes: float | None = None
    person: str | None = None


def save_plan(connection: Connection, plan: Plan, checks: Iterable[CheckRow]) -> None:
    """Keeps a plan with its checks, all or nothing.

    Raises:
        InputError: there is a plan of that id.
    """
    with connection.transaction():
        done = connection.execute(
            "insert into spot_check_plan (plan_id, centre, seed, quota, every, first_day, last_day, made_at, made_by)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                plan.plan_id, plan.centre, plan.seed, plan.quota, plan.every, plan.first_day, plan.last_day,
                plan.made_at, plan.made_by,
            ],
        )  # fmt: skip
        if not done.rowcount:
            raise InputError(
                f"the plan {plan.plan_id} is there already: the same seed and days draw the same"
            )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into spot_check (check_id, plan_id, centre, window_id, hour, at, population, drawn)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (f"{plan.plan_id}-{c.check_id}", plan.plan_id, plan.centre, c.window, c.hour, c.at, c.population, c.drawn)
                    for c in checks
                ],
            )  # fmt: skip
        drawn = {
            "seed": plan.seed, "quota": plan.quota, "every": plan.every, "first_day": plan.first_day.isoformat(),
            "last_day": plan.last_day.isoformat(), "person": plan.made_by,
        }  # fmt: skip
        entry = Entry("spot_check.planned", f"plan:{plan.plan_id}", drawn)
        chain.append(connection, plan.centre, [entry], plan.made_at)


def read_plan(connection: Connection, plan_id: str) -> Plan:
    """How a plan was drawn.

    Raises:
        StoreError: there is none of that id.
    """
    row = connection.execute(
        "select plan_id, centre, seed, quota, every, first_day, last_day, made_at, made_by"
        " from spot_check_plan where plan_id = %s",
        [plan_id],
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no plan of spot checks {plan_id}")
    return Plan(*row)


def plans(connection: Connection, centre: str, *, limit: int = 20) -> list[Plan]:
    """The plans of a centre, the latest day first."""
    rows = connection.execute(
        "select plan_id, centre, seed, quota, every, first_day, last_day, made_at, made_by"
        " from spot_check_plan where centre = %s order by last_day desc, made_at desc limit %s",
        [centre, limit],
    )
    return [Plan(*row) for row in rows]


def checks_of_day(connection: Connection, centre: str, since: datetime, until: datetime) -> list[CheckRow]:
    """The checks of all plans of a centre in a half-open span, by moment, each with its newest answer."""
    rows = connection.execute(
        "select c.check_id, window_id, hour, c.at, population, drawn, answer, minutes, person from spot_check c"
        " left join lateral (select answer, minutes, person from spot_check_answer a where a.check_id = c.check_id"
        "   order by number desc limit 1) a on true where c.at >= %(since)s and c.at < %(until)s and plan_id in ("
        "   select plan_id from spot_check_plan where centre = %(centre)s and last_day >= %(since)s::timestamptz::date - 1"
        "   and first_day <= %(until)s::timestamptz::date + 1) order by c.at, window_id, c.check_id",
        {"centre": centre, "since": since, "until": until},
    )
    return [CheckRow(*row) for row in rows]


def read_checks(connection: Connection, plan_id: str) -> list[CheckRow]:
    """The checks of a plan by moment, each with its newest answer."""
    rows = connection.execute(
        "select c.check_id, window_id, hour, c.at, population, drawn, answer, minutes, person from spot_check c"
        " left join lateral (select answer, minutes, person from spot_check_answer a where a.check_id = c.check_id"
        "   order by number desc limit 1) a on true where plan_id = %s order by c.at, window_id",
        [plan_id],
    )
    return [CheckRow(*row) for row in rows]


def answer_check(
    connection: Connection,
    check_id: str,
    answer: str,
    *,
    person: str,
    now: datetime,
    minutes: float | None = None,
    note: str = "",
    again: bool = False,
    centre: str | None = None,
) -> None:
    """Adds an answer.

    Args:
        centre: only to a check of this centre; None: of any.
        again: corrects an answer that is there; both are kept.

    Raises:
        StoreError: there is no such check.
        InputError: it lies in the future, or has an answer and ``again`` is not said.
    """
    with connection.transaction():
        row = connection.execute(
            "select at, centre, window_id from spot_check where check_id = %s for update", [check_id]
        ).fetchone()
        if row is None or (centre is not None and row[1] != centre):
            raise StoreError(f"there is no spot check {check_id}")
        if row[0] > now:
            raise InputError(f"the spot check {check_id} is at {row[0].isoformat()}, which has not come")
        known = connection.execute(
            "select person from spot_check_answer where check_id = %s limit 1", [check_id]
        ).fetchone()
        if known is not None and not again:
            raise InputError(f"{check_id} was answered by {known[0]}; --again corrects it and keeps both")
        connection.execute(
            "insert into spot_check_answer (check_id, at, person, answer, minutes, note) values (%s, %s, %s, %s, %s, %s)",
            [check_id, now, person, answer, minutes, note],
        )
        said = {
            "at": row[0].isoformat(), "window": row[2], "person": person, "answer": answer, "minutes": minutes,
            "note": note,
        }  # fmt: skip
        entry = Entry("spot_check.answered", f"check:{check_id}", said)
        chain.append(connection, row[1], [entry], now)


def spans_at(
    connection: Connection, centre: str, moments: Sequence[tuple[str, datetime]]
) -> dict[tuple[str, datetime], list[PresenceSpan]]:
    """What the posts of each window said at a moment."""
    rows = connection.execute(
        "select w, t, camera, post, state, p.since, until, reason, seen_at"
        " from unnest(%s::text[], %s::timestamptz[]) as u (w, t) join presence_span p"
        " on p.centre = %s and p.window_id = w and p.since <= t and (until is null or until > t)",
        [[window for window, _ in moments], [at for _, at in moments], centre],
    )
    found: dict[tuple[str, datetime], list[PresenceSpan]] = {moment: [] for moment in moments}
    for window, at, *span in rows:
        found[window, at].append(PresenceSpan(*span))
    return found


def absences_at(
    connection: Connection, centre: str, moments: Sequence[tuple[str, datetime]]
) -> Mapping[tuple[str, datetime], bool]:
    """Whether a finding of absence that stands covers each moment, from the beginning of the absence on."""
    rows = connection.execute(
        "select w, t, exists (select from finding f where f.centre = %s and f.subject = 'window:' || w"
        "   and f.rule like 'absence.%%' and f.state <> 'revoked'"
        "   and coalesce((f.explain ->> 'since')::timestamptz, f.opened_at) <= t"
        "   and (f.closed_at is null or f.closed_at > t))"
        " from unnest(%s::text[], %s::timestamptz[]) as u (w, t)",
        [centre, [window for window, _ in moments], [at for _, at in moments]],
    )
    return {(window, at): covered for window, at, covered in rows}


__all__ = [
    "CheckRow", "Plan", "absences_at", "answer_check", "checks_of_day", "plans", "read_checks", "read_plan", "save_plan", "spans_at",
]  # fmt: skip
