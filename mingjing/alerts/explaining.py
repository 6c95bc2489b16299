"""``mingjing alerts explain`` and ``next``: what is known of a finding's messages, and what comes, in words or as JSON."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.coming import coming
from alerts.explain import Explained, explain, why_nobody
from alerts.explain_words import Speech
from alerts.planner import Planner
from alerts.rounds.schedule import Planned
from domain.centre import Centre
from domain.chain import Entry
from domain.errors import InputError
from domain.rule_names import rule_name
from mingjing.channels import address_kinds
from mingjing.context import Context
from mingjing.processes import open_database
from mingjing.settings import load_settings
from store import chain, reading

#: Roles that a reader may miss.
USUAL = ("handler", "superior", "leader", "inspectors")


def planner_of(context: Context, centre: Centre) -> Planner:
    """The planner as the rule loop has it."""
    return Planner(centre, context.links, channel=context.channel, kinds=context.channel_kinds)


def read_explained(data: Path | None, finding: str, by: str | None) -> tuple[Explained, Centre, datetime]:
    """What is known of a finding; the look is kept as evidence.

    Raises:
        StoreError: there is no such finding.
        InputError: its centre is not in the centre files.
    """
    context = Context(load_settings(data=data))
    with open_database(context.settings) as connection:
        row = reading.finding(connection, finding)
        centre = context.centres.get(row.centre)
        if centre is None:
            raise InputError(f"there is no centre {row.centre} in the centre files")
        now = context.clock.now()
        explained = explain(connection, planner_of(context, centre), finding, now)
        with connection.transaction():
            look = {"person": by or getpass.getuser(), "what": "alerts explain"}
            chain.append(connection, row.centre, [Entry("evidence.looked", row.subject, look, finding)], now)
    return explained, centre, now


def explain_json(explained: Explained, centre: Centre) -> str:
    """One object; moments with the centre's offset."""

    def plain(value: Any) -> Any:
        return value.astimezone(centre.zone).isoformat() if isinstance(value, datetime) else str(value)

    return json.dumps(explained.to_json(), ensure_ascii=False, default=plain)


def explain_lines(explained: Explained, centre: Centre, now: datetime, language: str) -> Iterator[str]:
    """As a person reads it."""
    say, finding = Speech(language, centre, now), explained.finding
    subject = "  ".join(part for part in (finding.case, finding.window) if part)
    yield f"{finding.finding_id}  {say(f'severity_{finding.severity}')}  {rule_name(finding.rule, 'en' if language == 'en' else 'zh')} ({finding.rule})  {subject}"
    if explained.held is not None:
        yield say("held_since", at=say.at(explained.held[0]), why=explained.held[1])
    for name, why in explained.off.items():
        yield say("channel_off", name=name, why=why)

    yield say("head_routes")
    for tried in explained.routes:
        yield f"  {say.tried(tried)}"
    yield f"      {say.route(explained.route)}"

    yield say("head_roles")
    for holders in explained.roles:
        yield f"  {say.holders(holders)}"

    unlisted = [role for role in USUAL if role not in {each["role"] for each in explained.roles}]
    if unlisted:
        yield "  " + say("unlisted", roles=say.roles(unlisted))

    yield say("head_messages")
    nobody = why_nobody(explained)
    if nobody is not None:
        yield "  " + (say(nobody) if say.has(nobody) else say("nobody_told", why=say.reason(nobody, {})))
    for row in explained.messages:
        yield from message_lines(row, say)

    for digest in explained.digests:
        yield f"  {say.day(digest)}"

    yield say("head_dry")
    if not explained.dry:
        yield f"  {say('dry_over')}"
    for draft in explained.dry:
        who = (
            say("message_to", **{"who": say.name(draft.person), "as": say.roles(draft.roles)})
            if draft.roles
            else ""
        )
        steps = say("semicolon").join(say.verdict(step) for step in draft.steps) or say("verdict_send")
        yield f"  {who or say.name(draft.person)}  {' → '.join(draft.channels)}  {steps}".rstrip()

    yield say("head_next")
    if not explained.coming:
        yield f"  {say('no_next')}"
    for at, what, who in say.sends(explained.coming):
        yield "  " + say("sends", at=say.at(at), what=what, who=who)


def message_lines(row: dict[str, Any] | Any, say: Speech) -> Iterator[str]:
    """One decision, and what became of it."""
    chosen = say.chosen(row)
    who = say.name(row["person"])
    by = f"  {row['channel']} {row['phone']}".rstrip() if row["channel"] != "none" else ""
    why = say.why(row["why"], row["level"] or 0)
    yield f"  {row['message_id']}  {who}{f'（{chosen}）' if chosen else ''}{by}  {why}  {say.state(row)}".rstrip()
    extra = [
        say("route_named", name=row["route"]) if row.get("route") else "",
        say("follows", n=row["follows"]) if row.get("follows") else "",
        say("more_channels", channels=" → ".join(row["fallback"])) if row["fallback"] else "",
        say.missing(row),
    ]
    about = say("semicolon").join(part for part in extra if part)
    if row["state"] != "skipped":
        yield f"      {say.life(row)}"
    if about:
        yield f"      {about}"


def planned_line(planned: Planned, say: Speech) -> str:
    """Something that is to come."""
    return f"{say.at(planned.at)}  {say.name(planned.person)}  {planned.channel or ''}  {say.planned(planned)}".rstrip()


def coming_rows(
    data: Path | None, centre: str | None, person: str | None, limit: int, language: str
) -> Iterator[tuple[dict[str, Any], str]]:
    """The next sends of a centre: for machines, and in words.

    Raises:
        InputError: which centre?
    """
    context = Context(load_settings(data=data))
    if centre is None and context.centres.several:
        raise InputError("--centre: the system watches several centres; name one")
    place = context.centres.first if centre is None else context.centres.get(centre)
    if place is None:
        raise InputError(f"--centre: there is no centre {centre} in the centre files")
    now = context.clock.now()
    with open_database(context.settings) as connection:
        found = coming(
            connection, place, now, person=person, limit=limit, channels=(context.channel,),
            kinds=address_kinds(context.settings),
        )  # fmt: skip
    say = Speech(language, place, now)
    for each in found:
        row = asdict(each.planned) | {
            "at": each.planned.at.astimezone(place.zone).isoformat(timespec="seconds"),
            "finding": each.finding,
        }
        yield row, f"{planned_line(each.planned, say)}  {each.finding or ''}".rstrip()


__all__ = [
    "coming_rows",
    "explain_json",
    "explain_lines",
    "message_lines",
    "planned_line",
    "planner_of",
    "read_explained",
]
