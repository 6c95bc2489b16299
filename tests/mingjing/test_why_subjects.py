"""Why there is a finding about a complaint, a person, a year; and why there is none: from files and from a running system."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from domain.centres import Centres
from domain.clock import FakeClock
from mingjing.cli import main
from mingjing.why.live import ask_store
from mingjing.why.text import Speaker
from store import chain
from store.connection import connect
from store.ingest import write_events
from streams.linking import linking_of
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop_subjects import CODE, call, day, with_rules

CENTRE = """
centre: {id: "530502"}
rules: {complaints: {}}
"""


def line(number: int, kind: str, at: str, name: str = "17") -> str:
    row = {
        "event_id": str(number),
        "kind": f"complaint.{kind}",
        "occurred_at": f"2026-11-{at}:00+08:00",
        "source": "12345",
    }
    return json.dumps(row | {"data": {"complaint": name, "unit": "u"}})


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_out_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str) -> None:
    (tmp_path / "centre.yaml").write_text(CENTRE, "utf-8")
    lines = [
        line(1, "opened", "02T09:00"),
        line(2, "assigned", "02T09:30"),
        line(3, "opened", "20T09:00", "18"),
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines), "utf-8")

    def ask(command: str, subject: str) -> tuple[int, str]:
        files = ["--centre", str(tmp_path / "centre.yaml"), "--events", str(tmp_path / "events.jsonl")]
        with pytest.raises(SystemExit) as ended:
            main([command, subject, *files, "--lang", lang])
        return int(ended.value.code or 0), capsys.readouterr().out

    status, said = ask("why", "complaint:17")
    assert status == 0
    assert "complaint.overdue" in said
    assert "2026-11-09 17:00:00" in said, "five working days after the unit was given it"
    status, said = ask("why-not", "complaint:18")
    assert status == 0
    assert "complaint.opened" in said
    assert "2026-11-20 09:00:00" in said
    assert ask("why", "complaint:19")[0] == 3
    assert ask("why", "nonsense:1")[0] == 3


@pytest.mark.postgres
def test_out_of_a_running_system(database: str) -> None:
    centre = with_rules(complaints={}, blind={})
    with connect(database, autocommit=True) as db:
        events = [call("opened", "11-02 09:00"), call("assigned", "11-02 09:30")]
        write_events(db, events, centre=CODE, now=day("11-02 10:00"), linking=linking_of({CODE: centre}))
        now = day("11-20 10:00")
        loop = RuleLoop(database, centre, FakeClock(now))
        while loop.tick(now).more:
            pass
        loop.close()
        centres = Centres.of(centre)
        (found,) = ask_store(db, centres, "complaint:17", now, by="p9")
        for lang in ("zh", "en"):
            words = "\n".join(Speaker(lang, centre).why(found.answer))
            assert "complaint.overdue" in words
            assert "\n".join(Speaker(lang, centre).why_not(found.answer, found.more))
        assert [row.kind for row in chain.read(db, CODE)][-1] == "evidence.looked"
        db.execute(
            "update subject_state set lost_until = %s where subject = 'complaint:17'",
            [now - timedelta(days=9)],
        )
        (lost,) = ask_store(db, centres, "complaint:17", now)
        assert "subject_lost" in [reason.code for reason in lost.more]
        (watched,) = ask_store(db, centres, "rules:time_limit", now)
        assert [reason.code for reason in watched.answer.reasons] == ["subject_status", "subject_ahead"]
        assert ask_store(db, centres, "complaint:18", now) == []
