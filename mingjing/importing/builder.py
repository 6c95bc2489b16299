"""From rows of a log to events of the contract and the centre file that goes with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain.errors import EventError
from domain.events import CASE_KINDS, parse_event
from mingjing.importing.log_map import FIRST_EVENT, LAST_EVENT, Activity, CaseMoment, LogMap
from mingjing.importing.rows import RejectedRow, Row, RowError

Json = dict[str, Any]

#: Fields of `data` that are numbers in the contract; everything else in a log stays text.
NUMBERS: dict[str, type[int] | type[float]] = {"days": int, "level": int, "amount": float}
#: Life-cycle transitions (XES standard extension) that are steps of their own.
LIFECYCLE = {"": "case.stage_finished", "complete": "case.stage_finished", "start": "case.stage_started"}


@dataclass
class _Case:
    """What is known of one case: its own columns as its first good row gave them, and when its rows happened."""

    line: int
    own: tuple[str, ...]
    item: str | None
    times: list[tuple[datetime, str]] = field(default_factory=list)


class Builder:
    """Takes row after row; afterwards holds events, rejected rows and the centre."""

    def __init__(self, log_map: LogMap) -> None:
        self.map = log_map
        self.rejected: list[RejectedRow] = []
        self.skipped = 0
        self._zone = ZoneInfo(log_map.timezone) if log_map.timezone else None
        self._events: dict[str, tuple[Json, int]] = {}
        self._cases: dict[str, _Case] = {}
        self._windows: set[str] = set()
        self._items: set[str] = set()
        self._repeats: dict[str, int] = {}

    def take(self, rows: Iterable[Row | RejectedRow]) -> None:
        for row in rows:
            if isinstance(row, RejectedRow):
                self.rejected.append(row)
                continue
            try:
                self._take(row)
            except RowError as error:
                self._reject(row, error.code, error.field, error.reason)
            except EventError as error:
                self._reject(row, error.code, error.field, error.reason)

    def _reject(self, row: Row, code: str, column: str | None, reason: str) -> None:
        self.rejected.append(RejectedRow(row.line, code, column, reason, dict(row.values)))

    def _take(self, row: Row) -> None:
        case_id = self._required(row, self.map.columns.case)
        moment, time_text = self._time(row, self.map.columns.time)
        case = self._cases.get(case_id)
        own = tuple(row.values.get(name, "").strip() for name in self.map.case_columns())
        if case is not None and own != case.own:
            column = next(n for n, a, b in zip(self.map.case_columns(), own, case.own, strict=True) if a != b)
            raise RowError("contradiction", column, f"contradicts line {case.line} about the case {case_id}")
        item = self._optional(row, self.map.columns.item) or self.map.default_item
        made = []
        if case is None:
            made += self._of_case(row, case_id, item)
        event = self._of_row(row, case_id, item, time_text)
        if event is not None:
            made.append(event)
        for each in made:
            parse_event(each)
            self._check_repeated(each)
        # From here on nothing can go wrong, so a rejected row has left no trace.
        if case is None:
            case = self._cases[case_id] = _Case(row.line, own, item)
        if event is None:
            self.skipped += 1
        else:
            case.times.append((moment, time_text))
        for each in made:
            self._keep(each, row.line)

    def _keep(self, event: Json, line: int) -> None:
        self._events.setdefault(event["event_id"], (event, line))
        if event.get("window"):
            self._windows.add(event["window"])
        if event.get("item"):
            self._items.add(event["item"])

    def _check_repeated(self, event: Json) -> None:
        """The very same row twice is one event; the same id with other content is a mistake in the log."""
        known = self._events.get(event["event_id"])
        if known is not None and known[0] != event:
            raise RowError(
                "conflict",
                self.map.columns.id,
                f"has the id {event['event_id']} of line {known[1]} but other content",
            )

    # -- texts and times

    def _optional(self, row: Row, column: str | None) -> str | None:
        return (row.values.get(column, "").strip() or None) if column else None

    def _required(self, row: Row, column: str) -> str:
        value = self._optional(row, column)
        if value is None:
            raise RowError("missing", column, "is empty")
        return value

    def _time(self, row: Row, column: str) -> tuple[datetime, str]:
        """The moment, and its RFC 3339 text with the offset the log gave."""
        text = self._required(row, column)
        try:
            moment = (
                datetime.strptime(text, self.map.time_format)
                if self.map.time_format
                else datetime.fromisoformat(text)
            )
        except ValueError:
            raise RowError("bad_time", column, f"'{text[:60]}' is no time that can be read") from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise RowError("naive_time", column, f"'{text[:60]}' has no offset, and the map no timezone")
            moment = moment.replace(tzinfo=self._zone)
        return moment, moment.isoformat()

    # -- events

    def _event(self, event_id: str, kind: str, at: str, case: str, item: str | None, data: Json) -> Json:
        event: Json = {
            "event_id": event_id,
            "kind": kind,
            "occurred_at": at,
            "source": self.map.source,
            "centre": self.map.centre.id,
            "case": case,
        }
        if item is not None:
            event["item"] = item
        event["data"] = data
        return event

    def _of_case(self, row: Row, case: str, item: str | None) -> list[Json]:
        """What columns of the case itself give (once, from its first good row)."""
        made = []
        for moment in (self.map.start, self.map.end):
            if moment is None or moment.at in (FIRST_EVENT, LAST_EVENT):
                continue
            if moment is self.map.end and self._optional(row, moment.at) is None:
                continue
            at = self._time(row, moment.at)[1]
            made += self._whole(moment, at, row, case, item)
        return made

    def _whole(self, moment: CaseMoment, at: str, row: Row | None, case: str, item: str | None) -> list[Json]:
        made = []
        for kind in moment.gives:
            data = self._deadlines(row) if kind == "case.accepted" and row is not None else {}
            made.append(self._event(f"{case}#{kind.partition('.')[2]}", kind, at, case, item, data))
        return made

    def _deadlines(self, row: Row) -> Json:
        """Explicit deadlines; of a pair the earlier is the promised and the later the legal one."""
        found: Json = {}
        for key in ("legal_deadline", "promised_deadline"):
            column = getattr(self.map, key)
            if column and self._optional(row, column):
                found[key] = self._time(row, column)[1]
        pair = sorted(self._time(row, column) for column in self.map.deadlines if self._optional(row, column))
        if pair:
            found["legal_deadline"] = pair[-1][1]
        if len(pair) == 2:
            found["promised_deadline"] = pair[0][1]
        return found

    def _of_row(self, row: Row, case: str, item: str | None, at: str) -> Json | None:
        """The event of the row itself; None if the map says that it means nothing."""
        activity = self._optional(row, self.map.columns.activity) or ""
        meaning = self.map.activities.get(activity)
        if meaning is None:
            meaning = self._other_activity(row, activity)
        if meaning.kind == "ignore":
            return None
        data: Json = dict(meaning.data)
        for key, column in meaning.columns.items():
            if (text := self._optional(row, column)) is not None:
                data[key] = _number(key, column, text)
        if meaning.kind.startswith("case.stage_"):
            data.setdefault("stage", activity)
        if meaning.kind == "case.accepted":
            data = {**self._deadlines(row), **data}
        event = self._event(
            self._id(row, case, meaning.kind, at, activity), meaning.kind, at, case, item, data
        )
        for key in ("window", "staff"):
            if value := self._optional(row, getattr(self.map.columns, key)):
                event[key] = value
        return event

    def _other_activity(self, row: Row, activity: str) -> Activity:
        if self.map.other_activities == "reject":
            raise RowError(
                "unknown_activity", self.map.columns.activity, f"the map does not name '{activity[:60]}'"
            )
        if self.map.other_activities == "ignore":
            return Activity(kind="ignore")
        if not activity:
            raise RowError("missing", self.map.columns.activity or "columns.activity", "is empty")
        transition = (self._optional(row, self.map.columns.lifecycle) or "").lower()
        return Activity(kind=LIFECYCLE.get(transition, "ignore"))

    def _id(self, row: Row, case: str, kind: str, at: str, activity: str) -> str:
        """The log's own id, else a fingerprint of what the row says; equal rows of a case are numbered."""
        own = self._optional(row, self.map.columns.id)
        if own is not None:
            return f"{case}:{own}"
        text = "\x1f".join(
            [kind, at, activity, *(f"{name}={row.values[name]}" for name in sorted(row.values))]
        )
        mark = f"{case}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        number = self._repeats[mark] = self._repeats.get(mark, 0) + 1
        return mark if number == 1 else f"{mark}-{number}"

    # -- results

    def events(self) -> list[Json]:
        """All events in the order of rule 10."""
        for case_id, case in self._cases.items():
            for moment in (self.map.start, self.map.end):
                if moment is None or moment.at not in (FIRST_EVENT, LAST_EVENT) or not case.times:
                    continue
                at = min(case.times)[1] if moment.at == FIRST_EVENT else max(case.times)[1]
                for event in self._whole(moment, at, None, case_id, case.item):
                    self._keep(event, case.line)
        return sorted((event for event, _ in self._events.values()), key=_order)

    def centre(self) -> Json:
        """The centre file as a plain dict: what the map says, and every window and item that the log names."""
        known = {item.code for item in self.map.items}
        items: list[Json] = [item.model_dump(mode="json", exclude_defaults=True) for item in self.map.items]
        items += [{"code": code, "name": code} for code in sorted(self._items - known, key=_natural)]
        made: Json = {
            "centre": self.map.centre.model_dump(mode="json"),
            "calendar": self.map.calendar.model_dump(mode="json"),
        }
        if self.map.rules is not None:
            made["rules"] = self.map.rules.model_dump(mode="json", exclude_defaults=True)
        made["items"] = items
        made["windows"] = [{"id": name, "name": name} for name in sorted(self._windows, key=_natural)]
        return made


def _number(key: str, column: str, text: str) -> int | float | str:
    kind = NUMBERS.get(key)
    if kind is None:
        return text
    try:
        return kind(text)
    except ValueError:
        raise RowError("not_a_number", column, f"'{text[:60]}' is not a number, but '{key}' is") from None


def _order(event: Json) -> tuple[datetime, int, str]:
    kind = event["kind"]
    place = CASE_KINDS.index(kind) if kind in CASE_KINDS else len(CASE_KINDS)
    return datetime.fromisoformat(event["occurred_at"]), place, event["event_id"]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Group 2 before Group 10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]
