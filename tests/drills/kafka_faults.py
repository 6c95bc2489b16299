"""Brokers killed in turn, all of them away, two workers cut from each other: what the door accepted is judged, once."""

from __future__ import annotations

import time

import psutil

from tests.drills.balance import Balance, take_balance
from tests.drills.pouring import Pouring
from tests.drills.system import System
from tests.drills.workload import as_lines, events
from tests.kafka.cluster import KafkaCluster

#: Real seconds after which the group goes on without a worker that is not heard; set for the processes of these drills.
SESSION = 3.0


def drill(
    system: System,
    *,
    count: int,
    seed: int = 23,
    killed: int = 3,
    away: float = 8.0,
    rounds: int = 1,
    label: str = "KAFKA",
) -> Balance:
    """
    Args:
        killed: how many of the brokers are killed, one after the other; all of them means every leader.
        away: seconds without any broker.
        rounds: how often all of it is done.
    """
    cluster = system.cluster
    assert cluster is not None, "the system runs without Kafka"
    lines = as_lines(events(seed, count // 6, late_share=0.1, label=label))
    workers = [name for name in system.names if name.startswith("worker")]
    provoked: list[str] = []
    began = time.monotonic()
    with Pouring(system, lines, seconds=(away + 20) * rounds) as pouring:
        for number in range(rounds):
            _kill_in_turn(cluster, killed)
            provoked.append(f"{killed} of {cluster.count} brokers killed and back, one after the other")
            _all_away(cluster, away)
            provoked.append(f"all brokers away for {away:g} s")
            zombie = workers[number % len(workers)]
            _stopped(system, zombie, SESSION * 1.5)
            provoked.append(
                f"{zombie} stopped for {SESSION * 1.5:g} s, its group gone on without it, then awake"
            )
            system.kill(*workers)
            provoked.append(" + ".join(workers) + " killed")
            assert pouring.flows, "nothing flows any more"
    system.settle(label, len(set(lines)))
    return take_balance(
        system,
        lines,
        drill="Kafka fails",
        label=label,
        provoked=provoked,
        notes=[f"batches sent again by the sender: {pouring.again}"],
        seconds=time.monotonic() - began,
    )


def _kill_in_turn(cluster: KafkaCluster, killed: int) -> None:
    """Leaders and the controller change with each that dies."""
    for broker in range(killed):
        cluster.kill(broker)
        time.sleep(1.0)
        # Two must stand for a record to be accepted: the next dies only when this one is back.
        cluster.start(broker)


def _all_away(cluster: KafkaCluster, seconds: float) -> None:
    for broker in range(cluster.count):
        cluster.kill(broker)
    time.sleep(seconds)
    for broker in range(cluster.count):
        cluster.start(broker, wait=False)
    cluster.wait_ready()


def _stopped(system: System, name: str, seconds: float) -> None:
    """The process hears and says nothing; then it wakes in the middle of what it was doing and does not know."""
    process: psutil.Process = system.running(name)
    process.suspend()
    try:
        time.sleep(seconds)
    finally:
        process.resume()


__all__ = ["SESSION", "drill"]
