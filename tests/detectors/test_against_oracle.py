"""The rules against the referee (tests/oracle): same rows on the contract's examples and on generated nasty cases."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
import yaml

from tests.oracle import compare, generate, oracle

#: What the contract's examples list; other rules may add rows of their own.
LISTED = compare.RULES - {"time_limit.notice", "stage.overdue"}


@pytest.fixture(scope="session", params=["time-limits", "time-limits-midnight"])
def example(request, shared):
    folder = shared / "contract" / "examples" / request.param
    centre = yaml.safe_load((folder / "centre.yaml").read_text("utf-8"))
    lines = (folder / "events.jsonl").read_text("utf-8").splitlines()
    until = datetime.fromisoformat((folder / "until.txt").read_text("utf-8").strip())
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_text("utf-8").splitlines()]
    return centre, lines, until, {oracle.row_key(row) for row in expected}


def test_the_referee_gives_the_rows_of_the_contract(example):
    centre, lines, until, expected = example
    rows = oracle.judge(centre, lines, until)
    assert {oracle.row_key(row) for row in rows if row["rule"] in LISTED} == expected


def test_replay_gives_the_rows_of_the_contract(example, tmp_path):
    centre, lines, until, expected = example
    rows = compare.replay_rows(centre, lines, until, tmp_path)
    assert {oracle.row_key(row) for row in rows if row["rule"] in LISTED} == expected


@pytest.mark.parametrize("seed", range(14))
def test_replay_agrees_with_the_referee(seed, tmp_path):
    missing, extra = compare.difference(*generate.make(seed, cases=30), tmp_path)
    assert not missing, f"python -m tests.oracle.compare --seeds {seed} shows the smallest case"
    assert not extra, f"python -m tests.oracle.compare --seeds {seed} shows the smallest case"
