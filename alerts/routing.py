"""What is decided about one change of one finding, before anybody asks what else is going on: who is told, and why; who is not,
and why not. Pure: no database, no clock. The whole of it, for many findings, is :class:`alerts.planner.Planner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from alerts.addresses import addresses_of
from alerts.pipeline.dedup import Dedup
from alerts.pipeline.draft import Draft, News, Recipient
from alerts.pipeline.links import LinkTimes
from alerts.pipeline.match import Match, draft_of, route_of
from alerts.pipeline.stage import Pipeline
from alerts.reasons import Reason, Why
from alerts.roster import Roster
from domain.centre import Centre
from domain.finding_life import Pending, remind_whom
from domain.findings import Finding

#: What happened to the finding. Only the first three are news for a phone.
Change = Literal["opened", "reopened", "revoked", "closed"]
Plan = list[Draft]


def plan_messages(
    finding: Finding,
    change: str,
    centre: Centre,
    now: datetime,
    token_digest: Callable[[str], str],
    *,
    earlier: Sequence[Recipient] = (),
    channel: str = "http",
    ack_lifetime: timedelta = timedelta(hours=72),
    correction_hold: timedelta = timedelta(0),
) -> Plan:
    """Decides every message for one change of one finding.

    Args:
        change: what happened, see :data:`Change`; anything else is no news.
        now: the system's clock.
        token_digest: idempotency key → SHA-256 of the acknowledge token (:meth:`alerts.links.AckLinks.digest`).
        earlier: for a revocation, who was told of the finding; when it opens again, also who still waits to be.
        channel: of a telephone number, for everybody.
        correction_hold: real time a correction waits before it is sent.

    Returns:
        Drafts, in the order of the roles of the route. At most one that is sent for each phone number.
    """
    news = news_of(finding, change, now, earlier)
    if news is None:
        return [draft_of(News(finding, Why.OPENED, change), centre, now).skip(Reason.NO_NEWS)]
    match = Match(
        centre,
        Roster(centre),
        lambda person, channels: addresses_of(person, channels, dict.fromkeys(channels, "phone")),
        (channel,),
        token_digest,
        correction_hold,
    )
    stages = Pipeline((match, Dedup(), LinkTimes(ack_lifetime, centre.zone)))
    return stages.exec([draft_of(news, centre, now)], now)


def news_of(
    finding: Finding,
    change: str,
    now: datetime,
    earlier: Sequence[Recipient] = (),
    to: tuple[str, ...] | None = None,
) -> News | None:
    """What a change of a finding is to phones; None: nothing. ``to``: roles or people in place of the route's."""
    if change not in ("opened", "reopened", "revoked"):
        return None
    return News(finding, Why(change), step_of(finding, change, now), earlier=tuple(earlier), to=to)


def late_news(finding: Finding, late: Pending, centre: Centre) -> News:
    """That a step is late: once for each step of a finding, for the roles of ``findings.remind``.

    Only where the finding was not even acknowledged the message has a link to do so.
    """
    to = tuple(remind_whom(late.step, centre.findings))
    return News(finding, Why.LATE, f"late:{late.step}", late=late, to=to)


def step_of(finding: Finding, change: str, now: datetime) -> str:
    """Names the step inside a key. A finding opens once but may be revoked and reopened again and again."""
    if change == "opened":
        return change
    moment = finding.revoked_at if change == "revoked" and finding.revoked_at else now
    return f"{change}@{moment_name(moment)}"


def moment_name(moment: datetime) -> str:
    """A moment inside a key."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


__all__ = [
    "Change", "Draft", "News", "Plan", "Reason", "Recipient", "Why", "late_news", "moment_name", "news_of", "plan_messages",
    "route_of", "step_of",
]  # fmt: skip
