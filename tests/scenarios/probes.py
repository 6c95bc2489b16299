"""What a scenario looks at besides messages: why one was not sent, what lies ahead, what is in the evidence chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from domain.centre import Centre, Person
from domain.chain import Checker
from store.chain import read as read_chain
from store.connection import Connection


class World(Protocol):
    """What a probe may look at. Every driver has one."""

    @property
    def centre(self) -> Centre: ...

    @property
    def connection(self) -> Connection: ...

    @property
    def now(self) -> datetime: ...

    def tries(self, channel: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """``look`` returns None when it is so, otherwise what is there instead."""

    words: str
    look: Callable[[World], str | None]

    def __str__(self) -> str:
        return self.words


def person_of(centre: Centre, who: str) -> Person | None:
    """By name, id or number."""
    return next((each for each in centre.people if who in (each.name, each.id, each.phone)), None)


def finding_ids(world: World, about: str) -> list[str]:
    """Findings about a case, a window, or of a rule; the newest first."""
    rows = world.connection.execute(
        "select finding_id from finding where centre = %(code)s"
        " and (case_id = %(about)s or (case_id is null and window_id = %(about)s) or rule = %(about)s)"
        " order by issued_at desc, opened_at desc, finding_id",
        {"code": world.centre.centre.id, "about": about},
    ).fetchall()
    return [row[0] for row in rows]


def _rows(world: World, to: str | None, about: str | None) -> list[dict[str, Any]]:
    person = person_of(world.centre, to) if to else None
    wanted = None if about is None else finding_ids(world, about)
    found = world.connection.execute(
        "select message_id, person, channel, template, state, reason, why, level, detail, finding_id, params, held_until,"
        " digest_id from outbox where centre = %s order by message_id",
        [world.centre.centre.id],
    )
    names = [column.name for column in found.description or ()]
    return [
        row
        for row in (dict(zip(names, values, strict=True)) for values in found.fetchall())
        if (to is None or row["person"] in (to, person.id if person else to))
        and (wanted is None or row["finding_id"] in wanted)
    ]


def _brief(row: dict[str, Any]) -> str:
    reason = f":{row['reason']}" if row["reason"] else ""
    detail = f" {row['detail']}" if row["detail"] else ""
    return f"{row['person']} {row['channel']} {row['template']} {row['state']}{reason}{detail}"


def row(
    state: str, *, to: str | None = None, about: str | None = None, reason: str | None = None, **detail: Any
) -> Probe:
    """A message (sent or not) is in this state, with this reason and this detail (a function is asked)."""
    words = f"a message{f' to {to}' if to else ''}{f' about {about}' if about else ''} is {state}"
    words += f", reason {reason}" if reason else ""

    def fits(each: dict[str, Any]) -> bool:
        return (
            each["state"] == state
            and (reason is None or each["reason"] == reason)
            and all(
                value(each["detail"].get(name)) if callable(value) else each["detail"].get(name) == value
                for name, value in detail.items()
            )
        )

    def look(world: World) -> str | None:
        rows = _rows(world, to, about)
        if any(fits(each) for each in rows):
            return None
        return "; ".join(map(_brief, rows)) or "no message at all"

    return Probe(words + (f" {sorted(detail)}" if detail else ""), look)


def not_sent(reason: str, *, to: str | None = None, about: str | None = None, **detail: Any) -> Probe:
    """The decision not to send is there, with its named reason."""
    return row("skipped", to=to, about=about, reason=reason, **detail)


def held(reason: str, *, to: str | None = None, about: str | None = None, **detail: Any) -> Probe:
    """A message waits, and it is said why."""
    return row("held", to=to, about=about, reason=reason, **detail)


def gathered(*, to: str, about: str) -> Probe:
    """It was told in a digest, and it is known in which."""

    def look(world: World) -> str | None:
        rows = [each for each in _rows(world, to, about) if each["state"] == "gathered"]
        if rows and all(each["digest_id"] is not None for each in rows):
            return None
        return "; ".join(map(_brief, _rows(world, to, about))) or "no message at all"

    return Probe(f"the message to {to} about {about} is told in a digest", look)


def chain(about: str, *kinds: str) -> Probe:
    """The evidence chain about a finding has these kinds of entries, in this order, among others; and it is whole."""

    def look(world: World) -> str | None:
        ids, checker, said = set(finding_ids(world, about)), Checker(), []
        for each in read_chain(world.connection, world.centre.centre.id):
            if (broken := checker.take(each)) is not None:
                return str(broken)
            if json.loads(each.body or "{}").get("finding") in ids:
                said.append(each.kind)
        left = iter(said)
        return None if all(kind in left for kind in kinds) else ", ".join(said) or "nothing"

    return Probe(f"the chain about {about}: {', '.join(kinds)}", look)


def chain_count(about: str, kind: str, count: int) -> Probe:
    """The chain has so many entries of a kind about a finding."""

    def look(world: World) -> str | None:
        ids = set(finding_ids(world, about))
        rows = read_chain(world.connection, world.centre.centre.id)
        found = sum(
            each.kind == kind and json.loads(each.body or "{}").get("finding") in ids for each in rows
        )
        return None if found == count else f"{found} times"

    return Probe(f"the chain about {about} says {kind} {count} times", look)


def no_finding(rule: str) -> Probe:
    """Nothing of a rule has ever been found."""

    def look(world: World) -> str | None:
        found = finding_ids(world, rule)
        return f"{len(found)} findings" if found else None

    return Probe(f"nothing is found by {rule}", look)


def finding(about: str, rule: str, state: str) -> Probe:
    """A finding is there."""

    def look(world: World) -> str | None:
        rows = world.connection.execute(
            "select rule, state from finding where finding_id = any(%s)", [finding_ids(world, about)]
        ).fetchall()
        return None if (rule, state) in rows else str(rows)

    return Probe(f"{about} has {rule}, {state}", look)


def tries(channel: str, *, at_most: int, at_least: int = 0) -> Probe:
    """How often a channel's gateway has been asked so far."""

    def look(world: World) -> str | None:
        count = world.tries(channel)
        return None if at_least <= count <= at_most else f"{count} tries"

    return Probe(f"between {at_least} and {at_most} tries by {channel}", look)


def query(words: str, sql: str, wanted: Sequence[tuple[Any, ...]]) -> Probe:
    """Rows of the database, for what has no name of its own yet."""

    def look(world: World) -> str | None:
        found = world.connection.execute(sql).fetchall()
        return None if found == list(wanted) else str(found)

    return Probe(words, look)
