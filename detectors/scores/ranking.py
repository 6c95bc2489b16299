"""Ranks: equals share one, a sample that is too small has none, and like is ranked with like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.scores.cards import NOBODY, Card
from domain.divisions import level

#: Why a card has no rank.
Unranked = Literal["no_figure", "small_sample", "nobody"]


@dataclass(frozen=True, slots=True)
class Place:
    """A card with its rank (1 = best; after two firsts comes a third), out of how many, or why it has none."""

    card: Card
    rank: int | None
    of: int
    why_not: Unranked | None = None


def rank(cards: Iterable[Card], minimum_sample: int) -> list[Place]:
    """By score, best first, of equals by id; behind them those without a rank."""
    ranked: list[Card] = []
    others: list[tuple[Card, Unranked]] = []
    for card in cards:
        why = _why_not(card, minimum_sample)
        if why is None:
            ranked.append(card)
        else:
            others.append((card, why))
    ranked.sort(key=lambda card: (-(card.score.value or 0.0), card.centre, card.key))
    places: list[Place] = []
    for number, card in enumerate(ranked, start=1):
        tied = bool(places) and places[-1].card.score.value == card.score.value
        places.append(Place(card, places[-1].rank if tied else number, len(ranked)))
    others.sort(key=lambda pair: (pair[0].centre, pair[0].key))
    return places + [Place(card, None, len(ranked), why) for card, why in others]


def _why_not(card: Card, minimum_sample: int) -> Unranked | None:
    if card.key == NOBODY:
        return "nobody"
    if card.score.value is None:
        return "no_figure"
    return "small_sample" if card.score.cases < minimum_sample else None


def rank_centres(cards: Sequence[Card], minimum_sample: Mapping[str, int] | int) -> dict[str, list[Place]]:
    """Centres of one level with each other: counties with counties, townships with townships (level → places).

    Args:
        minimum_sample: of all, or by centre; of several the largest counts, so that nobody ranks himself in.
    """
    least = minimum_sample if isinstance(minimum_sample, int) else max(minimum_sample.values(), default=1)
    levels: dict[str, list[Card]] = {}
    for card in cards:
        levels.setdefault(level(card.centre), []).append(card)
    return {name: rank(group, least) for name, group in levels.items()}


__all__ = ["Place", "Unranked", "rank", "rank_centres"]
