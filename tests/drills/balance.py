"""What a drill ends with: everything that went in, beside everything that came of it, and where the two disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.centre import load_centre
from domain.errors import EventError
from domain.events import content_hash, parse_line
from mingjing.replay import replay

if TYPE_CHECKING:
    from tests.drills.system import System

#: What must be equal in a finding, live and replayed.
Facts = tuple[str, str, str, datetime, datetime | None, datetime | None, bool]


@dataclass(frozen=True, slots=True)
class Account:
    """What a set of lines must become, counted without the system."""

    lines: int
    distinct: int
    duplicates: int
    rejected: Mapping[str, int]  # by code: different lines, however often each came

    @classmethod
    def of(cls, lines: Iterable[str], *, centre: str | None, windows: frozenset[str] | None) -> Account:
        known: dict[tuple[str, str], bytes] = {}
        rejected: set[tuple[str, object]] = set()
        count = 0
        for line in lines:
            count += 1
            try:
                event = parse_line(line, centre=centre, windows=windows)
            except EventError as error:
                rejected.add((error.code, line))
                continue
            digest = content_hash(event)
            if known.setdefault(event.identity, digest) == digest:
                continue
            rejected.add(("conflict", (event.identity, digest)))
        codes = Counter(code for code, _ in rejected)
        return cls(count, len(known), count - len(known) - len(rejected), dict(codes))


@dataclass(frozen=True, slots=True)
class Balance:
    """Events, findings and messages of one drill. ``faults`` is empty if nothing was lost, doubled or invented."""

    drill: str
    broker: str
    account: Account
    stored: int
    judged: int
    dead_letters: Mapping[str, int]
    live: Mapping[str, Facts]
    replayed: Mapping[str, Facts]
    revoked: int
    messages: Mapping[str, int]  # by state
    sent: frozenset[str]  # keys of messages that count as sent here
    gateway: Mapping[str, int]  # how often the gateway took each of this drill's keys
    strangers: int = 0  # keys at the gateway that no outbox row knows
    provoked: Sequence[str] = ()
    notes: Sequence[str] = ()
    seconds: float = 0.0
    extra_faults: Sequence[str] = field(default=())

    @property
    def faults(self) -> list[str]:
        account, found = self.account, list(self.extra_faults)
        if self.stored != account.distinct:
            found.append(f"{account.distinct} different events went in, {self.stored} are stored")
        if self.judged != self.stored:
            found.append(f"{self.stored} events are stored, {self.judged} judged")
        if dict(self.dead_letters) != dict(account.rejected):
            found.append(f"to be rejected: {dict(account.rejected)}; dead letters: {dict(self.dead_letters)}")
        found += _differences(self.live, self.replayed)
        if unsettled := {state: n for state, n in self.messages.items() if state not in _SETTLED}:
            found.append(f"messages neither sent nor skipped: {unsettled}")
        if missing := self.sent - self.gateway.keys():
            found.append(f"{len(missing)} messages count as sent and never reached the gateway")
        if early := self.gateway.keys() - self.sent:
            found.append(f"{len(early)} messages at the gateway do not count as sent")
        if twice := {key: n for key, n in self.gateway.items() if n != 1}:
            found.append(f"{len(twice)} messages were taken more than once, as {next(iter(twice))}")
        if self.strangers:
            found.append(f"{self.strangers} messages at the gateway are in no outbox")
        return found

    def check(self) -> None:
        """Raises AssertionError with the whole balance where anything disagrees."""
        assert not self.faults, str(self)

    def __str__(self) -> str:
        account = self.account
        rejected = sum(account.rejected.values())
        states = Counter(facts[0] for facts in self.live.values())
        rows = [
            f"== {self.drill} on {self.broker} ({self.seconds:.0f} s)",
            f"provoked   {', '.join(self.provoked) or 'nothing'}",
            f"events     {account.lines} in = {self.judged} judged + {rejected} rejected {dict(account.rejected) or ''}"
            f" + {account.duplicates} duplicates recognised",
            f"findings   {len(self.live)} live ({', '.join(f'{n} {s}' for s, n in sorted(states.items())) or 'none'}),"
            f" {len(self.replayed)} by replay, {self.revoked} revoked on the way",
            f"messages   {dict(self.messages) or 'none'}; at the gateway {len(self.gateway)},"
            f" each once: {'yes' if set(self.gateway.values()) <= {1} else 'NO'}",
            *(f"           {note}" for note in self.notes),
        ]
        rows += [f"FAULT      {fault}" for fault in self.faults] or ["balanced"]
        return "\n".join(rows)


_SETTLED = ("sent", "delivered", "skipped")


def _differences(live: Mapping[str, Facts], replayed: Mapping[str, Facts]) -> list[str]:
    found = []
    if extra := live.keys() - replayed.keys():
        found.append(
            f"{len(extra)} findings live that replay does not make: {[live[i] for i in list(extra)[:3]]}"
        )
    if missing := replayed.keys() - live.keys():
        found.append(
            f"{len(missing)} findings of replay missing live: {[replayed[i] for i in list(missing)[:3]]}"
        )
    unequal = [(live[i], replayed[i]) for i in live.keys() & replayed.keys() if live[i] != replayed[i]]
    if unequal:
        found.append(f"{len(unequal)} findings differ, as {unequal[0]}")
    return found


_LIVE = (
    "select finding_id, state, severity, rule, opened_at, closed_at, due_at, provisional from finding"
    " where state <> 'revoked' and subject like 'case:{label}-%'"
)

#: Kept sums of open cases that are not what a count of the cases gives; one statement, so that both are of one moment.
_MISCOUNTED = (
    "select centre, w, sum(n) from ("
    " select centre, coalesce(window_id, '') as w, count(*) as n from case_state where stopped_at is null group by 1, 2"
    " union all select centre, window_id, -sum(number) from open_case group by 1, 2) as both_counts"
    " group by 1, 2 having sum(n) <> 0"
)


def miscounts(system: System) -> list[str]:
    """Where the number of open cases that walls show is wrong."""
    return [
        f"{centre}, window '{window}': {missing:+} open cases are not in the sum"
        for centre, window, missing in system.query(_MISCOUNTED)
    ]


def take_balance(
    system: System,
    lines: Sequence[str],
    *,
    drill: str,
    label: str,
    provoked: Sequence[str] = (),
    notes: Sequence[str] = (),
    faults: Sequence[str] = (),
    seconds: float = 0.0,
) -> Balance:
    """Reads what became of ``lines`` out of a system that has settled.

    Args:
        label: the beginning of all case numbers of this drill, and of nobody else's.
        faults: what the drill itself found wrong.
    """
    now = datetime.now(UTC)
    centre = load_centre(system.settings.centre_file)
    expected = replay(centre, lines, now).findings
    live = {
        row[0]: (row[1], row[2], row[3], row[4], row[5], row[6], row[7])
        for row in system.query(_LIVE.format(label=label))
    }
    of_label = f"from outbox o join finding f using (finding_id) where f.subject like 'case:{label}-%'"
    keys = {key for (key,) in system.query(f"select idempotency_key {of_label}")}
    everyone = {key for (key,) in system.query("select idempotency_key from outbox")}
    gateway = system.gateway_counts()
    return Balance(
        drill=drill,
        broker=system.broker_kind,
        account=Account.of(lines, centre=centre.centre.id, windows=centre.window_ids),
        stored=system.one(f"select count(*) from event where case_id like '{label}-%'"),
        judged=system.one(
            f"select coalesce(sum(judged_events), 0) from case_state where case_id like '{label}-%' and failures = 0"
        ),
        dead_letters=dict(
            system.query(
                "select code, count(*) from dead_letter where origin <> 'fold'"
                f" and position('{label}-'::bytea in raw) > 0 group by code"
            )
        ),
        live=live,
        replayed={
            f.finding_id: (f.state, f.severity, f.rule, f.opened_at, f.closed_at, f.due_at, f.provisional)
            for f in expected
        },
        revoked=system.one(
            f"select count(*) from finding where state = 'revoked' and subject like 'case:{label}-%'"
        ),
        messages=dict(system.query(f"select o.state, count(*) {of_label} group by 1")),
        sent=frozenset(
            key
            for (key,) in system.query(
                f"select idempotency_key {of_label} and o.state in ('sent', 'delivered')"
            )
        ),
        gateway={key: count for key, count in gateway.items() if key in keys},
        strangers=len(gateway.keys() - everyone),
        provoked=provoked,
        notes=notes,
        seconds=seconds,
        extra_faults=[*faults, *miscounts(system)],
    )
