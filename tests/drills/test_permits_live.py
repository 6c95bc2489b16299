"""The municipal permit log, sent through the running system, gives the findings that ``replay`` gives."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.centre import load_centre
from mingjing.importing import import_log
from mingjing.replay import replay
from tests.drills.system import running
from tests.drills.workload import as_lines


@pytest.mark.process
@pytest.mark.timeout(600)
def test_it_gives_the_same_findings_live_as_replayed(tmp_path: Path, shared_data: Path) -> None:
    imported = import_log(shared_data / "permits" / "receipt.csv", "permits")
    lines = as_lines(imported.events)
    with running(tmp_path / "data", imported.centre, ("worker", "rules", "door")) as system:
        system.wait_for("the door answers", lambda: system.answers(f"{system.door}/healthz"), 60)
        system.pour(lines)
        system.wait_for(
            "all events are stored", lambda: system.one("select count(*) from event") >= len(lines), 120
        )
        system.wait_for("all cases are judged", system.judged, 120)
        stored = dict(
            system.query(
                "select finding_id, closed_at from finding where state <> 'revoked' and subject like 'case:%'"
            )
        )
        centre = load_centre(tmp_path / "data" / "centre.yaml")
    result = replay(centre, lines, datetime.now(UTC))
    expected = {finding.finding_id: finding.closed_at for finding in result.findings}
    print(f"\n{len(lines)} events, {len(expected)} findings replayed, {len(stored)} live")
    assert len(expected) > 400
    assert stored == expected
