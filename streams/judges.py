"""From claimed rows to answers: loads the facts of a batch in a few questions, asks the pure rules, compares.

What a rule raises concerns its one subject: it becomes a :class:`Failed` and the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from detectors.absence import DESK, LOOK_BACK, judge_absence, windows_of
from detectors.cases import judge_case
from detectors.families import FAMILIES, name_in, wanted_families
from detectors.family import Family
from detectors.sources import Gap, judge_source
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.events import Event, event_to_json
from domain.findings import Finding
from store import judging
from store.connection import Connection
from store.dead_letters import Refusal
from store.findings import Change, Grounds, compare, oldest_open, stored_findings
from store.ground import EVENT, earliest
from store.incidents import incidents_since
from store.judging import Arrival, CaseAnswer, Due
from store.subjects import WINDOW, SubjectAnswer, events_of_subjects
from streams.linking import AT_WINDOWS
from streams.look_back import Loaded, load_subjects
from streams.oversight import WATCHED, Look, Oversight, of_interest
from streams.rule_settings import centre_under, settings_id, settings_of


@dataclass(frozen=True, slots=True)
class Rules:
    """The pure rules, as the detectors have them; tests put their own in place."""

    case: Callable[[Iterable[Event], Centre, datetime], Verdict] = judge_case
    window: Callable[..., Verdict] = judge_absence
    source: Callable[..., Verdict] = judge_source
    families: Sequence[Family] = FAMILIES


@dataclass(frozen=True, slots=True)
class Answer:
    """One judged row: what changes, and what the row becomes."""

    due: Due
    look_at: datetime | None
    changes: Sequence[Change] = ()
    revoked_by: str | None = None
    letters: Sequence[Refusal] = ()
    resolved: Sequence[bytes] = ()
    ineffective: Sequence[bytes] | None = None
    case: CaseAnswer | None = None
    subject: SubjectAnswer | None = None
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def has_news(self) -> bool:
        """Whether anything but the row itself is to be written."""
        return bool(self.changes or self.letters or self.resolved or self.ineffective is not None)


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that could not be judged or written."""

    due: Due
    error: Exception


Judged = Answer | Failed

_SOON = timedelta(seconds=1)
_A_WHILE = timedelta(hours=1)
#: Incidents that ended longer ago explain no silence any more.
_INCIDENTS = timedelta(days=2)


class Court:
    """Judges claimed rows of every kind for one centre."""

    def __init__(self, centre: Centre, rules: Rules) -> None:
        self._centre, self._rules = centre, rules
        self._code = centre.centre.id
        self.settings = settings_of(centre)
        self.settings_id = settings_id(self.settings)
        self._centres: dict[str, Centre] = {self.settings_id: centre}
        self._families = wanted_families(centre, rules.families)
        self._oversight = Oversight(centre)
        #: (asked at, moment before which no event is kept).
        self._floor: tuple[datetime, datetime | None] | None = None

    def judge(self, connection: Connection, dues: Sequence[Due], now: datetime) -> list[Judged]:
        """``dues`` are of one kind."""
        if not dues:
            return []
        judges = {
            "case": self._cases,
            "window": self._windows,
            "source": self._sources,
            "subject": self._subjects,
        }
        return judges[dues[0].kind](connection, dues, now)

    # -- cases -------------------------------------------------------------------------------------------------------

    def _cases(self, connection: Connection, dues: Sequence[Due], now: datetime) -> list[Judged]:
        arrivals = judging.events_of_cases(connection, self._code, [due.name for due in dues])
        stored = stored_findings(connection, self._code, {due.subject: None for due in dues})
        lost = self._lost(connection, dues, now)
        return [
            # Judged by what is left it would be judged wrongly, and what was found stands.
            Answer(due, None)
            if due.name in lost
            else attempt(
                due, partial(self._case, connection, due, arrivals[due.name], stored[due.subject], now)
            )
            for due in dues
        ]

    def _lost(self, connection: Connection, dues: Sequence[Due], now: datetime) -> frozenset[str]:
        """Cases of whose events retention has dropped some."""
        if self._floor is None or not _A_WHILE > now - self._floor[0] >= timedelta(0):
            self._floor = now, earliest(connection, EVENT)
        for _ in range(2):
            floor = self._floor[1]
            found = frozenset(
                due.name
                for due in dues
                if floor is not None and due.row["events_from"] is not None and due.row["events_from"] < floor
            )
            if not found:
                break
            # Asked again before anybody is left alone: a clock that was set back brings events of before.
            self._floor = now, earliest(connection, EVENT)
        return found

    def _case(
        self,
        connection: Connection,
        due: Due,
        arrivals: Sequence[Arrival],
        stored: Sequence[Finding],
        now: datetime,
    ) -> Answer:
        kept: str | None = due.row["settings_id"]
        centre = self._centre if kept is None else self._centre_of(connection, kept)
        verdict = self._rules.case([arrival.event for arrival in arrivals], centre, now)
        # What is new proves it: of the events since the last judging the last of the case's own course.
        fresh = arrivals[due.row["judged_events"] :]
        newest = next((each.event for each in reversed(fresh) if each.event.kind.startswith("case.")), None)
        changes = compare(stored, verdict.findings, now, _grounds_of_case(newest))
        refusals = {refusal.fingerprint: refusal for refusal in map(_without_effect, verdict.ineffective)}
        before = {bytes(letter) for letter in due.row["ineffective"]}
        answer = CaseAnswer(
            due.name,
            verdict.status,
            _soonest(_ahead(verdict.look_at, now), _ahead_of_time(stored, verdict.findings, now)),
            kept or (self.settings_id if verdict.status.get("started_at") else None),
            len(arrivals),
        )
        return Answer(
            due,
            answer.look_at,
            changes,
            newest.event_id if newest is not None else None,
            [refusal for fingerprint, refusal in refusals.items() if fingerprint not in before],
            sorted(before - refusals.keys()),
            sorted(refusals) if refusals.keys() != before else None,
            answer,
        )

    def _centre_of(self, connection: Connection, kept: str) -> Centre:
        if kept not in self._centres:
            self._centres[kept] = centre_under(self._centre, judging.load_settings(connection, kept))
        return self._centres[kept]

    # -- windows -----------------------------------------------------------------------------------------------------

    def _windows(self, connection: Connection, dues: Sequence[Due], now: datetime) -> list[Judged]:
        oldest = oldest_open(connection, self._code, [due.subject for due in dues])
        since = {}
        for due in dues:
            # A day is enough, for no absence crosses the office hours; but what is still open has to be spoken of.
            calendar = self._centre.open_time(due.name)
            days = [calendar.local_date(moment) for moment in (now, oldest.get(due.subject, now))]
            since[due.name] = calendar.day_start(min(days))
        spans = judging.presence_spans(connection, self._code, since)
        desk = judging.desk_events(connection, self._code, since, list(DESK))
        if self._centre.rules.staffing is not None:
            self._add_staffing(connection, desk, since)
        stored = stored_findings(connection, self._code, {due.subject: since[due.name] for due in dues})

        def one(due: Due) -> Answer:
            verdict = self._rules.window(
                due.name,
                spans[due.name],
                desk[due.name],
                self._centre,
                now,
                since=since[due.name],
                seen_at=due.row["seen_at"],
            )
            changes = compare(stored[due.subject], verdict.findings, now, _LATE_OBSERVATION)
            return Answer(due, _ahead(verdict.look_at, now), changes, status=dict(verdict.status))

        return [attempt(due, partial(one, due)) for due in dues]

    def _add_staffing(
        self, connection: Connection, events: dict[str, list[Event]], since: Mapping[str, datetime]
    ) -> None:
        """Leave, cover, attendance and queue of each window, which most of them do not name."""
        reach: dict[timedelta, list[str]] = {}
        for kind in sorted(AT_WINDOWS):
            reach.setdefault(LOOK_BACK.get(kind, timedelta(0)), []).append(kind)
        for back, kinds in reach.items():
            asked: dict[str, datetime | None] = {WINDOW + window: at - back for window, at in since.items()}
            for subject, arrivals in events_of_subjects(connection, self._code, asked, kinds).items():
                window = subject.removeprefix(WINDOW)
                events[window] += [
                    each.event for each in arrivals if window in windows_of(each.event, self._centre)
                ]

    # -- subjects of the other families ------------------------------------------------------------------------------

    def _subjects(self, connection: Connection, dues: Sequence[Due], now: datetime) -> list[Judged]:
        stored = stored_findings(connection, self._code, dict.fromkeys(due.name for due in dues))
        watched = [due for due in dues if due.name.partition(":")[0] in WATCHED]
        looked = self._oversight.look(connection, watched, stored, now) if watched else {}
        others = [due for due in dues if due.name not in looked]
        loaded = load_subjects(connection, self._centre, self._families, others, now)
        return [
            attempt(due, partial(self._watched, due, looked[due.name], stored[due.name], now))
            if due.name in looked
            else attempt(due, partial(self._subject, due, loaded[due.name], stored[due.name], now))
            for due in dues
        ]

    def _watched(self, due: Due, look: Look, stored: Sequence[Finding], now: datetime) -> Answer:
        looked = look()
        verdict = looked.verdict
        changes = compare(of_interest(stored, looked), verdict.findings, now, _NOT_WATCHED)
        look_at = _ahead(verdict.look_at, now)
        answer = SubjectAnswer(due.name, verdict.status, look_at, 0)
        return Answer(due, look_at, changes, subject=answer, status=dict(verdict.status))

    def _subject(self, due: Due, loaded: Loaded, stored: Sequence[Finding], now: datetime) -> Answer:
        kind, _, name = due.name.partition(":")
        family = self._families.get(kind)
        if family is not None and family.back is None and due.row["lost_until"] is not None:
            # Retention has dropped some of its events: nobody can judge it any more, and what was found stands.
            return Answer(due, None, subject=SubjectAnswer(due.name, {"lost": True}, None, 0))
        arrivals, since = loaded.arrivals, loaded.since
        fresh = arrivals[due.row["judged_events"] :] if since is None else arrivals[-1:]
        # A link made under other settings may name it no more.
        events = (
            []
            if family is None
            else [each.event for each in arrivals if name_in(family, each.event, self._centre) == name]
        )
        # Of a family that is off nothing is said any more, and what was said no longer stands.
        verdict = Verdict((), None) if family is None else family.ask(name, events, self._centre, now)
        if since is not None:
            stored = [each for each in stored if each.opened_at > since]
            verdict = replace(verdict, findings=tuple(f for f in verdict.findings if f.opened_at > since))
        newest = fresh[-1].event if fresh else None
        changes = compare(stored, verdict.findings, now, _grounds_of_case(newest))
        look_at = _soonest(_ahead(verdict.look_at, now), _ahead_of_time(stored, verdict.findings, now))
        answer = SubjectAnswer(due.name, verdict.status, look_at, len(arrivals))
        revoked_by = newest.event_id if newest is not None else None
        return Answer(due, look_at, changes, revoked_by, subject=answer, status=dict(verdict.status))

    # -- sources -----------------------------------------------------------------------------------------------------

    def _sources(self, connection: Connection, dues: Sequence[Due], now: datetime) -> list[Judged]:
        reasons = judging.camera_reasons(connection, self._code)
        incidents = incidents_since(connection, self._code, now - _INCIDENTS)
        stored = stored_findings(connection, self._code, {due.subject: None for due in dues})
        windows = {
            camera.id: next(iter({post.window for post in camera.posts}))
            for camera in self._centre.cameras
            if len({post.window for post in camera.posts}) == 1
        }

        def one(due: Due) -> Answer:
            row = due.row
            gaps: list[Gap] = []
            if row["silent_from"] is not None:
                gaps.append((row["silent_from"], row["heard_at"]))
            if row["silent_from"] is None or row["heard_at"] is not None:
                gaps.append((row["last_at"], None))
            verdict = self._rules.source(
                row["source"],
                row["kind"],
                gaps,
                self._centre,
                now,
                window=windows.get(row["source"]) if row["kind"] == "camera" else None,
                reason=reasons.get(row["source"]) if row["kind"] == "camera" else None,
                incidents=incidents,
            )
            # Silences that are over are not spoken of again, and stand.
            spoken = {finding.finding_id for finding in verdict.findings}
            open_or_spoken = [f for f in stored[due.subject] if f.state == "open" or f.finding_id in spoken]
            changes = compare(open_or_spoken, verdict.findings, now, _LATE_SIGN)
            return Answer(due, _ahead(verdict.look_at, now), changes, status=dict(verdict.status))

        return [attempt(due, partial(one, due)) for due in dues]


def attempt(due: Due, judge: Callable[[], Answer]) -> Judged:
    """What a judge raises concerns its one subject."""
    try:
        return judge()
    except Exception as error:
        return Failed(due, error)


def _ahead(look_at: datetime | None, now: datetime) -> datetime | None:
    """A rule that asks to be asked again at once would be asked for ever."""
    return look_at if look_at is None or look_at > now else now + _SOON


def _ahead_of_time(stored: Sequence[Finding], judged: Iterable[Finding], now: datetime) -> datetime | None:
    """When a finding that opens only later, by a clock that was ahead, has to be spoken of: at its own moment it stands
    or falls, and nothing else might ever ask."""
    spoken = {finding.finding_id for finding in judged}
    moments = (f.opened_at for f in stored if f.state != "revoked" and f.finding_id not in spoken)
    return min((moment for moment in moments if moment > now), default=None)


def _soonest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _without_effect(entry: tuple[Event, str, str]) -> Refusal:
    event, code, reason = entry
    row = event_to_json(event)
    row.pop("received_at", None)
    raw = json.dumps(row, ensure_ascii=False, sort_keys=True, default=dict).encode()
    return Refusal("fold", raw, code, reason, place=f"case:{event.case}", at=event.received_at)


def _grounds_of_case(newest: Event | None) -> Grounds:
    if newest is None:
        return Grounds(
            None,
            "规则、期限或工作日历已更改，或预先送达的事件已生效",
            "the rules, limits or the calendar have changed, or an event sent in advance has taken effect",
        )
    moment = newest.occurred_at.isoformat(timespec="minutes")
    return Grounds(
        newest.event_id,
        f"后到的事件表明其不成立：{newest.kind}（编号 {newest.event_id}，来源 {newest.source}，发生于 {moment}）",
        f"a later arrival proves it wrong: {newest.kind} ({newest.event_id} of {newest.source}, of {moment})",
    )


_LATE_OBSERVATION = Grounds(
    None,
    "后到的观测或窗口状态表明其不成立",
    "observations or window events that arrived later prove it wrong",
)
_NOT_WATCHED = Grounds(
    None,
    "规则、日历或摄像机清单已更改，或后到的数据表明其不成立",
    "the rules, the calendar or the list of cameras have changed, or data that arrived later prove it wrong",
)
_LATE_SIGN = Grounds(
    None, "后到的消息表明该来源当时并未中断", "a message that arrived later shows that it was not silent"
)
