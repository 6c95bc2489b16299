"""kill -9 at random of every kind of process under load: one, several at once, the same one twice in a row."""

from __future__ import annotations

import random
import time

from tests.drills.balance import Balance, take_balance
from tests.drills.pouring import Pouring
from tests.drills.system import System
from tests.drills.workload import as_lines, events


def plan(rng: random.Random, victims: tuple[str, ...], rounds: int) -> list[tuple[str, ...]]:
    """Who dies together, round by round: every victim at least once, and the worker twice in a row at the start."""
    workers = tuple(name for name in victims if name.startswith("worker"))
    order = [name for name in victims if name not in workers]
    rng.shuffle(order)
    made: list[tuple[str, ...]] = [workers, (rng.choice(workers),)]
    while order:
        count = rng.randint(1, 3)
        made.append(tuple(order[:count]))
        del order[:count]
    while len(made) < rounds:
        made.append(tuple(rng.sample(victims, rng.randint(1, min(4, len(victims))))))
    return made


def drill(system: System, *, count: int, seed: int = 7, rounds: int = 0, label: str = "KILL") -> Balance:
    """
    Args:
        count: about how many events flow.
        rounds: of killing; at least as many as it takes to kill everybody once.
    """
    rng = random.Random(seed)
    lines = as_lines(events(seed, count // 6, label=label))
    began = time.monotonic()
    rounds_of = plan(rng, ("database", *system.names), rounds)
    with Pouring(system, lines, seconds=1.5 * len(rounds_of)) as pouring:
        for victims in rounds_of:
            time.sleep(rng.uniform(0.2, 1.0))
            assert pouring.flows, f"nothing flows any more when {victims} are to be killed"
            system.kill(*victims)
    system.settle(label, len(set(lines)))
    return take_balance(
        system,
        lines,
        drill="kill -9 at random",
        label=label,
        provoked=[" + ".join(victims) for victims in rounds_of],
        notes=[f"batches sent again by the sender: {pouring.again}"],
        seconds=time.monotonic() - began,
    )
