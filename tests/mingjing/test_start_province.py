"""A folder of centre files under one supervisor: door, worker, rules and wall of several centres, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.province import write_province
from domain.errors import CentreFilesError, SettingsError
from domain.shares import Share
from mingjing.processes import Context, run_process
from mingjing.settings import load_settings
from mingjing.start import run_centre
from tests.drills.system import free_ports
from tests.mingjing.test_start import answers


def test_a_start_is_refused_with_every_broken_file(tmp_path: Path) -> None:
    for path in write_province(tmp_path / "centres", centres=3, windows=1)[:2]:
        path.write_text("centre: {}\n", "utf-8")
    with pytest.raises(CentreFilesError, match=r"530100\.yaml:1: .*; .*530102\.yaml:1: "):
        run_centre(load_settings(data=tmp_path / "data", centre=tmp_path / "centres"))


def test_a_process_that_starts_again_goes_on_with_the_last_good_reading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = write_province(tmp_path / "centres", centres=2, windows=1)[0]
    settings = load_settings(data=tmp_path / "data", centre=tmp_path / "centres")
    before = Context(settings).centres
    first.write_text("centre: {}\n", "utf-8")
    after = Context(settings).centres
    assert dict(after) == dict(before)
    assert "530100.yaml:1" in caplog.text


@pytest.mark.parametrize("name", ["rules", "worker", "door", "wall"])
def test_only_cameras_are_shared_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="any number of"):
        run_process(name, load_settings(data=tmp_path), share=Share(1, 2))


def overdue(case: str, centre: str | None) -> dict[str, Any]:
    """Accepted ten days ago with a legal deadline of two days ago."""
    now = datetime.now(UTC)
    row = {
        "event_id": f"e-{case}", "kind": "case.accepted", "occurred_at": (now - timedelta(days=10)).isoformat(),
        "source": "approval", "case": case, "window": "A01",
        "data": {"legal_deadline": (now - timedelta(days=2)).isoformat()},
    }  # fmt: skip
    return row | ({"centre": centre} if centre else {})


def red_chips(address: str, wanted: int, seconds: float = 40.0) -> dict[str, Any]:
    """What the wall of all centres shows, once it shows so many red centres."""
    from websockets.sync.client import connect

    shown: dict[str, Any] = {}
    end = time.monotonic() + seconds
    with connect(f"ws://{address}/wall/live?lang=zh", origin=f"http://{address}") as line:  # type: ignore[arg-type]
        while shown.get("lamp-red-count", {}).get("children") != str(wanted):
            assert time.monotonic() < end, {part: props for part, props in shown.items() if "lamp" in part}
            shown |= json.loads(line.recv(timeout=10))["set"]
    return shown


@pytest.mark.process
def test_several_centres_under_one_supervisor(tmp_path: Path) -> None:
    write_province(tmp_path / "centres", centres=3, windows=8, cameras=False)
    wall, door = free_ports(2)
    data = tmp_path / "data"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    environ |= {"MINGJING_WALL_PORT": str(wall), "MINGJING_DOOR_PORT": str(door)}
    command = [
        sys.executable, "-m", "mingjing", "start", str(tmp_path / "centres"), "--data", str(data),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        end = time.monotonic() + 90
        addresses = (f"http://127.0.0.1:{wall}/healthz", f"http://127.0.0.1:{door}/healthz")
        while not all(answers(address) for address in addresses):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "neither wall nor door"
            time.sleep(0.2)
        key = (data / "secrets" / "api-keys").read_text().strip().split(":")[1]
        events = [overdue("C1", code) for code in ("530100", "530103", None)]
        answer = httpx.post(
            f"http://127.0.0.1:{door}/events", json=events, headers={"X-API-Key": key}, timeout=10
        )
        assert answer.json()["accepted"] == 2
        assert [row["code"] for row in answer.json()["rejected"]] == ["missing_centre"]
        shown = red_chips(f"127.0.0.1:{wall}", 2)
        cards = {
            shown[f"card-{slot}-name"]["children"]: shown[f"card-{slot}"]["className"] for slot in range(3)
        }
        assert {name for name, light in cards.items() if light == "card light-red"} == {"昆明市", "盘龙区"}
        assert httpx.get(f"http://127.0.0.1:{wall}/centre/530103/", timeout=10).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "3 个中心" in said
