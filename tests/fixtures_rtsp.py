"""A real RTSP server for tests of every room: one a session, and further ones for tests that break them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.rtsp.clips import NoClip, clip
from tests.rtsp.server import NoRtsp, RtspServer, require_rtsp


@pytest.fixture(scope="session")
def _rtsp_programs() -> None:
    try:
        require_rtsp()
        clip(size=(320, 180), gop=10, seconds=2)
    except (NoRtsp, NoClip) as reason:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; .ci/run is to install what the server needs")
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def rtsp(_rtsp_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """One server for the whole session. Tests leave it running and publish under names of their own."""
    with RtspServer(tmp_path_factory.mktemp("rtsp")) as server:
        yield server


@pytest.fixture
def rtsp_server(_rtsp_programs: None, tmp_path: Path) -> Iterator[Callable[..., RtspServer]]:
    """Starts a server for one test, which may kill it: ``rtsp_server(login=("viewer", "secret"))``."""
    with ExitStack() as stack:

        def start(**options: Any) -> RtspServer:
            folder = tmp_path / f"rtsp-{len(list(tmp_path.glob('rtsp-*')))}"
            return stack.enter_context(RtspServer(folder, **options))

        yield start
