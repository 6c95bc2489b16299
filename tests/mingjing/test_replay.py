"""``mingjing replay``: the contract's examples, refused lines, exit statuses, order of arrival."""

from __future__ import annotations

import json
import random
from datetime import datetime
from functools import partial

import pytest

from domain.centre_file import parse_centre
from domain.centre_folder import load_centres
from mingjing import replay as replaying
from mingjing.cli import main
from mingjing.replay import Replay, parse_until, replay

LISTED = {
    "time_limit.promised", "time_limit.legal", "acceptance.overdue", "suspension.overrun", "extension.late",
    "delivery.overdue",
}  # fmt: skip
CENTRE = """
centre: {id: "530502"}
items:
  - {code: A, legal_limit: {days: 3}, stages: {review: {days: 2}}}
windows: [{id: A01}]
"""


def line(event_id, kind, when, **more):
    row = {
        "event_id": event_id, "kind": kind, "occurred_at": f"2026-03-{when}+08:00", "source": "s", "case": "c1", "item": "A",
        "data": {}, **more,
    }  # fmt: skip
    return json.dumps(row)


ACCEPTED = line("1", "case.accepted", "02T09:30:00")
CLOSED = line("2", "case.closed", "06T10:00:00")


@pytest.fixture(autouse=True, params=["in memory", "in a temporary file"])
def kept(request, monkeypatch):
    """Where events are kept changes nothing of what is said."""
    if request.param != "in memory":
        monkeypatch.setattr(replaying, "Replay", partial(Replay, spill_after=1))


@pytest.fixture
def run(tmp_path, capsys):
    def call(lines, *options, centre=CENTRE):
        (tmp_path / "centre.yaml").write_text(centre, "utf-8")
        raw = lines if isinstance(lines, bytes) else "\n".join([*lines, ""]).encode()
        (tmp_path / "events.jsonl").write_bytes(raw)
        out = [str(tmp_path / name) for name in ("centre.yaml", "events.jsonl")]
        files = ["--findings", str(tmp_path / "found.jsonl"), "--rejected", str(tmp_path / "rejected.jsonl")]
        with pytest.raises(SystemExit) as end:
            main(["replay", *out, *files, *options])
        read = [
            [json.loads(row) for row in (tmp_path / name).read_text("utf-8").splitlines()]
            if (tmp_path / name).exists()
            else []
            for name in ("found.jsonl", "rejected.jsonl")
        ]
        return end.value.code, *read, capsys.readouterr()

    return call


@pytest.mark.parametrize("name", ["time-limits", "time-limits-midnight"])
def test_it_gives_the_rows_of_the_contract(shared, name):
    folder = shared / "contract" / "examples" / name
    centre = parse_centre((folder / "centre.yaml").read_text("utf-8"))
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    until = parse_until((folder / "until.txt").read_text("utf-8"), centre)
    random.Random(3).shuffle(lines)
    result = replay(centre, lines + lines[:50], until)
    got = {(f.case, f.rule, f.opened_at, f.closed_at, f.due_at) for f in result.findings if f.rule in LISTED}

    def moment(text):
        return None if text is None else datetime.fromisoformat(text)

    expected = [json.loads(row) for row in (folder / "expected.jsonl").read_text("utf-8").splitlines()]
    assert got == {
        (r["case"], r["rule"], moment(r["opened_at"]), moment(r["closed_at"]), moment(r["due_at"]))
        for r in expected
    }
    assert (result.rejected, result.duplicates) == ((), 50)


def test_findings_are_written_as_the_contract_says(run):
    status, found, rejected, out = run([ACCEPTED, CLOSED])
    assert (status, rejected) == (0, [])
    red = dict(next(row for row in found if row["rule"] == "time_limit.legal"))
    explain = red.pop("explain")
    assert red == {
        "finding_id": red["finding_id"], "rule": "time_limit.legal", "severity": "red", "case": "c1", "item": "A",
        "window": None, "centre": "530502", "opened_at": "2026-03-05T17:00:00+08:00",
        "closed_at": "2026-03-06T10:00:00+08:00", "state": "closed", "due_at": "2026-03-05T17:00:00+08:00",
        "provisional": False,
    }  # fmt: skip
    assert explain["counted_days"] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert "time_limit.legal" in out.out
    assert run([CLOSED, ACCEPTED])[1] == found, "the same run gives the same rows and ids"


def test_until_defaults_to_the_last_event_of_any_kind(run):
    _, found, _, _ = run([ACCEPTED])
    assert [row["rule"] for row in found] == []
    _, found, _, _ = run([ACCEPTED, line("9", "window.paused", "06T09:00:00", window="A01", case=None)])
    assert [row["state"] for row in found if row["rule"] == "time_limit.legal"] == ["open"]


def test_events_after_until_are_not_taken(run):
    _, found, _, _ = run([ACCEPTED, CLOSED], "--until", "2026-03-06T09:00:00+08:00")
    assert [row["closed_at"] for row in found if row["rule"] == "time_limit.legal"] == [None]
    _, again, _, _ = run([ACCEPTED, CLOSED], "--until", "2026-03-06T09:00:00")
    assert again == found, "without an offset it is the centre's time"


def test_bad_lines_are_refused_with_number_and_reason_and_the_rest_is_processed(run):
    lines = [
        "{",
        ACCEPTED,
        "",
        line("3", "case.dreamt", "03T10:00:00"),
        line("4", "case.closed", "03T10:00:00", window="B9"),
        line("1", "case.accepted", "03T10:00:00"),
        ACCEPTED,
        line("5", "case.stage_finished", "03T10:00:00", data={"stage": "review"}),
        line("6", "case.stage_started", "04T10:00:00", data={"stage": "review"}),
        CLOSED,
    ]
    status, found, rejected, out = run(lines)
    assert status == 3
    assert [(r["line"], r["code"]) for r in rejected] == [
        (1, "bad_json"), (4, "unknown_kind"), (5, "unknown_window"), (6, "conflict"), (8, "finished_before_start"),
    ]  # fmt: skip
    assert all(r["reason"] for r in rejected)
    assert [row["rule"] for row in found] == ["time_limit.notice", "time_limit.legal"]
    assert "line 1: bad_json" in out.err


def test_ids_of_two_sources_do_not_meet(run):
    status, _, _, _ = run([ACCEPTED, line("1", "case.closed", "06T10:00:00", source="other")])
    assert status == 0


def test_bytes_that_are_no_text_and_lines_without_end(run):
    raw = b"\xef\xbb\xbf" + ACCEPTED.encode() + b"\r\n\xff\xfe\n" + b"x" * 3_000_000 + b"\n" + CLOSED.encode()
    status, found, rejected, _ = run(raw)
    assert [(r["line"], r["code"]) for r in rejected] == [(2, "not_utf8"), (3, "too_large")]
    assert (status, found[-1]["closed_at"]) == (3, "2026-03-06T10:00:00+08:00")
    assert len(rejected[1]["raw"]) < 3_000


def test_an_empty_file_is_no_error(run):
    status, found, rejected, _ = run([])
    assert (status, found, rejected) == (0, [], [])


def test_a_broken_centre_file_ends_with_2(run):
    status, _, _, out = run([ACCEPTED], centre=CENTRE.replace("windows", "windoes"))
    assert status == 2
    assert "centre.yaml:5" in out.err
    assert "did you mean 'windows'" in out.err


def test_a_missing_events_file_and_a_bad_until_end_with_2(run, tmp_path, capsys):
    assert run([ACCEPTED], "--until", "tomorrow")[0] == 2
    with pytest.raises(SystemExit) as end:
        main(["replay", str(tmp_path / "centre.yaml"), str(tmp_path / "none.jsonl")])
    assert end.value.code == 2
    assert "none.jsonl" in capsys.readouterr().err


def test_a_folder_of_centres_keeps_cases_of_one_number_apart(tmp_path):
    for code, days in (("530502", 3), ("530521", 10)):
        text = CENTRE.replace("530502", code).replace("{days: 3}", f"{{days: {days}}}")
        (tmp_path / f"{code}.yaml").write_text(text, "utf-8")
    centres = load_centres(tmp_path)
    both = [
        line("1", "case.accepted", "02T09:30:00", centre=code) for code in ("530502", "530521", "110000")
    ] + [ACCEPTED]
    until = datetime.fromisoformat("2026-03-12T09:00:00+08:00")
    result = replay(centres, both, until)
    assert [(row.line, row.code) for row in result.rejected] == [(3, "unknown_centre"), (4, "missing_centre")]
    assert {finding.centre for finding in result.findings} == {"530502", "530521"}
    assert {f.centre for f in result.findings if f.rule == "time_limit.legal"} == {"530502"}
    alone = [
        finding
        for code, row in zip(centres, both, strict=False)
        for finding in replay(centres[code], [row], until).findings
    ]
    assert list(result.findings) == alone
