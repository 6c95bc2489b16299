"""Duplicates and disorder over days: each event one to five times, shuffled over a week, some copies saying something else."""

from __future__ import annotations

import random
import time
from datetime import timedelta

from tests.drills.balance import Balance, take_balance
from tests.drills.system import System
from tests.drills.workload import Row, as_lines, events, in_disorder, moment


def copies(rows: list[Row], rng: random.Random, *, contrary: float = 0.05) -> list[Row]:
    """Each row one to five times, in disorder over a week.

    Args:
        contrary: share of the copies that say something else under the same id. The case stays: events of one case
            keep their order on the way, and so the first to be sent is the first to arrive.
    """
    made = []
    for row in rows:
        for number in range(rng.randint(1, 5)):
            copy = dict(row)
            if number and rng.random() < contrary:
                copy["occurred_at"] = (moment(row) + timedelta(hours=rng.randint(1, 72))).isoformat()
            made.append(copy)
    return in_disorder(made, rng, timedelta(days=7))


def drill(system: System, *, count: int, seed: int = 13, label: str = "MESS") -> Balance:
    """
    Args:
        count: about how many lines are sent; a third of them are different events.
    """
    rng = random.Random(seed)
    lines = as_lines(copies(events(seed, count // 18, late_share=0.2, label=label), rng))
    began = time.monotonic()
    again = system.pour(lines, batch=500)
    system.settle(label, len({line.partition('"kind"')[0] for line in lines}))
    return take_balance(
        system,
        lines,
        drill="duplicates and disorder over days",
        label=label,
        provoked=["each event 1 to 5 times", "shuffled over a week", "1 copy in 20 contradicts the first"],
        notes=[f"batches sent again: {again}"],
        seconds=time.monotonic() - began,
    )
