"""The drills by name: on which log each runs, how large it is in the tests and how large by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.drills import clock_jumps, database_faults, disorder, kafka_faults, kills, poison, storm
from tests.drills.balance import Balance
from tests.drills.clock_shift import clock_shift
from tests.drills.small_disk import small_disk
from tests.drills.system import ALL, System, running
from tests.drills.workload import CENTRE
from tests.kafka.cluster import KafkaCluster

LOCAL, KAFKA = "local", "kafka"
#: Several of a kind where several may be: one worker is all the local log has room for.
PROCESSES: Mapping[str, tuple[str, ...]] = {
    LOCAL: ("worker", "rules", "rules-2", "gateway", "sender", "sender-2", "door", "wall"),
    KAFKA: ("worker-1", "worker-2", "rules", "gateway", "sender", "door"),
}


@dataclass(frozen=True, slots=True)
class Drill:
    """``short`` for the tests; ``long`` takes about how many events flow, and a seed."""

    short: Callable[[System], Balance]
    long: Callable[[System, int, int], Balance]
    brokers: tuple[str, ...] = (LOCAL, KAFKA)


DRILLS: dict[str, Drill] = {
    "kills": Drill(
        lambda system: kills.drill(system, count=1500),
        lambda system, count, seed: kills.drill(system, count=count, seed=seed, rounds=30),
    ),
    "database": Drill(
        lambda system: database_faults.drill(system, count=1200, away=1.0),
        lambda system, count, seed: database_faults.drill(system, count=count, seed=seed, away=10, rounds=5),
    ),
    "kafka": Drill(
        lambda system: kafka_faults.drill(system, count=1200, killed=1, away=6),
        lambda system, count, seed: kafka_faults.drill(system, count=count, seed=seed, away=60, rounds=4),
        (KAFKA,),
    ),
    "disorder": Drill(
        lambda system: disorder.drill(system, count=1200),
        lambda system, count, seed: disorder.drill(system, count=count, seed=seed),
    ),
    "poison": Drill(
        lambda system: poison.drill(system, count=300, share=25),
        lambda system, count, seed: poison.drill(system, count=count, seed=seed, share=1),
    ),
    "storm": Drill(
        lambda system: storm.drill(system, count=5000, seconds=3),
        lambda system, count, seed: storm.drill(system, count=max(count, 50_000), seed=seed, seconds=120),
    ),
    "clock": Drill(
        lambda system: clock_jumps.drill(system, count=300, stay=2),
        lambda system, count, seed: clock_jumps.drill(system, count=count, seed=seed, jumps=6, stay=20),
        (LOCAL,),
    ),
}


@contextmanager
def fresh_system(folder: Path, broker: str, cluster: KafkaCluster | None = None) -> Iterator[System]:
    """A running system with everything the drills may break: wire, small disk, clock, brokers."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", 700))
        shift = clock_shift(folder / "clock") if broker == LOCAL else None
        environ = dict(shift.environ) if shift else {}
        if broker == KAFKA:
            cluster = cluster or stack.enter_context(KafkaCluster(folder / "kafka", 3))
            environ |= {
                "MINGJING_REPLICATION": "3",
                "MINGJING_SESSION_TIMEOUT": str(kafka_faults.SESSION),
            }
        system = stack.enter_context(
            running(
                folder / "data",
                CENTRE,
                PROCESSES[broker],
                broker=cluster.url if cluster else "",
                proxied=True,
                database=disk,
                environ=environ,
            )
        )
        system.small_disk, system.cluster = disk, cluster
        system.set_clock = shift.set if shift else None
        system.wait_ready()
        yield system


__all__ = ["ALL", "DRILLS", "KAFKA", "LOCAL", "Drill", "fresh_system"]
