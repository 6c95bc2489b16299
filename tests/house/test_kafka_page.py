"""docs/kafka.md: every command, option and variable in it exists, and its numbers are those of the program."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.main import get_command

from mingjing import cli
from mingjing.settings import PREFIX, Settings
from streams.kafka_publisher import TIMEOUT
from streams.moving import CHUNK
from streams.settings import StreamSettings
from streams.topic_plan import MAX_MESSAGE, RETENTION_DAYS, TIERS, plan_topics
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "kafka.md").read_text("utf-8")


def options_of(*words: str) -> set[str]:
    app = cli.COMMANDS[words[0]].load()
    if not isinstance(app, typer.Typer):
        single, app = app, typer.Typer()
        app.command(words[0])(single)
    command: Any = get_command(app)
    if len(words) > 1:
        command = command.commands[words[1]]
    return {name for option in command.params for name in option.opts}


def test_every_command_and_option_exists() -> None:
    used = re.findall(r"mingjing (topics \w+|move-log|send)((?: --?[a-z-]+(?: [a-z0-9]+)?)*)", PAGE)
    assert {words for words, _ in used} == {
        "topics create",
        "topics check",
        "topics list",
        "move-log",
        "send",
    }
    for words, options in used:
        assert set(re.findall(r"--[a-z-]+", options)) <= options_of(*words.split()), words
    assert {"--all", "--dry-run", "--undo"} <= options_of("move-log")
    assert {"--partitions", "--replication", "--raise-partitions"} <= options_of("topics", "create")


def test_every_variable_exists_and_each_of_kafkas_is_there() -> None:
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
    named = {name.rstrip("_") for name in re.findall(PREFIX + r"[A-Z_]+", PAGE)}
    assert named <= known, named - known
    assert {name for name in known if name.startswith(PREFIX + "KAFKA_")} <= named


def test_the_tiers_are_the_programs() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert {name: (int(p), int(r)) for name, p, r in rows} == {
        name: (tier.partitions, tier.replication) for name, tier in TIERS.items()
    }


def test_the_settings_are_the_programs() -> None:
    settings = plan_topics("province", partitions=1, replication=1)[0].settings
    for name in re.findall(r"^\| `([a-z.]+\.[a-z.]+)` \|", PAGE, re.MULTILINE):
        assert name in settings, name
    for name, value in (("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime")):
        assert settings[name] == value
        assert f"| `{name}` | `{value}` |" in PAGE
    days = sorted(set(RETENTION_DAYS.values()), reverse=True)
    assert f"{days[0]} days; observations {days[1]}" in PAGE
    assert f"{MAX_MESSAGE // 2**20} MiB" in PAGE
    assert str(days[0] * 1440) in PAGE
    assert f"up to {TIMEOUT:.0f} s" in PAGE
    assert f"up to {CHUNK} records" in PAGE


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
