"""Events as section 1 of the contract gives them: words, checks, identity.

Readings of the contract that are ours:

* A top-level field the contract does not name is kept under ``data["_extra"]``: nothing is lost, nothing is refused.
* Of a kind's data only what a rule cannot do without is required (``stage``, ``days`` of an extension, ``ground``,
  ``result``, ``level``, ``amount``, ``from`` and ``to``). A refusal without a reason or an extension without an
  approver is a fact for the procedure rules, not a reason to lose the event. ``null`` counts as absent.
* Two events are the same if ``source`` and ``event_id`` agree. ``received_at`` is not part of an event's content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

from domain.decoding import MAX_LINE, check_tree, clean, decode_json, parse_moment
from domain.errors import EventError
from domain.kinds import doors, handling, people

__all__ = [
    "CASE_KINDS", "GROUNDS", "KINDS", "MAX_LINE", "OTHER_KINDS", "Event", "check_tree", "clean", "content_hash",
    "decode_json", "event_to_json", "parse_event", "parse_line", "parse_moment",
]  # fmt: skip

#: Kinds of case events in the order of rule 10 (same moment).
CASE_KINDS = (
    "case.received", "case.supplement_requested", "case.supplement_received", "case.accepted",
    "case.stage_started", "case.stage_finished", "case.resumed", "case.suspended", "case.extended",
    "case.decided", "case.closed", "case.refused", "case.withdrawn", "case.delivered",
)  # fmt: skip

OTHER_KINDS = (
    "fee.charged", "rating.given", "complaint.opened", "complaint.assigned", "complaint.extended", "complaint.answered",
    "complaint.closed", "window.opened", "window.paused", "window.closed", "queue.ticket_issued", "queue.called",
    "queue.served", "queue.abandoned", "attendance.clock_in", "attendance.clock_out", "leave.granted",
    "cover.started", "cover.ended",
    *people.KINDS, *doors.KINDS, *handling.KINDS,
)  # fmt: skip

KINDS = frozenset(CASE_KINDS + OTHER_KINDS)

#: Licensing Law art. 45, and ``other`` for grounds in other laws.
GROUNDS = frozenset(
    ("hearing", "tender", "auction", "inspection", "testing", "quarantine", "appraisal", "expert_review", "other")
)  # fmt: skip

MAX_CODE = 256
#: Ten years of days: more is a slip of the finger, and no calendar reaches that far.
MAX_DAYS = 3_660
AHEAD = timedelta(hours=24)

_CODES = ("centre", "window", "case", "item", "staff")
_TOP = frozenset(("event_id", "kind", "occurred_at", "source", "entered_at", "received_at", "data", *_CODES))


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Moments are aware datetimes; ``data`` as the kind needs."""

    event_id: str
    kind: str
    occurred_at: datetime
    source: str
    entered_at: datetime | None = None
    received_at: datetime | None = None
    centre: str | None = None
    window: str | None = None
    case: str | None = None
    item: str | None = None
    staff: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two events the same one."""
        return self.source, self.event_id

    @property
    def moment(self) -> datetime:
        """When it happened, in UTC."""
        return self.occurred_at.astimezone(UTC)

    def text(self, *names: str) -> str | None:
        """The first of these keys of ``data`` that holds a text."""
        values = (self.data.get(name) for name in names)
        return next((value for value in values if isinstance(value, str) and value.strip()), None)


def _required_text(obj: Mapping[str, Any], name: str) -> str:
    value = obj.get(name)
    if isinstance(value, str) and 0 < len(value) <= MAX_CODE and not value.isspace():
        return value
    if value is None:
        raise EventError("missing_field", name, "the field is missing")
    if not isinstance(value, str):
        raise EventError("wrong_type", name, f"must be text, not {type(value).__name__}")
    if not value.strip():
        raise EventError("missing_field", name, "the field is empty")
    raise EventError("too_large", name, f"longer than {MAX_CODE} characters")


def _code(obj: Mapping[str, Any], name: str) -> str | None:
    value = obj.get(name)
    if value is None or value == "":
        return None
    return _required_text(obj, name)


# ---- data of the kinds ---------------------------------------------------------------------------------------------


def _days(data: Mapping[str, Any], required: bool) -> None:
    days = data.get("days")
    if days is None:
        if required:
            raise EventError("bad_data", "data.days", "the number of days is missing")
        return
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise EventError(
            "bad_data", "data.days", f"must be an integer of at least 1, not {clean(repr(days))}"
        )
    if days > MAX_DAYS:
        raise EventError("bad_data", "data.days", f"{clean(str(days))} days are more than ten years")


def _suspended(data: Mapping[str, Any]) -> None:
    ground = data.get("ground")
    if not isinstance(ground, str) or ground not in GROUNDS:
        raise EventError("bad_data", "data.ground", f"must be one of {', '.join(sorted(GROUNDS))}")
    _days(data, required=False)


def _accepted(data: Mapping[str, Any]) -> None:
    for name in ("legal_deadline", "promised_deadline"):
        if data.get(name) is not None:
            parse_moment(data[name], f"data.{name}")


def _stage(data: Mapping[str, Any]) -> None:
    stage = data.get("stage")
    if not isinstance(stage, str) or not stage.strip():
        raise EventError("bad_data", "data.stage", "the name of the stage is missing")


def _decided(data: Mapping[str, Any]) -> None:
    if data.get("result") not in ("granted", "denied"):
        raise EventError("bad_data", "data.result", "must be granted or denied")


def _fee(data: Mapping[str, Any]) -> None:
    amount = data.get("amount")
    if isinstance(amount, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,4})?", amount, re.ASCII):
        return  # money as a decimal text loses no cent
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise EventError("bad_data", "data.amount", "must be a number")


def _rating(data: Mapping[str, Any]) -> None:
    level = data.get("level")
    if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= 5:
        raise EventError("bad_data", "data.level", "must be an integer from 1 (best) to 5 (worst)")


def _leave(data: Mapping[str, Any]) -> None:
    ends = []
    for name in ("from", "to"):
        value = data.get(name)
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            value += "T00:00:00Z"  # whole days
        ends.append(parse_moment(value, f"data.{name}"))
    if ends[0] > ends[1]:
        raise EventError("bad_data", "data.to", "the leave ends before it begins")


_DATA_CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "case.accepted": _accepted,
    "case.suspended": _suspended,
    "case.extended": lambda data: _days(data, required=True),
    "case.stage_started": _stage,
    "case.stage_finished": _stage,
    "case.decided": _decided,
    "fee.charged": _fee,
    "rating.given": _rating,
    "leave.granted": _leave,
    **people.KINDS,
    **doors.KINDS,
    **handling.KINDS,
}


def parse_event(
    obj: object,
    *,
    centre: str | None = None,
    windows: frozenset[str] | None = None,
    centres: Mapping[str, frozenset[str]] | None = None,
    now: datetime | None = None,
    checked: bool = False,
) -> Event:
    """Checks one decoded JSON value and makes the event.

    Args:
        obj: what ``json.loads`` gave.
        centre: the only centre code accepted; None accepts any.
        windows: known window codes; None or empty accepts any.
        centres: of a system of several, the window codes of each; the event must then name its centre.
        now: moment of receipt; an event over 24 h later is refused. None: measured against ``received_at`` if the
            event has one, else not at all (a file tells of any time).
        checked: the value comes from :func:`decode_json`, which has walked it.

    Raises:
        EventError: with a stable code, the field and one sentence. Codes: not_an_object, missing_field, wrong_type,
            unknown_kind, naive_time, bad_time, impossible_time, future_time, nul_byte, bad_text, bad_number, too_deep,
            too_large, unknown_window, wrong_centre, missing_centre, unknown_centre, missing_case, bad_data.
    """
    if not isinstance(obj, dict):
        raise EventError("not_an_object", None, "an event is a JSON object")
    if not checked:
        check_tree(obj)
    event_id = _required_text(obj, "event_id")
    kind = _required_text(obj, "kind")
    if kind not in KINDS:
        raise EventError("unknown_kind", "kind", f"'{clean(kind)}' is no kind of event")
    if obj.get("occurred_at") is None:
        raise EventError("missing_field", "occurred_at", "the field is missing")
    occurred_at = parse_moment(obj["occurred_at"], "occurred_at")
    source = _required_text(obj, "source")
    entered_at = None if obj.get("entered_at") is None else parse_moment(obj["entered_at"], "entered_at")
    received_at = None if obj.get("received_at") is None else parse_moment(obj["received_at"], "received_at")
    receipt = now or received_at
    if receipt is not None and occurred_at - receipt > AHEAD:
        raise EventError(
            "future_time", "occurred_at", f"'{clean(obj['occurred_at'])}' is over a day in the future"
        )
    code, window, case, item, staff = (_code(obj, name) for name in _CODES)
    if code is not None and centre is not None and code != centre:
        raise EventError("wrong_centre", "centre", f"'{clean(code)}' is not this centre ({centre})")
    if centres is not None:
        if code is None:
            # Two centres may have the same case number: guessing would put it into the wrong one.
            raise EventError("missing_centre", "centre", "this system watches several centres: name one")
        if code not in centres:
            raise EventError("unknown_centre", "centre", f"'{clean(code)}' is no centre of this system")
        windows = centres[code]
    if window is not None and windows and window not in windows:
        raise EventError("unknown_window", "window", f"'{clean(window)}' is no window of this centre")
    if case is None and kind.startswith("case."):
        raise EventError("missing_case", "case", "a case event needs the number of its case")
    if window is None and kind.startswith("window."):
        raise EventError("missing_field", "window", "a window event needs its window")
    if staff is None and kind.startswith(("attendance.", "leave.")):
        raise EventError("missing_field", "staff", "the event needs the code of its person")
    data = obj.get("data")
    if data is None:
        data = {}
    elif not isinstance(data, dict):
        raise EventError("wrong_type", "data", f"must be an object, not {type(data).__name__}")
    check = _DATA_CHECKS.get(kind)
    if check is not None:
        check(data)
    named = people.NAMED_BY.get(kind)
    if named is not None and case is None and not data.get(named):
        raise EventError(
            "bad_data", f"data.{named}", "must name what it speaks of, where the event has no case"
        )
    if not obj.keys() <= _TOP:
        extra = {key: value for key, value in obj.items() if key not in _TOP}
        kept = data.get("_extra")
        data = {
            **data,
            "_extra": {
                **(kept if isinstance(kept, dict) else {} if kept is None else {"data": kept}),
                **extra,
            },
        }
    # The few names that come again in every event are kept once: files of a million events are read whole.
    return Event(
        event_id,
        intern(kind),
        occurred_at,
        intern(source),
        entered_at,
        received_at,
        code and intern(code),
        window and intern(window),
        case,
        item and intern(item),
        staff,
        data,
    )


def parse_line(
    raw: bytes | str,
    *,
    centre: str | None = None,
    windows: frozenset[str] | None = None,
    centres: Mapping[str, frozenset[str]] | None = None,
    now: datetime | None = None,
) -> Event:
    """One line of a JSONL file, or one message of the topic. Arguments and errors as in :func:`parse_event`.

    Raises:
        EventError: also ``not_utf8``, ``bad_json``, ``duplicate_key``.
    """
    if len(raw) > MAX_LINE:
        raise EventError("too_large", None, f"the line is longer than {MAX_LINE} bytes")
    return parse_event(
        decode_json(raw), centre=centre, windows=windows, centres=centres, now=now, checked=True
    )


def event_to_json(event: Event) -> dict[str, Any]:
    """The contract's object; absent fields are left out."""
    row: dict[str, Any] = {}
    for name in Event.__slots__:
        value = getattr(event, name)
        if value is None:
            continue
        row[name] = value.isoformat() if isinstance(value, datetime) else value
    row["data"] = dict(event.data)
    return row


#: Made once: ``json.dumps`` would make one for each event.
_SORTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_PLAIN = json.JSONEncoder(ensure_ascii=False)


def content_hash(event: Event) -> bytes:
    """Digest (16 bytes) of all an event says; equal for the same content however it was written.

    Moments count as instants, ``received_at`` not at all. Same identity, other hash: a conflict (rule 10).
    """
    entered = "" if event.entered_at is None else event.entered_at.astimezone(UTC).isoformat()
    content = (
        event.event_id, event.kind, event.occurred_at.astimezone(UTC).isoformat(), event.source, entered,
        event.centre, event.window, event.case, event.item, event.staff,
        _SORTED.encode(event.data) if event.data else "{}",
    )  # fmt: skip
    return hashlib.blake2b(_PLAIN.encode(content).encode(), digest_size=16).digest()
