"""The drill of cameras, short, and what it would say of cameras that do worse."""

from __future__ import annotations

import pytest

from tests.drills.cameras import SHORT, Outage, Plan, drill, judge


@pytest.mark.process
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("_rtsp_programs")
def test_cameras_come_back_and_nobody_is_called_absent() -> None:
    balance = drill(SHORT)
    print(f"\n{balance}")
    balance.check()
    assert {each.what for each in balance.outages} == {"single", "kill"}
    assert balance.unknown["kill"]
    assert len(balance.back["kill"]) == SHORT.cameras


def word(camera: str, kind: str, state: str, told: float, **more: object) -> dict[str, object]:
    reason = "together" if kind == "site.state" else None
    return {"camera": camera, "kind": kind, "state": state, "told": told, "reason": reason, **more}


def rows(unknown: float = 105.0, back: float = 145.0, incidents: int = 1) -> list[dict[str, object]]:
    """A server is away from 100 to 140."""
    found = []
    for camera in ("C000", "C001"):
        found += [
            word(camera, "post.state", "unknown", unknown),
            word(camera, "camera.state", "unknown", 101.0),
        ]
        found += [
            word(camera, "camera.state", "present", back),
            word(camera, "post.state", "present", back + 5),
        ]
    for number in range(incidents):
        found += [
            word("S0", "site.state", state, told, since=number)
            for state, told in (("unknown", 102), ("present", 148))
        ]
    return found


def faults(
    found: list[dict[str, object]], memory: tuple[float, float] = (100.0, 101.0), what: str = "kill"
) -> str:
    outage = Outage(what, 0, frozenset({"C000", "C001"}), 100.0, 140.0)
    return " ".join(judge(Plan(2, 60, servers=1), [outage], found, memory, 0.1).faults)


def test_the_balance_finds_what_went_wrong() -> None:
    assert faults(rows()) == ""
    assert "not unknown within 10 s" in faults(rows(unknown=111.0))
    assert "back after 11.0 s" in faults(rows(back=151.0))
    assert "0 incidents, not 1" in faults(rows(incidents=0))
    assert "2 incidents, not 1" in faults(rows(incidents=2))
    assert "1 incidents, not 0" in faults(rows(), what="single")
    slept = [
        word("S0", "site.state", state, 110.0, since=9, reason="overslept")
        for state in ("unknown", "present")
    ]
    assert faults([*rows(), *slept]) == ""
    assert "memory grew" in faults(rows(), memory=(100.0, 200.0))
    assert "times absent" in faults([*rows(), word("C000", "post.state", "absent", 120.0)])
    assert "no end" in faults([*rows(), word("S0", "site.state", "unknown", 300.0, since="x")])
