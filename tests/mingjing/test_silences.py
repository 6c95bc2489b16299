"""`mingjing silences`: begun by an inspector, listed, replaced and ended; in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dashboard.desk.accounts import Account, write_account
from domain.errors import InputError
from mingjing import silences
from mingjing.moments import moment_of, span_of

ZONE = ZoneInfo("Asia/Shanghai")
CENTRE = """
centre: {id: "530502", name: 测试中心}
people: [{id: p1, name: 张三}, {id: j1, name: 监一}]
windows: [{id: A07, name: 食品, handler: p1}, {id: A08, name: 医保, handler: j1}]
messages: {inspectors: [j1]}
"""


@pytest.fixture
def called(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "centre.yaml").write_text(CENTRE, "utf-8")
    accounts = tmp_path / "accounts"
    write_account(accounts, Account("duty", "inspector", "scrypt$x"))
    write_account(accounts, Account("boss", "director", "scrypt$x", "p1"))
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    monkeypatch.setenv("MINGJING_DATABASE", database)
    monkeypatch.setenv("MINGJING_DESK_ACCOUNTS_FILE", str(accounts))
    return lambda *words: CliRunner().invoke(silences.app, list(words))


@pytest.mark.postgres
def test_a_silence_from_its_begin_to_its_end(called: Callable[..., Result]) -> None:
    given = (
        "--rule",
        "absence.*",
        "--window",
        "A07",
        "--reason",
        "柜台改造",
        "--days",
        "working",
        "--hours",
        "18:00-08:00",
    )
    made = called("add", *given, "--for", "3 days", "--by", "j1")
    assert made.exit_code == 0, made.output
    for words in ("window=A07", "rule=absence.*", "监一 j1: 柜台改造", "每逢 working 18:00-08:00"):
        assert words in made.stdout
    row = json.loads(called("list", "--json").stdout)
    assert (row["author"], row["match"]) == ("j1", {"rule": ["absence.*"], "window": ["A07"]})
    assert row["until"].endswith("+08:00")

    again = called("add", *given, "--for", "90m", "--by", "duty", "--replaces", str(row["silence"]))
    assert again.exit_code == 0, again.output
    newer = json.loads(called("list", "--json").stdout)
    assert newer["silence"] > row["silence"]
    assert newer["author"] == "duty", "an account without a person is its own name"
    assert "ended" in called("end", str(newer["silence"]), "--by", "j1").stdout
    assert called("list").stdout == ""
    assert "已由 监一 j1 于" in called("list", "--all").stdout


@pytest.mark.postgres
def test_refusals_name_the_option_or_the_reason(called: Callable[..., Result]) -> None:
    start = ("add", "--reason", "x")
    for given, words in (
        (("--rule", "absence.*", "--window", "A07", "--by", "j1"), "--until or --for"),
        (("--rule", "absence.*", "--for", "1h", "--until", "2026-12-01", "--by", "j1"), "--until or --for"),
        (("--rule", "absence.*", "--for", "soon", "--by", "j1"), "--for"),
        (("--rule", "absence.*", "--for", "1h", "--by", "p1"), "'p1' is none"),
        (("--rule", "absence.*", "--for", "1h", "--by", "boss"), "'boss' is none"),
        (("--rule", "absence.*", "--for", "1h", "--by", "j1"), "nobody silences his own cards"),
        (("--window", "A07", "--for", "40 days", "--by", "j1"), "at most 31 days"),
        (("--for", "1h", "--by", "j1"), "of what"),
    ):
        answer = called(*start, *given)
        assert answer.exit_code != 0, given
        assert words in str(answer.exception), given
    assert called("list", "--all").stdout == "", "nothing came of any of them"


def test_moments_are_local_unless_they_say_otherwise() -> None:
    assert moment_of("2026-11-24 08:00", ZONE, "--until") == datetime(2026, 11, 24, tzinfo=UTC)
    assert moment_of("2026-11-24T08:00:00Z", ZONE, "--until") == datetime(2026, 11, 24, 8, tzinfo=UTC)
    with pytest.raises(InputError, match="--until: 'noon'"):
        moment_of("noon", ZONE, "--until")


def test_spans() -> None:
    assert span_of("90 minutes", "--for") == span_of("90m", "--for") == timedelta(minutes=90)
    assert span_of("1.5h", "--for") == timedelta(minutes=90)
    assert span_of("2 天", "--for") == timedelta(days=2)
    for text in ("0 hours", "h", "3 weeks", "-1h"):
        with pytest.raises(InputError, match="--for"):
            span_of(text, "--for")
