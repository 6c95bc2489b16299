"""Every drill, short, on both logs. ``python -m tests.drills`` runs them long.

The drills of one log share a system: starting one takes longer than most drills. Each has cases of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.catalogue import DRILLS, KAFKA, LOCAL, fresh_system
from tests.drills.system import System
from tests.kafka.cluster import KafkaCluster


@pytest.fixture(scope="module")
def on_local() -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="mj-drills-"))
    try:
        with fresh_system(folder, LOCAL) as system:
            yield system
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def on_kafka(_kafka_jars: None) -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="mj-drills-"))
    try:
        with KafkaCluster(folder / "kafka", 3) as cluster, fresh_system(folder, KAFKA, cluster) as system:
            yield system
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, drill in DRILLS.items() if LOCAL in drill.brokers])
def test_it_balances_on_the_local_log(on_local: System, name: str) -> None:
    if name == "clock" and on_local.set_clock is None:
        pytest.skip("no C compiler to build the library that shifts the clock")
    balance = DRILLS[name].short(on_local)
    print(f"\n{balance}")
    balance.check()


@pytest.mark.kafka
@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["kafka", "disorder"])
def test_it_balances_on_kafka(on_kafka: System, name: str) -> None:
    balance = DRILLS[name].short(on_kafka)
    print(f"\n{balance}")
    balance.check()
