"""Plans and writes the messages of findings inside the transaction that writes the findings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts import outbox
from alerts.addresses import AddressKind, addresses_of
from alerts.links import AckLinks
from alerts.pipeline.budget import Budget
from alerts.pipeline.course import begin_courses, end_courses
from alerts.pipeline.dedup import Dedup
from alerts.pipeline.draft import Address, Draft, News, Recipient
from alerts.pipeline.facts import Facts, freed_by, load_facts
from alerts.pipeline.flood import Flood
from alerts.pipeline.group import Group
from alerts.pipeline.hours import Hours
from alerts.pipeline.inhibit import Inhibit
from alerts.pipeline.lasting import Lasting
from alerts.pipeline.links import LinkTimes
from alerts.pipeline.match import Match, draft_of
from alerts.pipeline.silence import Silenced
from alerts.pipeline.stage import Pipeline
from alerts.reasons import Why
from alerts.roster import Roster
from alerts.routing import late_news, moment_name, news_of, route_of
from domain.centre import Centre, Person
from domain.finding_life import Pending
from domain.findings import Finding
from store import Connection
from store.roster import roster_events

log = logging.getLogger(__name__)

Changes = Sequence[tuple[Finding, str]]


@dataclass(frozen=True, slots=True)
class Planner:
    """What the rule loop calls for changes of findings; injected by the composition root.

    Args:
        channel: name of the hook that sends the messages of those for whom nothing else is said.
        give_up_after: how long a message is worth sending, in real time.
        correction_hold: real time a correction waits. Found in the demo: on a machine that is too busy an absence was
            revoked and found again three times within a minute, and five phones heard of each.
        kinds: name of each channel → what it needs to know of a person; None: a telephone number, whatever the channel.
    """

    centre: Centre
    links: AckLinks = field(repr=False)
    channel: str = "http"
    give_up_after: timedelta = outbox.GIVE_UP_AFTER
    correction_hold: timedelta = timedelta(seconds=15)
    kinds: Mapping[str, AddressKind] | None = None

    def __call__(self, connection: Connection, changes: Changes, now: datetime) -> int:
        """Writes the messages for changes, in their order, and returns how many entries were new. Raises psycopg.Error
        only."""
        return sum(self._write_changes(connection, wave, now) for wave in _waves(changes))

    def remind(self, connection: Connection, finding: Finding, late: Pending, now: datetime) -> int:
        """Writes the messages about a step of a finding that is late; returns how many entries were new."""
        return self._write(connection, [late_news(finding, late, self.centre)], now)

    def again(
        self,
        connection: Connection,
        finding: Finding,
        *,
        why: Why,
        to_roles: Sequence[str],
        channels: Sequence[str] | None,
        level: int,
        number: int,
        now: datetime,
        since: datetime | None = None,
        waited: float | None = None,
    ) -> int:
        """Writes a reminder or a step of the escalation, through the same stages; returns how many entries were new.

        Args:
            to_roles: roles, or ids of people; whoever was told already is not told by an escalation.
            channels: in place of the route's.
            level: of the escalation. number: of the reminder, from 1; the same one of the same course is written once.
            since: when the course began; None: as its row says.
            waited: minutes since then in which nobody acted; None: nobody was reached.
        """
        if since is None:
            row = connection.execute(
                "select since from escalation where finding_id = %s", [finding.finding_id]
            ).fetchone()
            since = now if row is None else row[0]
        earlier = {}
        if why is Why.ESCALATION:
            earlier = outbox.told_recipients(connection, [finding.finding_id], waiting=True, arrived=True)
        news = News(
            finding,
            why,
            f"{why.value}:{level if why is Why.ESCALATION else number}@{moment_name(since)}",
            to=tuple(to_roles),
            channels=None if channels is None else tuple(channels),
            earlier=earlier.get(finding.finding_id, ()),
            number=number,
            level=level,
            waited=waited,
        )
        return self._write(connection, [news], now)

    def plan(self, connection: Connection, news: Sequence[News], now: datetime) -> list[Draft]:
        """What is decided about news, without writing it. Facts are loaded for all of them together."""
        match = self._match(Roster(self.centre, roster_events(connection, self.centre, now)))
        drafts = match.exec([draft_of(each, self.centre, now) for each in news], now)
        return self.stages(load_facts(connection, self.centre, drafts, now)).exec(drafts, now)

    def traced(
        self, connection: Connection, news: Sequence[News], now: datetime
    ) -> Iterator[tuple[str, list[Draft]]]:
        """The same stage by stage: name of the stage, and the drafts after it."""
        match = self._match(Roster(self.centre, roster_events(connection, self.centre, now)))
        drafts = match.exec([draft_of(each, self.centre, now) for each in news], now)
        yield "match", drafts
        for stage in self.stages(load_facts(connection, self.centre, drafts, now)).stages:
            drafts = stage.exec(drafts, now)
            yield type(stage).__name__.lower(), drafts

    def stages(self, facts: Facts) -> Pipeline:
        """Everything after the choice of people, in its order."""
        centre, settings = self.centre, self.centre.messages
        return Pipeline((
            Lasting(),
            Group(settings.group),
            Inhibit(centre, facts.open_findings),
            Silenced(centre, facts.silences),
            Hours(centre),
            Flood(settings.flood, facts.leaving),
            Budget(centre, facts.leaving),
            Hours(centre),  # what was put off has to keep them, too
            Dedup(),
            LinkTimes(self.links.lifetime, centre.zone),
        ))  # fmt: skip

    def _match(self, roster: Roster) -> Match:
        return Match(
            self.centre, roster, self._addresses_of, (self.channel,), self.links.digest, self.correction_hold
        )

    def addresses(self, person: Person) -> Sequence[Address]:
        """Where a person is reached by what is no finding's message, in the order in which it is tried."""
        return self._addresses_of(person, self.centre.messages.channels or (self.channel,))

    def _addresses_of(self, person: Person, channels: Sequence[str]) -> Sequence[Address]:
        numbers: dict[str, AddressKind] = dict.fromkeys(channels, "phone")
        return addresses_of(person, channels, numbers if self.kinds is None else self.kinds)

    def _write_changes(self, connection: Connection, changes: Changes, now: datetime) -> int:
        """Messages of changes of different findings."""
        by_change: dict[str, list[Finding]] = {}
        for finding, change in changes:
            by_change.setdefault(change, []).append(finding)
        revoked = [each.finding_id for each in by_change.get("revoked", ())]
        reopened = [each.finding_id for each in by_change.get("reopened", ())]
        earlier: dict[str, tuple[Recipient, ...]] = {}
        corrected: dict[str, tuple[str, ...]] = {}
        if revoked:
            # Withdraw first: what is waiting now is not sent, so nobody needs to be told that it was wrong.
            # Whoever is being sent to at this moment holds its row and will have been told.
            outbox.withdraw_cards(connection, revoked)
            end_courses(connection, revoked)
            earlier |= outbox.told_recipients(connection, revoked)
        if reopened:
            # Who has heard of its revocation must hear of this; who has not (or only of nothing: a closing sends no
            # message) knows it already.
            outbox.withdraw_corrections(connection, reopened)
            earlier |= outbox.told_recipients(connection, reopened, waiting=True)
            corrected = outbox.corrected_people(connection, reopened)
        found = (
            news_of(
                finding,
                change,
                now,
                earlier.get(finding.finding_id, ()),
                self._also(finding, corrected.get(finding.finding_id, ())),
            )
            for finding, change in changes
        )
        ended = [*by_change.get("revoked", ()), *by_change.get("closed", ())]
        news = [*(each for each in found if each is not None), *self._freed(connection, ended)]
        return self._write(connection, news, now)

    def _also(self, finding: Finding, corrected: Sequence[str]) -> tuple[str, ...] | None:
        """Those of the route and, after them, who was told by a later step, or in somebody's place, that the finding was revoked."""
        known = [person for person in corrected if person in self.centre.person_by_id]
        return (*route_of(finding, self.centre).to, *known) if known else None

    def _freed(self, connection: Connection, ended: Sequence[Finding]) -> Iterator[News]:
        """What a finding that has ended spoke for, and now has to be told by itself."""
        freed = freed_by(connection, self.centre, ended)
        ids = sorted({each.finding_id for findings in freed.values() for each in findings})
        if not ids:
            return
        earlier = outbox.told_recipients(connection, ids, waiting=True)
        # Also whom steps of the escalation were to tell meanwhile.
        steps = dict(
            connection.execute(
                "select finding_id, max(level) from outbox where finding_id = any(%s) and why = %s group by 1",
                [ids, Why.ESCALATION.value],
            ).fetchall()
        )
        for inhibitor, findings in freed.items():
            for each in findings:
                told = earlier.get(each.finding_id, ())
                route = route_of(each, self.centre)
                done = route.escalate[: steps.get(each.finding_id, 0)]
                to = tuple(dict.fromkeys((*route.to, *(role for step in done for role in step.to))))
                yield News(each, Why.OPENED, f"opened:after:{inhibitor}", to=to, earlier=told)

    def _write(self, connection: Connection, news: Sequence[News], now: datetime) -> int:
        if not news:
            return 0
        drafts = self.plan(connection, news, now)
        written = outbox.insert_rows(connection, drafts, give_up_after=self.give_up_after)
        begin_courses(connection, self.centre, drafts, now)
        _note(drafts)
        return written


def _waves(changes: Changes) -> Iterable[Changes]:
    """Changes in groups in which each finding stands once: what was planned before has to be there to be found."""
    waves: list[list[tuple[Finding, str]]] = []
    seen: Counter[str] = Counter()
    for finding, change in changes:
        wave = seen[finding.finding_id]
        seen[finding.finding_id] += 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append((finding, change))
    return waves


def _note(drafts: Sequence[Draft]) -> None:
    by_news: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        by_news.setdefault((draft.finding.finding_id, draft.news.step), []).append(draft)
    for (_, step), planned in by_news.items():
        finding, counts = planned[0].finding, Counter(draft.verdict for draft in planned)
        about = {
            "finding_id": finding.finding_id,
            "rule": finding.rule,
            "severity": finding.severity,
            "change": step,
            "centre": finding.centre,
            "case": finding.case,
            "window": finding.window,
        }
        log.info(
            "%d messages planned, %d of them wait, %d not meant to be sent",
            counts["send"] + counts["hold"],
            counts["hold"],
            counts["skip"],
            extra=about,
        )
