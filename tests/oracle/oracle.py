"""An independent referee for the rules of counting: slow, literal, day by day.

Written from the contract alone (section 3 and, for the calendar, section 2) and sharing no code with `domain` or
`detectors`, so that an error has to be made twice to pass unseen. Nothing here is clever on purpose: each deadline is
found by walking over the dates one by one and asking of each whether it counts.

The readings chosen where the text leaves room are in README.md of this folder.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.oracle.calendar import Calendar
from tests.oracle.limits import FOREVER, STOPS, Due, Limit, announced_end, suspensions_of

ORDER = [
    "case.received",
    "case.supplement_requested",
    "case.supplement_received",
    "case.accepted",
    "case.stage_started",
    "case.stage_finished",
    "case.resumed",
    "case.suspended",
    "case.extended",
    "case.decided",
    "case.closed",
    "case.refused",
    "case.withdrawn",
    "case.delivered",
]

Row = dict[str, Any]
Json = dict[str, Any]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ------------------------------------------------------------------------------------------------------------ events


def take_events(lines: list[str], until: datetime | None) -> tuple[list[Json], datetime | None]:
    """Rule 10: duplicates and conflicts out, events after `until` out, the rest in order. Returns also the `now`."""
    seen: set[tuple[str, str]] = set()
    taken: list[Json] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not _is_valid(event):
            continue
        key = (event["source"], event["event_id"])
        if key in seen:
            continue
        seen.add(key)
        event["at"] = _moment(event["occurred_at"])
        event.setdefault("data", {})
        taken.append(event)
    now = until
    if now is None and taken:
        now = max(event["at"] for event in taken)
    taken = [event for event in taken if now is not None and event["at"] <= now]
    taken.sort(key=_place_in_order)
    return taken, now


def _is_valid(event: Json) -> bool:
    data = event.get("data") or {}
    if event["kind"] == "case.extended" or (event["kind"] == "case.suspended" and "days" in data):
        days = data.get("days")
        return isinstance(days, int) and not isinstance(days, bool) and days >= 1
    return True


def _place_in_order(event: Json) -> tuple[datetime, int, str, str]:
    kind = event["kind"]
    return event["at"], ORDER.index(kind) if kind in ORDER else len(ORDER), event["event_id"], event["source"]


# ------------------------------------------------------------------------------------------------------------- rules


def judge(centre: Json, lines: list[str], until: datetime | None = None) -> list[Row]:
    """All finding rows of a centre file (as a plain dict) and the lines of an event file, at the moment `until`."""
    calendar = Calendar(centre)
    events, now = take_events(lines, until)
    if now is None:
        return []
    by_case: dict[str, list[Json]] = {}
    for event in events:
        if event["kind"] in ORDER and event.get("case"):
            by_case.setdefault(event["case"], []).append(event)
    items = {item["code"]: item for item in centre.get("items") or []}
    before = ((centre.get("rules") or {}).get("time_limit") or {}).get("notice_before", 2)
    rows: list[Row] = []
    for case in sorted(by_case):
        rows += Case(calendar, items, before, case, by_case[case], now).rows()
    return rows


class Case:
    def __init__(
        self,
        calendar: Calendar,
        items: dict[str, Json],
        before: int,
        case: str,
        events: list[Json],
        now: datetime,
    ) -> None:
        self.calendar = calendar
        self.before = before
        self.case = case
        self.all_events = events
        self.now = now
        self.stop = next((event for event in events if event["kind"] in STOPS), None)
        # Rule 8: what comes after the stop is not looked at (but for the delivery).
        self.events = events if self.stop is None else events[: events.index(self.stop) + 1]
        self.suspensions = suspensions_of(calendar, self.events)
        self.accepted = next((event for event in self.events if event["kind"] == "case.accepted"), None)
        self.item = self._item(items, self.accepted)
        self.receipt, self.receipt_due = self._unanswered_receipt()
        self.start = self.receipt or self.accepted
        if self.start is not None:
            self.item = self._item(items, self.start)
        self.found: list[Row] = []

    def _item(self, items: dict[str, Json], first: Json | None) -> Json:
        for event in ([first] if first else []) + self.all_events:
            if event.get("item"):
                return items.get(event["item"], {})
        return {}

    def rows(self) -> list[Row]:
        self._time_limits()
        self._acceptance()
        self._stages()
        self._overruns()
        self._delivery()
        return self.found

    def _add(
        self, rule: str, opened: datetime, closed: datetime | None, due: datetime | None, provisional: bool
    ) -> None:
        self.found.append(
            {
                "rule": rule,
                "case": self.case,
                "opened_at": opened,
                "closed_at": closed,
                "due_at": due,
                "provisional": provisional,
            }
        )

    def _passed(self, deadline: datetime, done: datetime | None) -> bool:
        """Done at the very moment is in time; open only when now is later."""
        return deadline < self.now if done is None else deadline < done

    # -- rule 7

    def _receipts(self) -> list[Json]:
        receipts = []
        received = False
        for event in self.events:
            if event["kind"] == "case.received" and not received:
                received = True
                receipts.append(event)
            elif event["kind"] == "case.supplement_received":
                receipts.append(event)
        return receipts

    def _unanswered_receipt(self) -> tuple[Json | None, Due | None]:
        for receipt in self._receipts():
            if not self.item.get("supplement_limit"):
                continue
            place = self.events.index(receipt)
            if self.accepted is not None and self.events.index(self.accepted) < place:
                continue
            limit = Limit(self.calendar, receipt["at"], self.item["supplement_limit"])
            due = limit.due()
            assert due is not None
            answered = any(
                event["kind"] in STOPS | {"case.accepted", "case.supplement_requested"}
                and event["at"] <= due.moment
                for event in self.events[place + 1 :]
            )
            if not answered and due.moment < self.now:
                return receipt, due
        return None, None

    def _acceptance(self) -> None:
        if self.receipt is None or self.receipt_due is None:
            return
        ends = [event["at"] for event in (self.accepted, self.stop) if event is not None]
        closed = min(ends) if ends else None
        self._add(
            "acceptance.overdue",
            self.receipt_due.moment,
            closed,
            self.receipt_due.moment,
            self.receipt_due.provisional,
        )

    # -- rules 1 to 6

    def _limits(self) -> tuple[Limit | None, Limit | None]:
        """The promised and the legal limit, without extensions."""
        assert self.start is not None
        explicit = self.start["data"] if self.start["kind"] == "case.accepted" else {}
        limits: list[Limit | None] = []
        for name in ("promised", "legal"):
            if explicit.get(name + "_deadline"):
                at = _moment(explicit[name + "_deadline"])
                limits.append(
                    Limit(self.calendar, self.start["at"], explicit=at, suspensions=self.suspensions),
                )
            elif self.item.get(name + "_limit"):
                of_item = self.item[name + "_limit"]
                limits.append(
                    Limit(
                        self.calendar,
                        self.start["at"],
                        of_item["days"],
                        of_item["unit"],
                        suspensions=self.suspensions,
                    )
                )
            else:
                limits.append(None)
        return limits[0], limits[1]

    def _after_start(self) -> list[Json]:
        assert self.start is not None
        return self.events[self.events.index(self.start) + 1 :]

    def _time_limits(self) -> None:
        if self.start is None:
            return
        promised, legal = self._limits()
        for event in self._after_start():
            if event["kind"] == "case.extended":
                if legal is not None and legal.has_passed(event["at"]):
                    late = legal.due()
                    assert late is not None
                    self._add("extension.late", event["at"], event["at"], late.moment, late.provisional)
                    continue
                for limit in (promised, legal):
                    if limit is not None and not limit.has_passed(event["at"]):
                        limit.added += event["data"]["days"]
        stopped = None if self.stop is None else self.stop["at"]
        legal_due = None if legal is None else legal.due()
        promised_due = None if promised is None else promised.due()
        later = legal_due is not None and (promised_due is None or promised_due.moment > legal_due.moment)
        if promised is not None and later:
            promised_due = legal_due
        for rule, due in (("time_limit.promised", promised_due), ("time_limit.legal", legal_due)):
            if due is not None and self._passed(due.moment, stopped):
                self._add(rule, max(due.moment, self.start["at"]), stopped, due.moment, due.provisional)
        self._notices()

    # -- the notice

    def _notice_due_as_known_at(self, moment: datetime) -> tuple[Limit, Due] | None:
        """The promised due day as it stands when everything up to `moment` (and nothing later) is known."""
        assert self.start is not None
        known = [event for event in self.events if event["at"] <= moment]
        spans = suspensions_of(self.calendar, known)
        promised, legal = self._limits()
        for limit in (promised, legal):
            if limit is not None:
                limit.suspensions = spans
        for event in self._after_start():
            if event["kind"] == "case.extended" and event["at"] <= moment:
                if legal is not None and legal.has_passed(event["at"]):
                    continue
                for limit in (promised, legal):
                    if limit is not None and not limit.has_passed(event["at"]):
                        limit.added += event["data"]["days"]
        candidates = []
        for limit in (promised, legal):
            due = None if limit is None else limit.due()
            if limit is not None and due is not None:
                candidates.append((limit, due))
        return min(candidates, key=lambda pair: pair[1].moment) if candidates else None

    def _notices(self) -> None:
        assert self.start is not None
        start = self.start["at"]
        stopped = None if self.stop is None else self.stop["at"]
        moments = sorted({start} | {event["at"] for event in self._after_start()})
        opened: tuple[datetime, Due, bool] | None = None
        for moment, following in zip(moments, [*moments[1:], None], strict=True):
            known = self._notice_due_as_known_at(moment)
            if opened is not None and (known is None or known[1].moment != opened[1].moment):
                # The due day has moved.
                self._add_notice(*opened, [moment, stopped])
                opened = None
            if known is None or opened is not None:
                continue
            limit, due = known
            nominal, provisional = limit.notice_opening(due, self.before)
            opening = max(nominal, moment)
            # Not before the next event: by then the opening may have changed.
            if opening < due.moment and opening <= self.now and (following is None or opening < following):
                opened = opening, due, provisional
        if opened is not None:
            self._add_notice(*opened, [stopped])

    def _add_notice(self, opened: datetime, due: Due, provisional: bool, ends: list[datetime | None]) -> None:
        """A notice ends when something ends it or when yellow opens; one of no length is none."""
        ended = [end for end in [*ends, due.moment if due.moment < self.now else None] if end is not None]
        closed = min(ended) if ended else None
        if closed is None or opened < closed:
            self._add("time_limit.notice", opened, closed, due.moment, provisional)

    # -- the other rules of the table

    def _stages(self) -> None:
        running: dict[str, Json] = {}
        runs: list[tuple[str, Json, datetime | None]] = []
        for event in self.events:
            stage = event["data"].get("stage")
            if event["kind"] == "case.stage_started" and stage not in running:
                running[stage] = event
            elif event["kind"] == "case.stage_finished" and stage in running:
                runs.append((stage, running.pop(stage), event["at"]))
        stopped = None if self.stop is None else self.stop["at"]
        runs += [(stage, event, stopped) for stage, event in running.items()]
        for stage, begun, done in runs:
            of_stage = (self.item.get("stages") or {}).get(stage)
            if of_stage is None:
                continue
            limit = Limit(
                self.calendar, begun["at"], of_stage["days"], of_stage["unit"], suspensions=self.suspensions
            )
            for event in self._valid_extensions():
                if self.events.index(event) > self.events.index(begun) and not limit.has_passed(event["at"]):
                    limit.added += event["data"]["days"]
            due = limit.due()
            if due is not None and self._passed(due.moment, done):
                self._add("stage.overdue", due.moment, done, due.moment, due.provisional)

    def _valid_extensions(self) -> list[Json]:
        """After the start and not after the legal deadline."""
        if self.start is None:
            return []
        late = {row["opened_at"] for row in self.found if row["rule"] == "extension.late"}
        return [e for e in self._after_start() if e["kind"] == "case.extended" and e["at"] not in late]

    def _overruns(self) -> None:
        for suspension in self.suspensions:
            if suspension.cap is None or suspension.days is None:
                continue
            done = None if suspension.ended == FOREVER else suspension.ended
            if self._passed(suspension.cap, done):
                provisional = announced_end(self.calendar, suspension.begin, suspension.days)[1]
                self._add("suspension.overrun", suspension.cap, done, suspension.cap, provisional)

    def _delivery(self) -> None:
        stop = self.stop
        if stop is None or stop["kind"] != "case.decided" or stop["data"].get("result") != "granted":
            return
        if not self.item.get("delivery_limit"):
            return
        due = Limit(self.calendar, stop["at"], self.item["delivery_limit"]).due()
        assert due is not None
        delivered = [event["at"] for event in self.all_events if event["kind"] == "case.delivered"]
        done = min(delivered) if delivered else None
        if self._passed(due.moment, done):
            self._add("delivery.overdue", due.moment, done, due.moment, due.provisional)


def row_key(row: Row) -> tuple[str, str, str, str, str]:
    """A row as text, moments in UTC: what is compared. Order inside a file does not matter."""

    def text(value: Any) -> str:
        if value is None:
            return ""
        return (
            (value if isinstance(value, datetime) else datetime.fromisoformat(value))
            .astimezone(UTC)
            .isoformat()
        )

    return row["case"], row["rule"], text(row["opened_at"]), text(row["closed_at"]), text(row["due_at"])
