"""A replay of a file too large for memory: the same answer byte for byte, few events in memory, nothing left behind."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import yaml

from benchmarks.mixed_year import CENTRE, FAMILIES, draw_year
from domain.centre import Centre
from domain.centres import Centres
from domain.errors import StoreError
from domain.events import Event, parse_line
from domain.findings import finding_to_json
from mingjing import rejections
from mingjing import replay as replaying
from mingjing.cli import main
from mingjing.kept_events import EventsInMemory, EventsOnDisk, _pack, _unpack
from mingjing.rejections import Rejection
from mingjing.replay import Replay
from tests.conftest import ROOT
from tests.oracle import generate

FILE = CENTRE | {"rules": {name: {} for name in FAMILIES}}
YEAR = Centre.model_validate(FILE)
ACCEPTED = {
    "event_id": "1", "kind": "case.accepted", "occurred_at": "2026-03-02T09:30:00+08:00", "source": "s", "case": "c1",
    "item": "A-001", "data": {},
}  # fmt: skip


def said(centres, lines, spill_after, until=None):
    """All that a replay says, as text; and whether it was kept in a file."""
    run = Replay(centres, spill_after=spill_after)
    run.read(lines)
    found = [
        json.dumps(finding_to_json(finding, centres[finding.centre].zone), ensure_ascii=False)
        for group in run.judge(until)
        for finding in group
    ]
    refused = [json.dumps(row.to_json()) for row in sorted(run.rejected, key=lambda r: r.line)]
    counts = (run.taken, run.duplicates, run.cases, run.last)
    return (found, refused, counts), isinstance(run._kept, EventsOnDisk)


def assert_alike(centres, lines, spill_after, until=None):
    in_memory, spilled = said(centres, lines, 10**9, until)
    assert not spilled
    on_disk, spilled = said(centres, lines, spill_after, until)
    assert spilled
    assert on_disk == in_memory
    return in_memory


@pytest.mark.parametrize("cases", [250, pytest.param(3000, marks=pytest.mark.slow)])
def test_a_year_with_every_family_on_is_judged_alike(cases):
    lines = [line.encode() for line in draw_year(cases, seed=7)]
    found, _, counts = assert_alike(Centres.of(YEAR), lines, len(lines) // 3)
    assert counts[1] > 0, "duplicates"
    rules = {json.loads(row)["rule"] for row in found}
    assert {"time_limit.legal", "stage.overdue", "rating.fix_overdue", "fees.not_published"} <= rules


@pytest.mark.parametrize("seed", range(4))
def test_conflicts_broken_lines_and_late_ones_are_told_alike(seed):
    plain, lines, until = generate.make(seed, cases=40)
    lines = [*lines, "{", *lines[:5]]
    random.Random(seed).shuffle(lines)
    _, refused, _ = assert_alike(Centres.of(Centre.model_validate(plain)), lines, 60, until)
    assert {"conflict", "bad_json"} <= {json.loads(row)["code"] for row in refused}


def test_centres_keep_their_cases_apart():
    centres = Centres(Centre.model_validate(FILE | {"centre": {"id": code}}) for code in ("530502", "110000"))
    lines = [line.replace("530502", code) for line in draw_year(40, seed=3) for code in centres]
    found, _, counts = assert_alike(centres, lines, 100)
    assert counts[2] == 80
    assert {json.loads(row)["centre"] for row in found} == set(centres)


def test_the_first_to_arrive_stands_whichever_side_of_the_spill_it_is_on():
    other = ACCEPTED | {"occurred_at": "2026-03-05T09:30:00+08:00"}
    apart = [ACCEPTED | {"event_id": f"x{n}", "case": f"x{n}"} for n in range(6)]
    rows = [
        ACCEPTED,
        *apart,
        other,
        ACCEPTED,
        other,
        apart[5] | {"source": "another"},
        apart[5] | {"item": "A-002"},
    ]
    lines = [json.dumps(row) for row in rows]
    for spill_after in range(8):
        (found, refused, counts), spilled = said(Centres.of(YEAR), lines, spill_after)
        assert spilled is (spill_after < 8)
        assert [(json.loads(row)["line"], json.loads(row)["code"]) for row in refused] == [
            (8, "conflict"), (10, "conflict"), (12, "conflict"),
        ]  # fmt: skip
        assert counts[:3] == (8, 1, 7)
        assert (found, refused, counts) == said(Centres.of(YEAR), lines, 10**9)[0]


def test_few_long_lines_spill_too(monkeypatch):
    monkeypatch.setattr(replaying, "SPILL_SIZE", 200_000)
    lines = [json.dumps(ACCEPTED | {"event_id": str(n), "data": {"note": "长" * 50_000}}) for n in range(3)]
    assert said(Centres.of(YEAR), lines, 10**9)[1]


def test_an_event_comes_back_as_it_was():
    row = ACCEPTED | {
        "occurred_at": "2026-03-02T09:30:00.123456-05:30", "entered_at": "2026-03-02T09:30:00Z",
        "data": {"a": [1, 2.5, None, True, {"名": "𠮷"}], "n": 10**30}, "extra": "kept",
    }  # fmt: skip
    event = parse_line(json.dumps(row))
    again = _unpack(_pack(event))
    assert again == event
    assert again.occurred_at.isoformat() == event.occurred_at.isoformat()


def test_events_in_memory_do_not_grow_with_the_file():
    def alive():
        return sum(type(each) is Event for each in gc.get_objects())

    before, most = alive(), 0

    def watched(lines):
        nonlocal most
        for number, line in enumerate(lines):
            if number % 250 == 0:
                most = max(most, alive() - before)
            yield line

    run = Replay(Centres.of(YEAR), spill_after=300)
    run.read(watched(draw_year(300, seed=5)))
    assert run.taken > 3_000
    assert 100 < most <= 302
    for judged in islice(run.judge_each(), 0, None, 60):
        assert alive() - before <= 2 * len(judged.events) + 100, "one case at a time"


def test_refused_lines_in_memory_do_not_grow_with_the_file(monkeypatch):
    """Each is told, by line, those that are found while judging among them."""
    monkeypatch.setattr(rejections, "IN_MEMORY", 20)
    backwards = [
        ACCEPTED | {"event_id": f"{case}-{n}", "case": f"c{case:03}", "kind": kind, "data": {"stage": "review"}}
        | {"occurred_at": f"2026-03-{day:02}T09:30:00+08:00"}
        for case in range(40)
        for n, (kind, day) in enumerate([("case.accepted", 2), ("case.stage_started", 5), ("case.stage_finished", 3)])
    ]  # fmt: skip
    lines = [text for row in backwards for text in (json.dumps(row), "{")]
    run = Replay(Centres.of(YEAR), spill_after=30)
    run.read(lines)
    for _ in run.judge():
        assert sum(type(each) is Rejection for each in gc.get_objects()) <= 22
    told = [(row.line, row.code, row.reason, row.raw) for row in run.rejected]
    with monkeypatch.context() as patch:
        patch.setattr(rejections, "IN_MEMORY", 10**6)
        whole = replaying.replay(YEAR, lines)
    assert told == [(row.line, row.code, row.reason, row.raw) for row in whole.rejected]
    assert len(run.rejected) == len(told) >= 160
    assert [line for line, *_ in told] == sorted(line for line, *_ in told)


def test_nothing_spills_below_the_threshold():
    run = Replay(Centres.of(YEAR))
    run.read(draw_year(20, seed=1))
    assert isinstance(run._kept, EventsInMemory)


def test_a_full_disk_is_one_clear_sentence(monkeypatch, tmp_path, capsys):
    class Full(EventsOnDisk):
        def __init__(self, *given):
            super().__init__(*given)
            self._tables.run("pragma max_page_count = 20")

    monkeypatch.setattr(replaying, "EventsOnDisk", Full)
    lines = list(draw_year(60, seed=1))
    run = Replay(Centres.of(YEAR), spill_after=20)
    with pytest.raises(StoreError, match=r"disk is full.*TMPDIR"):
        run.read(lines)
    (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE), "utf-8")
    (tmp_path / "events.jsonl").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(replaying, "Replay", partial(Replay, spill_after=20))
    with pytest.raises(SystemExit) as end:
        main(["replay", str(tmp_path / "centre.yaml"), str(tmp_path / "events.jsonl")])
    assert end.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


SCRIPT = """
import sys
from mingjing import replay, temporary_tables
temporary_tables.CACHE = 64
replay.Replay = __import__("functools").partial(replay.Replay, spill_after=100)
from mingjing.cli import main
main(["replay", sys.argv[1], "-"])
"""


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path, how):
    (tmp_path / "centre.yaml").write_text(yaml.safe_dump(FILE), "utf-8")
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "centre.yaml")], cwd=ROOT, stdin=subprocess.PIPE,
        stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(folder), "SQLITE_TMPDIR": ""},
    )  # fmt: skip
    try:
        for line in draw_year(400, seed=2):
            process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()  # the pipe holds few lines: nearly all are taken
        opened = [os.readlink(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert any(name.startswith(str(folder)) for name in opened), "it is kept there"
        process.send_signal(how)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert told == b""
    assert list(folder.iterdir()) == []
