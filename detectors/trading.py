"""Signs of collusion between bidders (围标串标) in public-resource trading, for a person to judge: notices, never cards.

招标投标法实施条例 (L4) art. 40 deems it collusion that bids are made by one unit or person, that one person handles the
bidding of several, that one project manager is named, that bids are abnormally alike or their prices differ regularly,
that deposits come from one account. Centres compare addresses, serial and dongle numbers and file ids (E7, E8, E11).

Readings: an address that is not public (private, loopback) and a value that stands for "unknown" say nothing. Of several
bids of one bidder the last one's price counts, and the traits of all. If a bid names the moment of opening
(``data.opens_at``), nothing is said before it: until then the bidders' names are secret (招标投标法 art. 22).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from detectors.family import Family
from detectors.subject_events import Facts, facts_of, first_after, moment, soonest, text_of
from detectors.verdict import Claim, Verdict, settle
from domain.centre import Centre
from domain.decoding import parse_moment
from domain.events import Event
from domain.rules.trading import TradingSettings, Trait

SAME_UNIT = "招标投标法实施条例 art. 40(1) (不同投标人的投标文件由同一单位或者个人编制)"
ARTICLES: dict[str, str] = {
    "ip": SAME_UNIT,
    "mac": SAME_UNIT,
    "cpu_serial": SAME_UNIT,
    "disk_serial": SAME_UNIT,
    "dongle": SAME_UNIT,
    "file_id": SAME_UNIT,
    "agent": "招标投标法实施条例 art. 40(2) (委托同一单位或者个人办理投标事宜)",
    "project_manager": "招标投标法实施条例 art. 40(3) (项目管理成员为同一人)",
    "price_near": "招标投标法实施条例 art. 40(4) (投标文件异常一致)",
    "price_regular": "招标投标法实施条例 art. 40(4) (投标报价呈规律性差异)",
    "deposit_account": "招标投标法实施条例 art. 40(6) (投标保证金从同一单位或者个人的账户转出)",
}
KINDS = frozenset(("bid.submitted", "bid.judged"))
_NOTHING = frozenset(("", "0", "-", "/", "n/a", "na", "none", "null", "unknown", "无", "未知", "default"))


@dataclass(frozen=True, slots=True)
class Offer:
    """The price of one bidder's last bid."""

    bidder: str
    price: Decimal
    at: datetime


def name_of(event: Event, centre: Centre) -> str | None:
    """``data.tender``."""
    return text_of(event, "tender")


def judge_tender(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """``bid.same_<trait>``, ``bid.price_near``, ``bid.price_regular`` of one tender. Pure; depends on the set of events.

    A judgement (``bid.judged``) closes what had been said until then. ``status``: ``bidders`` (how many), ``signals``.
    """
    now = now.astimezone(UTC)
    rules = centre.rules.trading or TradingSettings()
    facts = facts_of(events, now)
    bids = facts.of("bid.submitted")
    opening = max((at for bid in bids if (at := _opens_at(bid)) is not None), default=None)
    claims: list[Claim] = []
    for trait in rules.traits:
        claims += _same(trait, bids, rules, facts, opening)
    offers = _offers(bids)
    claims += _near(offers, rules, facts, opening)
    claims += _regular(offers, rules, facts, opening)
    findings, ahead = settle(claims, now, centre=centre.centre.id, subject=f"tender:{name}")
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.finding_id))
    status = {
        "bidders": len({_bidder(bid) for bid in bids}),
        "signals": sorted({f.rule.partition(".")[2] for f in findings if f.state == "open"}),
    }
    return Verdict(tuple(findings), soonest([*ahead, facts.ahead]), status)


def _same(
    trait: Trait, bids: Sequence[Event], rules: TradingSettings, facts: Facts, opening: datetime | None
) -> list[Claim]:
    holders: dict[str, dict[str, datetime]] = {}
    ignored = {_plain(value) for value in rules.ignore}
    for bid in bids:
        value = usable(trait, bid.data.get(trait))
        if value is not None and value not in ignored:
            holders.setdefault(value, {}).setdefault(_bidder(bid), moment(bid))
    claims = []
    for value, bidders in sorted(holders.items()):
        if len(bidders) > 1:
            at = sorted(bidders.values())[1]
            facts_told = {"value": mask(value, rules.mask), "bidders": sorted(bidders)}
            digest = hashlib.blake2b(value.encode(), digest_size=8).hexdigest()
            claims.append(_claim(trait, f"same_{trait}", at, digest, facts_told, facts, opening))
    return claims


def _near(
    offers: Sequence[Offer], rules: TradingSettings, facts: Facts, opening: datetime | None
) -> list[Claim]:
    """Prices that lie within the share of each other, put together into groups; among many bids some will by chance, so
    their number is told."""
    if rules.near is None:
        return []
    share = Decimal(str(rules.near))
    groups: list[list[Offer]] = []
    for low, high in pairwise(offers):
        if high.price - low.price > share * high.price:
            continue
        if groups and groups[-1][-1] is low:
            groups[-1].append(high)
        else:
            groups.append([low, high])
    if not groups:
        return []
    at = min(max(a.at, b.at) for group in groups for a, b in pairwise(group))
    told = {
        "groups": [[_told(o, rules) for o in group] for group in groups],
        "within": rules.near,
        "bids": len(offers),
    }
    return [_claim("price_near", "price_near", at, "", told, facts, opening)]


def _regular(
    offers: Sequence[Offer], rules: TradingSettings, facts: Facts, opening: datetime | None
) -> list[Claim]:
    """The longest run of prices in equal steps, or with equal ratios."""
    if rules.regular is None:
        return []
    share = Decimal(str(rules.regular))
    best: tuple[int, str, Sequence[Offer]] | None = None
    for law in ("steps", "ratios"):
        for run in _even_runs(offers, law, share):
            if len(run) >= rules.regular_bids and (best is None or len(run) > best[0]):
                best = (len(run), law, run)
    if best is None:
        return []
    told = {
        "law": best[1],
        "prices": [_told(o, rules) for o in best[2]],
        "within": rules.regular,
        "bids": len(offers),
    }
    at = max(offer.at for offer in best[2])
    return [_claim("price_regular", "price_regular", at, "", told, facts, opening)]


def _even_runs(offers: Sequence[Offer], law: str, share: Decimal) -> list[Sequence[Offer]]:
    """Runs of neighbouring prices, each step of which is like the run's first."""
    steps = [b.price - a.price if law == "steps" else b.price / a.price - 1 for a, b in pairwise(offers)]
    runs: list[Sequence[Offer]] = []
    first = 0
    for i in range(1, len(steps) + 1):
        if i == len(steps) or steps[first] <= 0 or abs(steps[i] - steps[first]) > share * steps[first]:
            if steps[first] > 0:
                runs.append(offers[first : i + 1])
            first = i
    return runs


def _offers(bids: Sequence[Event]) -> list[Offer]:
    """The last price of each bidder, lowest first."""
    last: dict[str, Offer] = {}
    for bid in bids:
        price = bid.data.get("price")
        if price is not None and Decimal(str(price)) > 0:
            last[_bidder(bid)] = Offer(_bidder(bid), Decimal(str(price)), moment(bid))
    return sorted(last.values(), key=lambda o: (o.price, o.bidder))


def _told(offer: Offer, rules: TradingSettings) -> dict[str, Any]:
    return {"bidder": offer.bidder, "price": mask(str(offer.price), rules.mask)}


def _claim(
    signal: str,
    rule: str,
    at: datetime,
    digest: str,
    told: dict[str, Any],
    facts: Facts,
    opening: datetime | None,
) -> Claim:
    said = at if opening is None else max(at, opening)
    judged = first_after(facts.of("bid.judged"), said)
    end = None if judged is None else moment(judged)
    row = {"signal": rule, **told, "articles": ARTICLES[signal]}
    return Claim(f"bid.{rule}", "notice", said, said, None, end, end, False, digest, partial(dict, row))


def _bidder(bid: Event) -> str:
    return " ".join(str(bid.data["bidder"]).split())


def _opens_at(bid: Event) -> datetime | None:
    value = bid.data.get("opens_at")
    return None if value is None else parse_moment(value, "data.opens_at").astimezone(UTC)


def _plain(value: str) -> str:
    return " ".join(value.split()).casefold()


def usable(trait: str, raw: object) -> str | None:
    """A value in the form in which it is compared; None if it says nothing."""
    if not isinstance(raw, (str, int)) or isinstance(raw, bool):
        return None
    value = _plain(str(raw))
    if value in _NOTHING:
        return None
    if trait == "ip":
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return None
        return str(address) if address.is_global else None
    if trait == "mac":
        digits = re.sub(r"[^0-9a-f]", "", value)
        return digits if len(digits) == 12 and digits not in ("0" * 12, "f" * 12) else None
    return value


def mask(value: str, how: str) -> str:
    """A value as a finding shows it: whole, its ends, or nothing of it."""
    if how == "full":
        return value
    if how == "none" or len(value) <= 4:
        return "*" * min(len(value), 8)
    shown = 2 if len(value) < 12 else 3
    return f"{value[:shown]}***{value[-shown:]}"


FAMILY = Family("trading", "tender", KINDS, name_of, judge_tender)
