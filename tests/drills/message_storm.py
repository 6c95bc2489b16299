"""Thousands of findings within minutes: cards stay single, leaders get digests, budgets hold, and nothing is told nowhere.

Run it by hand: ``python -m tests.drills storm-of-messages``. The clock jumps; PostgreSQL, stages, rounds and sender are the real ones.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.findings import Finding, Severity
from tests.drills.message_stage import CODE, Stage, make_centre

ROLES: Final = {"h": "handler", "s": "superior", "l": "leader", "j": "inspectors", "o": "operators"}
TOLD: Final[Mapping[str, str]] = {"notice": "h", "yellow": "hs", "red": "hslj"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it: ``findings`` within ``minutes``, at ``windows`` of ``leaders``."""

    findings: int = 5000
    windows: int = 60
    leaders: int = 8
    minutes: float = 5
    seed: int = 7


SHORT = Plan(findings=300, windows=10, leaders=2)
#: Each message by itself but for leaders: what cards are.
CARDS: Final[Mapping[str, Any]] = {"flood": None, "budget": None}
#: What a centre on Aliyun has: 50 a day, number and template.
BOUNDED: Final[Mapping[str, Any]] = {
    "budget": {"per_day": 40, "keep_for_red": 10},
    "digest": {"at": "17:30", "days": "working", "to": ["leader"]},
}
STORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "neither flood nor budget": CARDS,
    "floods gathered, no budget": {},
    "floods gathered, 40 a day and number": BOUNDED,
}


@dataclass(slots=True)
class Account:
    """For each role: what became of every (finding, person).

    Args:
        found: role → how each was told: ``single``, ``digest.…`` or ``skipped: reason``.
        messages: role → messages the phones of that role show, by template.
    """

    title: str
    plan: Plan
    found: dict[str, Counter[str]]
    messages: dict[str, Counter[str]]
    most: int
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        roles = [role for role in ROLES.values() if self.found.get(role) or self.messages.get(role)]
        lines = [
            f"== {self.plan.findings:,} findings in {self.plan.minutes:g} minutes, {self.plan.windows} windows,"
            f" {self.plan.leaders} leaders: {self.title}"
        ]
        lines.append(f"{'':28}" + "".join(f"{role:>12}" for role in roles))
        for what in sorted({name for counts in self.found.values() for name in counts}):
            lines.append(f"{what:28}" + "".join(f"{self.found[role][what]:>12,}" for role in roles))
        lines.append(
            f"{'to be told':28}" + "".join(f"{sum(self.found[role].values()):>12,}" for role in roles)
        )
        for template in sorted({name for counts in self.messages.values() for name in counts}):
            lines.append(
                f"{'  on phones: ' + template:28}"
                + "".join(f"{self.messages[role][template]:>12,}" for role in roles)
            )
        lines.append(f"most messages a number and day  {self.most}")
        lines += self.faults[:20]
        lines.append("balanced" if not self.faults else f"DOES NOT BALANCE: {len(self.faults)} faults")
        return "\n".join(lines)

    def check(self) -> None:
        """Raises AssertionError unless it balances."""
        assert not self.faults, "\n".join(self.faults[:20])


def storm(dsn: str, plan: Plan, title: str, settings: Mapping[str, Any]) -> Account:
    """
    Args:
        dsn: of an empty, migrated database.
        settings: of ``messages`` in the centre file.
    """
    stage = Stage(dsn, make_centre(plan.windows, plan.leaders, **settings))
    try:
        expected = pour(stage, plan)
        stage.play_out(stage.now + timedelta(days=30))
        return take_account(stage, plan, title, expected)
    finally:
        stage.close()


def pour(stage: Stage, plan: Plan) -> dict[tuple[str, str], str]:
    """Opens the findings, a batch every second; (finding, person) → severity of all who have to be told."""
    rng = random.Random(plan.seed)
    seconds = max(1, round(plan.minutes * 60))
    expected: dict[tuple[str, str], str] = {}
    numbers = iter(range(plan.findings))
    for second in range(seconds):
        due = plan.findings * (second + 1) // seconds - plan.findings * second // seconds
        batch = [_finding(next(numbers), rng, plan, stage.now) for _ in range(due)]
        with stage.connection.transaction():
            _save(stage, batch)
            stage.planner(stage.connection, [(finding, "opened") for finding in batch], stage.now)
        for finding in batch:
            expected |= {(finding.finding_id, person): finding.severity for person in _told(finding, plan)}
        stage.clock.advance(1)
        if second % 5 == 4:
            stage.turn(judge=False)
    return expected


def _finding(number: int, rng: random.Random, plan: Plan, now: datetime) -> Finding:
    severity: Severity = rng.choices(("notice", "yellow", "red"), (20, 50, 30))[0]  # type: ignore[assignment]
    return Finding(
        finding_id=f"f{number}",
        rule="time_limit.promised" if severity != "notice" else "time_limit.notice",
        severity=severity,
        centre=CODE,
        opened_at=now,
        case=f"LY-{number:05d}",
        window=f"W{rng.randrange(plan.windows)}",
        due_at=now,
    )


def _told(finding: Finding, plan: Plan) -> list[str]:
    assert finding.window is not None
    window = int(finding.window[1:])
    people = {"h": f"h{window}", "s": f"s{window // 5}", "l": f"l{window % plan.leaders}", "j": "j0"}
    return [people[letter] for letter in TOLD[finding.severity]]


def _save(stage: Stage, findings: list[Finding]) -> None:
    with stage.connection.cursor() as cursor:
        cursor.executemany(
            "insert into finding (finding_id, rule, severity, centre, case_id, window_id, subject, opened_at, state, due_at,"
            " issued_at, updated_at) values (%s, %s, %s, %s, %s, %s, %s, %s, 'open', %s, %s, %s)",
            [
                (each.finding_id, each.rule, each.severity, each.centre, each.case, each.window, f"case:{each.case}",
                 each.opened_at, each.due_at, each.opened_at, each.opened_at)
                for each in findings
            ],
        )  # fmt: skip


def take_account(stage: Stage, plan: Plan, title: str, expected: Mapping[tuple[str, str], str]) -> Account:
    """Every (finding, person) of the storm beside what became of it."""
    rows = stage.connection.execute(
        """
        select o.finding_id, o.person, o.state, o.reason, o.digest_id, d.template, d.state, o.idempotency_key
        from outbox o left join outbox d on d.message_id = o.digest_id where o.finding_id is not null
        """
    ).fetchall()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    faults: list[str] = []
    told: Counter[tuple[str, str]] = Counter()
    arrived = Counter(each.idempotency_key for each in stage.recorder.heard)
    for finding, person, state, reason, digest, template, digest_state, key in rows:
        told[finding, person] += 1
        role, severity = ROLES[person[0]], expected.get((finding, person), "?")
        if state == "delivered":
            how = "single"
            if arrived[key] != 1:
                faults.append(f"{key}: {arrived[key]} times on the phone")
        elif state == "gathered":
            how = template or "nowhere"
            if digest is None or digest_state != "delivered":
                faults.append(f"{key}: gathered in message {digest}, which is {digest_state}")
            if role in ("handler", "superior"):
                faults += _card_fault(key, severity, template, stage)
        elif state == "skipped":
            how = f"skipped: {reason}"
        else:
            how = f"still {state}: {reason}"
            faults.append(f"{key}: {how}")
        found[role][how] += 1
    faults += [
        f"{finding} to {person}: {told[finding, person]} rows"
        for finding, person in expected
        if told[finding, person] != 1
    ]
    faults += [
        f"{finding} to {person}: nobody asked for it" for finding, person in told.keys() - expected.keys()
    ]
    faults += _digest_faults(stage)
    most, over = _most(stage)
    return Account(title, plan, dict(found), _messages(stage), most, [*faults, *over])


def _card_fault(key: str, severity: str, template: str | None, stage: Stage) -> list[str]:
    """Cards of handler and superior: never grouped, and a red one gathered only where the number has had its day's budget."""
    settings = stage.centre.messages
    if template == "digest.group":
        return [f"{key}: a card in a group"]
    if settings.flood is None and settings.budget is None:
        return [f"{key}: a card is not single"]
    if severity == "red" and settings.budget is None:
        return [f"{key}: a red card is gathered"]
    return []


def _digest_faults(stage: Stage) -> list[str]:
    """A digest says how many findings it tells of, and that is so."""
    rows = stage.connection.execute(
        """
        select d.message_id, (d.params ->> 'total')::int, count(distinct o.finding_id) from outbox d
        join outbox o on o.digest_id = d.message_id where d.template <> 'digest.daily' group by 1, 2
        """
    )
    return [
        f"digest {number}: says {total} findings, stands for {count}"
        for number, total, count in rows
        if total != count
    ]


def _most(stage: Stage) -> tuple[int, list[str]]:
    rows = stage.connection.execute(
        "select phone, (sent_at at time zone 'Asia/Shanghai')::date, count(*) from outbox where sent_at is not null"
        " group by 1, 2"
    ).fetchall()
    budget = stage.centre.messages.budget
    over = [
        f"{phone} on {day}: {count} messages"
        for phone, day, count in rows
        if budget and count > budget.per_day
    ]
    return max(count for _, _, count in rows), over


def _messages(stage: Stage) -> dict[str, Counter[str]]:
    role_of = {person.phone: ROLES[person.id[0]] for person in stage.centre.people}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in stage.recorder.heard:
        found[role_of[each.to]][each.template] += 1
    return dict(found)
