"""Why this person, this channel, this moment, and why not others: what is kept of a finding's messages, and what is to come.

What was decided is read from the outbox, where every decision has a row. Beside it stands a dry run of the stages as of the
moment at which the finding was issued, with the settings, silences and rosters known today; it is called so wherever it is
shown, since only the rows say what happened. Words: :mod:`alerts.explain_words`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from alerts.links import mask_tokens
from alerts.matcher import department_of, matches, route_of
from alerts.messages import mask_phone
from alerts.pipeline.draft import NOBODY, Draft
from alerts.planner import Planner
from alerts.roster import Roster
from alerts.rounds.digest import Daily
from alerts.rounds.outlook import outlook
from alerts.rounds.schedule import Planned, digest_moments, tells_of
from alerts.routing import news_of
from domain.centre import Centre
from domain.divisions import level
from domain.findings import Finding
from domain.messages import Match, Route
from store import Connection
from store.finding_life import finding_of
from store.reading import finding as read_finding
from store.roster import roster_events

#: Stages that decide nothing anybody would ask about.
_QUIET = frozenset(("linktimes",))


@dataclass(frozen=True, slots=True)
class RouteTried:
    """A route that was asked. ``failed``: the first condition that does not hold, with what it wants and what the finding has;
    None: it fits. ``id`` None: the list of the severity."""

    id: str | None
    failed: str | None = None
    wants: tuple[str, ...] = ()
    has: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one stage of the dry run did to one draft. ``reason`` None: let pass."""

    stage: str
    verdict: str
    reason: str | None = None
    until: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DryDraft:
    """One person of the dry run, through all stages; ``steps``: those that decided something."""

    person: str
    roles: tuple[str, ...]
    channels: tuple[str, ...]
    template: str
    verdict: str
    leaves_at: datetime
    steps: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything there is to say of a finding's messages.

    Args:
        routes: those asked in their order, up to the one that fits.
        route: the one that decides today.
        course: level and reminders done, and since when; None: nothing goes on.
        roles: what the roster answered for each role of the route and its steps, at the moment of issue.
        messages: rows of the outbox, oldest first; see :func:`rows_of`.
        dry: the dry run; empty for a finding that is over.
        digests: the digest of the day in which those who get one heard of it.
        coming: the next sends.
        held: since when and why no message leaves at all. off: channels that are switched off, with the reason.
    """

    finding: Finding
    at: datetime
    routes: tuple[RouteTried, ...]
    route: Route
    roles: tuple[Mapping[str, Any], ...]
    messages: tuple[Mapping[str, Any], ...]
    dry: tuple[DryDraft, ...]
    coming: tuple[Planned, ...]
    digests: tuple[Mapping[str, Any], ...] = ()
    held: tuple[datetime, str] | None = None
    off: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> bool:
        """Whether anything was, is being or will be sent."""
        return any(row["state"] != "skipped" for row in self.messages)

    def to_json(self) -> dict[str, Any]:
        """One object; moments as datetimes, for ``default=str`` or a formatter of one's own."""
        finding = self.finding
        return {
            "finding_id": finding.finding_id, "rule": finding.rule, "severity": finding.severity, "state": finding.state,
            "case": finding.case, "window": finding.window, "centre": finding.centre,
            "routes": [asdict(each) for each in self.routes],
            "route": self.route.model_dump(mode="json"),
            "roles": [dict(each) for each in self.roles],
            "messages": [dict(each) for each in self.messages],
            "dry_run": {"at": self.at, "drafts": [asdict(each) for each in self.dry]},
            "digests": [dict(each) for each in self.digests],
            "next": [asdict(each) for each in self.coming],
            "held_since": self.held[0] if self.held else None, "held_why": self.held[1] if self.held else None,
            "channels_off": dict(self.off),
        }  # fmt: skip


def explain(
    connection: Connection, planner: Planner, finding_id: str, now: datetime, *, count: int = 5
) -> Explained:
    """What is known, and what would be decided.

    Args:
        planner: of the finding's centre; nothing is written.
        count: of the next sends.

    Raises:
        StoreError: there is no such finding.
    """
    from alerts import outbox
    from alerts.channel_state import list_off

    row = read_finding(connection, finding_id)
    finding, centre, at = finding_of(row), planner.centre, row.issued_at or row.opened_at
    route = route_of(finding, centre)
    roster = Roster(centre, roster_events(connection, centre, at))
    asked = dict.fromkeys([*route.to, *(role for step in route.escalate for role in step.to)])
    return Explained(
        finding,
        at,
        tuple(routes_tried(finding, centre)),
        route,
        tuple(roster.holders(role, finding.window, at).to_json() for role in asked),
        tuple(rows_of(connection, finding_id)),
        tuple(dry_run(connection, planner, finding, at)) if finding.state == "open" else (),
        tuple(
            outlook(
                connection,
                centre,
                finding_id,
                now,
                count=count,
                channels=(planner.channel,),
                kinds=planner.kinds,
            )
        ),
        tuple(digests_of(connection, centre, roster, finding, at)),
        outbox.held(connection),
        {each.channel: each.error or each.reason for each in list_off(connection)},
    )


def routes_tried(finding: Finding, centre: Centre) -> Iterator[RouteTried]:
    """The routes in their order, each with the first condition that fails, up to the one that fits."""
    for route in centre.messages.routes:
        failed = first_failure(route.match, finding, centre)
        if failed is None:
            yield RouteTried(route.id)
            return
        yield RouteTried(route.id, *failed)
    yield RouteTried(None)


def first_failure(
    match: Match, finding: Finding, centre: Centre
) -> tuple[str, tuple[str, ...], str | None] | None:
    """The first condition of a match that does not hold: its key, what it wants, what the finding has; None: all hold."""
    has = {
        "rule": finding.rule, "severity": finding.severity, "window": finding.window, "item": finding.item,
        "department": department_of(finding, centre), "level": level(finding.centre),
    }  # fmt: skip
    for key in type(match).model_fields:
        wants = getattr(match, key)
        if wants is not None and not matches(Match.model_construct(**{key: wants}), finding, centre):
            return key, tuple(wants), has[key]
    return None


def rows_of(connection: Connection, finding_id: str) -> list[dict[str, Any]]:
    """The decisions about a finding, oldest first: messages, those told in another one with that one (``digest``), those not
    sent with their reason. Numbers are masked."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select o.message_id, o.idempotency_key as key, o.person, o.phone, o.channel, o.template, o.params, o.state, o.reason,
                   o.why, o.route, o.level, o.detail, o.fallback, o.follows, o.held_until, o.attempts, o.last_error,
                   o.fate_code, o.created_at, o.sent_at, o.delivered_at, o.fate_at, o.acknowledged_at,
                   array(select text from reply r where r.message_id = o.message_id order by reply_id) as replies,
                   d.message_id as digest_id, d.template as digest_template, d.state as digest_state, d.channel as digest_channel,
                   d.created_at as digest_created_at, d.sent_at as digest_sent_at, d.delivered_at as digest_delivered_at
            from outbox o left join outbox d on d.message_id = o.digest_id
            where o.finding_id = %s order by o.message_id limit 500
            """,
            [finding_id],
        ).fetchall()
    return [_row(row) for row in rows]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    digest = {key.removeprefix("digest_"): row.pop(key) for key in list(row) if key.startswith("digest_")}
    params = row.pop("params") or {}
    return row | {
        "phone": mask_phone(row["phone"]) if row["phone"] else "",
        "roles": params.get("roles") or [],
        "fallback": [channel for channel, _ in row["fallback"] or ()],
        "last_error": mask_tokens(row["last_error"]) if row["last_error"] else None,
        "digest": digest if digest["id"] is not None else None,
    }


def digests_of(
    connection: Connection, centre: Centre, roster: Roster, finding: Finding, issued: datetime
) -> list[dict[str, Any]]:
    """The first digest of the day after a finding was issued, of each person who gets one of its window: as far as it is made.

    It counts what is new and names the worst (``named``); later ones count it as long as it is not answered.
    """
    settings = centre.messages.digest
    if settings is None or not tells_of(settings, finding.rule):
        return []
    at = next(digest_moments(settings, centre.working_time, issued - timedelta(microseconds=1)), None)
    if at is None:
        return []
    people = dict.fromkeys(
        person for role in settings.to for person in roster.holders(role, finding.window, at).people
    )
    keys = [Daily.key(centre, person, at) for person in people]
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select message_id as id, person, channel, template, state, created_at, sent_at, delivered_at,"
            " coalesce(params -> 'findings' ? %s, false) as named"
            " from outbox where idempotency_key = any(%s) and state <> 'skipped' order by message_id",
            [finding.finding_id, keys],
        ).fetchall()


def dry_run(connection: Connection, planner: Planner, finding: Finding, at: datetime) -> Iterator[DryDraft]:
    """What the stages would decide about the opening of a finding at a moment; nothing is written.

    Flood and budget count what is in the outbox, the finding's own messages among it.
    """
    news = news_of(finding, "opened", at)
    if news is None:
        return
    before: dict[str, Draft] = {}
    steps: dict[str, list[Verdict]] = {}
    last: Sequence[Draft] = ()
    for stage, drafts in planner.traced(connection, [news], at):
        for draft in drafts:
            known = before.get(draft.person)
            if stage not in _QUIET and _decided(known, draft):
                steps.setdefault(draft.person, []).append(_verdict(stage, draft))
            before[draft.person] = draft
        last = drafts
    for draft in last:
        yield DryDraft(
            draft.person, draft.roles, tuple(channel for channel, _ in draft.addresses), draft.template, draft.verdict,
            draft.leaves_at, tuple(steps.get(draft.person, ())),
        )  # fmt: skip


def _decided(before: Draft | None, after: Draft) -> bool:
    if before is None:
        return after.reason is not None
    return (before.verdict, before.reason, before.until) != (after.verdict, after.reason, after.until)


def _verdict(stage: str, draft: Draft) -> Verdict:
    reason = None if draft.reason is None else draft.reason.value
    return Verdict(stage, draft.verdict, reason, draft.until, dict(draft.detail))


def why_nobody(explained: Explained) -> str | None:
    """The reason where nobody was told and nobody will be; None where somebody is. ``no_rows``: nothing was ever decided."""
    if explained.told:
        return None
    for row in explained.messages:
        if row["person"] == NOBODY:
            return str(row["reason"])
    return "no_rows" if not explained.messages else "all_skipped"


__all__ = [
    "DryDraft", "Explained", "RouteTried", "Verdict", "digests_of", "dry_run", "explain", "first_failure", "routes_tried", "rows_of",
    "why_nobody",
]  # fmt: skip
