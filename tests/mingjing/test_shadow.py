"""``mingjing shadow``: what would have been issued, by rule and week."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from domain.findings import Finding, in_shadow
from mingjing.cli import build_app
from store.connection import connect
from store.findings import Change, write_changes
from store.reading import findings

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    file = tmp_path / "centre.yaml"
    file.write_text(yaml.safe_dump({"centre": {"id": "530502"}, "rules": {"complaints": {"shadow": True}}}))
    monkeypatch.setenv("MINGJING_CENTRE", str(file))
    monkeypatch.setenv("MINGJING_DATABASE", database)

    def call(*words: str) -> str:
        result = CliRunner().invoke(build_app("shadow"), ["shadow", *words, "--data", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_counts_by_rule_and_week_and_nothing_of_it_is_issued(run, database: str) -> None:
    assert "没有发现" in run("report")
    with connect(database, autocommit=True) as db:
        for number, days in enumerate((0, 1, 7)):
            opened = NOW - timedelta(days=days)
            found = in_shadow(
                Finding(f"f{number}", "complaint.overdue", "yellow", "530502", opened, due_at=opened)
            )
            write_changes(db, f"complaint:{number}", [Change("opened", found)], NOW)
        assert findings(db, "530502", state=None) == []
        assert db.execute("select count(*) from finding_step").fetchone() == (0,)
    rows = [json.loads(line) for line in run("report", "--json").splitlines()]
    assert [(row["week"], row["found"], row["open"]) for row in rows] == [
        ("2026-11-09", 1, 1),
        ("2026-11-16", 2, 2),
    ]
    assert run("report").count("complaint.overdue") == 2
    listed = [json.loads(line) for line in run("list", "--json", "--limit", "2").splitlines()]
    assert [row["subject"] for row in listed] == ["complaint:0", "complaint:1"]
    assert listed[0]["opened_at"] == "2026-11-20T12:00:00+08:00"
    assert run("list", "--rule", "rating.fix_overdue") == ""
