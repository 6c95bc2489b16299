"""Fixtures of the streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streams.house import House


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_kind(request: pytest.FixtureRequest) -> str:
    """What holds for one kind of log holds for the other."""
    return str(request.param)


@pytest.fixture
def house(tmp_path: Path, log_kind: str, request: pytest.FixtureRequest) -> Iterator[House]:
    house = House(tmp_path, request.getfixturevalue("kafka") if log_kind == "kafka" else None)
    yield house
    house.close()
