from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.figure import read_figures
from benchmarks.presence_conditions import CONDITIONS, Condition
from benchmarks.presence_scenes import NAMES, SCENES, pictures_of, truth_of
from benchmarks.presence_table import Job, planned, right_share, run_job, score
from detectors.presence.state import PostState
from mingjing.watch import Sample

TRUTH = {"duration": 60, "posts": [{"name": "p", "present": [[10, 30]], "passing": [[45, 46]]}]}
ROOT = Path(__file__).parents[2]


def sample(t, state, reason=None):
    return Sample("p", t, PostState(state, reason, 0.0, t, t, t))


@pytest.mark.parametrize(
    ("t", "state", "kind"),
    [
        (5, "absent", "right"),
        (5, "present", "false present"),
        (20, "present", "right"),
        (20, "absent", "false absent"),
        (20, "unknown", "unknown"),
        (10.5, "absent", None),  # one second around a change
        (45.5, "present", None),  # somebody walks through
    ],
)
def test_samples_are_scored_against_the_truth(t, state, kind):
    said = sample(t, state, "low_score" if state == "unknown" else None)
    counts = score([said], TRUTH, CONDITIONS["as it is"])
    assert {key for key in counts if not key.startswith("(") and key != "samples"} == (
        {kind} if kind else set()
    )


@pytest.mark.parametrize(
    ("t", "state", "kind"),
    [
        (36, "absent", None),
        (41, "absent", "not noticed"),
        (41, "unknown", "unknown as due"),
        (5, "absent", "right"),
    ],
)
def test_a_spoilt_view_must_become_unknown_within_ten_seconds(t, state, kind):
    counts = score(
        [sample(t, state, "covered" if state == "unknown" else None)], TRUTH, Condition(None, 30.0, True)
    )
    assert counts == (Counter({kind: 1, "samples": 1}) if kind else Counter())


def test_the_share_is_of_what_was_answered():
    assert right_share({"right": 97, "false present": 3, "unknown": 400}) == 97.0
    assert right_share({"unknown": 5}) is None


def test_every_drawn_clip_has_its_truth_and_is_the_same_each_time():
    for name in SCENES:
        truth = truth_of(name)
        assert [post["name"] for post in truth["posts"]] == list(NAMES)
        first, again = (list(pictures_of(name, 1.0)) for _ in range(2))
        assert len(first) == 5
        assert all((a.image == b.image).all() for a, b in zip(first, again, strict=True))


def test_a_net_is_not_asked_about_drawings():
    jobs = list(planned(["detector", "correlation"], ["table", "drawn"], [], Path(), 60))
    assert {job.clip for job in jobs if job.method == "detector"} == {"table"}
    assert {job.condition for job in jobs if job.clip == "table"} == set(CONDITIONS)


@pytest.mark.parametrize("condition", ["as it is", "dark x0.25"])
def test_the_comparison_accuses_nobody_on_a_drawn_clip(condition):
    row = run_job(Job("correlation", "drawn, others", condition, "", 34.0))
    assert row.get("false absent", 0) == 0
    assert right_share(row) >= 97
    assert row["right"] > 100


@pytest.mark.slow
def test_one_command_writes_the_table_and_its_figures(tmp_path):
    words = [
        "--methods",
        "correlation",
        "--clips",
        "drawn",
        "--conditions",
        "as it is",
        "--until",
        "12",
        "--jobs",
        "1",
    ]
    out = tmp_path / "presence"
    command = [sys.executable, "-m", "benchmarks.presence_table", *words, "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    text = out.with_suffix(".md").read_text()
    assert "| correlation | drawn | as it is |" in text
    figures = read_figures(out.with_suffix(".json"))
    assert {figure.parameters["clip"] for figure in figures} == {"drawn"}
    assert json.loads(out.with_suffix(".json").read_text())
