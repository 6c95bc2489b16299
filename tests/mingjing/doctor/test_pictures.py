"""Room for the loop, before it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mingjing.doctor.pictures import room
from mingjing.doctor.scene import Scene
from mingjing.settings import Settings

CENTRE = """
centre: {id: X}
windows: [{id: A01}]
cameras:
  - {id: C1, url: /x.mp4, posts: [{name: p, window: A01, polygon: [[0, 0], [1, 0], [1, 1]]}], evidence: %s}
"""


@pytest.mark.parametrize(
    ("evidence", "limit", "verdict", "words"),
    [
        ("{every: 10}", None, "ok", "about 0.7 GB"),
        ("{every: 10}", 0.5, "warning", "room for 0.5 GB"),
        ("{every: 20}", 0.5, "ok", "about 0.4 GB"),
        ("{keep: none}", 0.5, None, ""),
    ],
)
def test_the_days_of_the_loop_are_weighed_against_the_room(
    tmp_path: Path, evidence, limit, verdict, words
) -> None:
    (tmp_path / "centre.yaml").write_text(CENTRE % evidence, "utf-8")
    found = list(room(Scene(Settings(data=tmp_path, pictures_limit_gb=limit))))
    assert [each.verdict for each in found] == ([] if verdict is None else [verdict])
    assert all(words in each.en for each in found)
