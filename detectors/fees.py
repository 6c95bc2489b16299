"""Fees (收费监察): ``fees.not_published``, ``fees.above_standard``, ``fees.outside``, ``fees.after_closing``, ``fees.no_basis``.

Licensing Law art. 58 (no fee unless a law or an administrative regulation says so), art. 59 (by the published item and
standard, all of it to the treasury), art. 75 (what was taken otherwise is paid back).

Readings: of an item that publishes no list nothing is known, and nothing said; a list without entries and ``free`` both
mean that nothing may be charged. What is charged for one fee of a case is added up, paying back counts down, and the
finding closes when the sum is lawful again. A charge that names no fee gets the benefit of the doubt: it is held to
the highest standard of the list. A decision alone does not end paying, closing, refusal and withdrawal do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.course import Course
from detectors.family import Family
from detectors.suspension import Suspension
from detectors.verdict import Claim, Verdict, happened, settle
from domain.cases import Case, order_key, without_duplicates
from domain.centre import Centre, Item
from domain.events import Event
from domain.rules.fees import Fee, FeeSettings

NOT_PUBLISHED, ABOVE = "fees.not_published", "fees.above_standard"
OUTSIDE, AFTER_CLOSING, NO_BASIS = "fees.outside", "fees.after_closing", "fees.no_basis"
ARTICLES = {
    NOT_PUBLISHED: "行政许可法 art. 58, 59, 75",
    ABOVE: "行政许可法 art. 59, 75",
    OUTSIDE: "行政许可法 art. 59, 75",
    AFTER_CLOSING: "行政许可法 art. 58",
    NO_BASIS: "行政许可法 art. 58",
}
ENDS = frozenset(("case.closed", "case.refused", "case.withdrawn"))
#: More units than this are a slip of the finger.
MOST_UNITS = 10**12


@dataclass(slots=True)
class _Account:
    """What was charged for one fee; ``fee`` None: it is not published."""

    name: str
    fee: Fee | None
    charged: Decimal = Decimal(0)
    allowed: Decimal = Decimal(0)
    over_since: Event | None = None
    rows: list[Event] = field(default_factory=list)


def amount_of(event: Event) -> Decimal:
    """Yuan, exact: a decimal text as it stands, a number by its shortest decimal form; below nought is paid back."""
    return Decimal(str(event.data["amount"]))


def judge_fees(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: Sequence[Suspension],
    centre: Centre,
) -> list[Claim]:
    """What is to be said of the fees of a case."""
    charges = [event for event in case.others if event.kind == "fee.charged"]
    if not charges or centre.rules.fees is None:
        return []
    item = case.item_at(start.step if start is not None else case.steps[0])
    item = item or next((event.item for event in charges if event.item is not None), None)
    claims = _judge(charges, centre.item_by_code.get(item or ""), centre, centre.rules.fees)
    end = next((step for step in case.steps if step.kind in ENDS), None)
    for event in charges:
        if end is None or event.occurred_at <= end.at or _is_exempt(event, centre.rules.fees):
            continue
        if amount_of(event) > 0:
            more = {"ended_by": end.kind, "ended_at": centre.working_time.local(end.at).isoformat()}
            claims.append(_fact(AFTER_CLOSING, "notice", event, centre, more))
    return claims


def judge_unentered_fees(case: Case, centre: Centre) -> list[Claim]:
    """What is to be said of the fees of a number that nobody has entered as a case, by the item they name."""
    charges = [event for event in case.others if event.kind == "fee.charged"]
    if centre.rules.fees is None:
        return []
    item = next((event.item for event in charges if event.item is not None), None)
    return _judge(charges, centre.item_by_code.get(item or ""), centre, centre.rules.fees)


def _judge(charges: Sequence[Event], item: Item | None, centre: Centre, settings: FeeSettings) -> list[Claim]:
    claims: list[Claim] = []
    accounts: dict[str, _Account] = {}
    for event in charges:
        if _is_exempt(event, settings):
            continue
        fee = _published(event, item)
        if amount_of(event) > 0:
            claims += _of_one(event, fee, centre, settings)
        if item is not None and (item.free or item.fees is not None):
            claims += _enter(accounts, event, item, fee, centre)
    return claims + [
        _over(account, account.over_since, None, centre)
        for account in accounts.values()
        if account.over_since is not None
    ]


def _of_one(event: Event, fee: Fee | None, centre: Centre, settings: FeeSettings) -> list[Claim]:
    """What can be said of one charge by itself."""
    claims = []
    if (sign := _outside(event, centre, settings)) is not None:
        claims.append(_fact(OUTSIDE, "yellow", event, centre, {"sign": sign, "payee": _word(event, "payee")}))
    if settings.basis and _word(event, "basis") is None and (fee is None or not fee.basis.strip()):
        claims.append(_fact(NO_BASIS, "notice", event, centre, {}))
    return claims


def _outside(event: Event, centre: Centre, settings: FeeSettings) -> str | None:
    """The sign that a fee was not taken in the centre."""
    payee = _word(event, "payee")
    if settings.payees and payee is not None and payee not in settings.payees:
        return "payee"
    if event.centre is not None and event.centre != centre.centre.id:
        return "centre"
    if event.window is not None and centre.windows and event.window not in centre.window_ids:
        return "window"
    if settings.counter and event.window is None and _word(event, "channel") not in settings.online:
        return "no_window"
    return None


def _enter(
    accounts: dict[str, _Account], event: Event, item: Item, fee: Fee | None, centre: Centre
) -> list[Claim]:
    """Adds a charge to its account; a claim if it brings the sum back to what is lawful."""
    name = (fee.code or fee.name or "") if fee is not None else _label(event) or ""
    if fee is None and not name and item.fees:
        fee = max(item.fees, key=lambda each: each.ceiling)  # which it was is not said
    account = accounts.setdefault(name, _Account(name, fee))
    amount = amount_of(event)
    account.rows.append(event)
    account.charged += amount
    if fee is not None and fee.unit is not None:
        account.allowed += fee.ceiling * _quantity(event) * (1 if amount > 0 else 0)
    elif fee is not None:
        account.allowed = fee.ceiling
    if account.charged > account.allowed:
        account.over_since = account.over_since or event
    elif account.over_since is not None:
        since, account.over_since = account.over_since, None
        return [_over(account, since, event, centre)]
    return []


def _over(account: _Account, since: Event, until: Event | None, centre: Centre) -> Claim:
    rule = NOT_PUBLISHED if account.fee is None else ABOVE
    opened = since.occurred_at.astimezone(UTC)
    closed = None if until is None else until.occurred_at.astimezone(UTC)
    rows, charged, allowed = tuple(account.rows), account.charged, account.allowed

    def explain() -> dict[str, Any]:
        return {
            "fee": account.name or None,
            "published": account.fee.model_dump(mode="json", exclude_none=True) if account.fee else None,
            "charged": str(charged),
            "allowed": str(allowed),
            "charges": [_row(event, centre) for event in rows[:50]],
            "articles": ARTICLES[rule],
        }

    instance = f"{account.name}\x1e{since.source}\x1e{since.event_id}"
    return Claim(rule, "yellow", opened, opened, None, closed, closed, instance=instance, explain=explain)


# ---- a charge that names no case --------------------------------------------------------------------------------------


def name_of(event: Event, centre: Centre) -> str | None:
    """A charge of a case is judged with its case; one without is a subject by itself."""
    return None if event.case is not None else f"{event.source}/{event.event_id}"


def judge(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """Findings of one charge that names no case, by the item it names."""
    now = now.astimezone(UTC)
    stand, _ = without_duplicates(events)
    charges = sorted((e for e in stand if e.occurred_at <= now), key=order_key)
    later = [e.occurred_at.astimezone(UTC) for e in stand if e.occurred_at > now]
    settings = centre.rules.fees
    if settings is None:
        return Verdict((), None)
    item = next((e.item for e in charges if e.item is not None), None)
    window = next((e.window for e in charges if e.window is not None), None)
    claims = _judge(charges, centre.item_by_code.get(item or ""), centre, settings)
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"fee:{name}",
        item=item,
        window_at=lambda _: window,
    )
    status = {"charged": str(sum((amount_of(e) for e in charges), Decimal(0)))}
    return Verdict(tuple(findings), min(ahead + later, default=None), status)


FAMILY = Family("fees", "fee", frozenset(("fee.charged",)), name_of, judge)


# ---- words of a charge ------------------------------------------------------------------------------------------------


def _word(event: Event, key: str) -> str | None:
    value = event.data.get(key)
    return value.strip() if isinstance(value, str) and value.strip() else None


def _label(event: Event) -> str | None:
    return _word(event, "code") or _word(event, "name")


def _published(event: Event, item: Item | None) -> Fee | None:
    """The published fee of that code, or else of that name."""
    if item is None or not item.fees:
        return None
    code, name = _word(event, "code"), _word(event, "name")
    if code is not None:
        found = next((fee for fee in item.fees if fee.code == code), None)
        if found is not None:
            return found
    return next((fee for fee in item.fees if name is not None and fee.name == name), None)


def _is_exempt(event: Event, settings: FeeSettings) -> bool:
    return _word(event, "code") in settings.exempt or _word(event, "name") in settings.exempt


def _quantity(event: Event) -> Decimal:
    """How many units; one where it is not said or cannot be read."""
    value = event.data.get("quantity")
    if value is None or isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return Decimal(1)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(1)
    return found if found.is_finite() and 0 < found <= MOST_UNITS else Decimal(1)


def _row(event: Event, centre: Centre) -> dict[str, Any]:
    row = {
        "event_id": event.event_id,
        "at": centre.working_time.local(event.occurred_at.astimezone(UTC)).isoformat(),
        "amount": str(amount_of(event)),
        "fee": _label(event),
        "basis": _word(event, "basis"),
        "window": event.window,
    }
    return {key: value[:80] if isinstance(value, str) else value for key, value in row.items()}


def _fact(rule: str, severity: Any, event: Event, centre: Centre, more: dict[str, Any]) -> Claim:
    explain: Callable[[], dict[str, Any]] = partial(_explain, rule, event, centre, more)
    instance = f"{event.source}\x1e{event.event_id}"
    return happened(rule, severity, event.occurred_at.astimezone(UTC), explain, instance=instance)


def _explain(rule: str, event: Event, centre: Centre, more: dict[str, Any]) -> dict[str, Any]:
    return {"charge": _row(event, centre), **more, "articles": ARTICLES[rule]}
