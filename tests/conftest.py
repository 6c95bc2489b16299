"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fixtures_kafka import _kafka_jars, kafka, kafka_cluster, topic_prefix  # noqa: F401
from tests.fixtures_postgres import _template, database, empty_database, postgres  # noqa: F401
from tests.fixtures_rtsp import _rtsp_programs, rtsp, rtsp_server  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]


def find_shared() -> Path | None:
    """The folder with real data and the contract, if this checkout has one beside it."""
    for candidate in (os.environ.get("MINGJING_SHARED"), ROOT.parent / "shared"):
        if candidate and (Path(candidate) / "contract").is_dir():
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = find_shared()
    if folder is None:
        pytest.skip("no shared folder beside the checkout (set MINGJING_SHARED)")
    return folder


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    folder = shared / "data"
    if not folder.is_dir():
        pytest.skip("the shared folder holds no data")
    return folder
