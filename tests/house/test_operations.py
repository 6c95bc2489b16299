"""docs/operations.md speaks of commands, variables, files, services and ports that exist."""

from __future__ import annotations

import re

import typer
import yaml

from mingjing import cli
from mingjing.settings import PREFIX, Settings
from streams.settings import StreamSettings
from tests.conftest import ROOT
from tests.house.compose import BASE, TLS, load
from tests.house.helping import help_of

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
#: Every piece of code of the page, in line or in a block.
CODE = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) + re.findall(r"`([^`\n]+)`", PAGE)


def calls() -> set[tuple[str, ...]]:
    """Words after `mingjing` wherever the page calls it, as far as they are names of commands."""
    found = set()
    for code in CODE:
        for rest in re.findall(r"(?:^|-- |; )mingjing ((?:[a-z][a-z-]*)(?: [a-z-]+)*)", code, re.MULTILINE):
            found.add(tuple(rest.split()))
    return found


def test_every_command_exists_down_to_its_subcommand() -> None:
    named = {words for words in calls() if words[0] != "mingjing"}
    assert len(named) > 12
    for words in named:
        assert words[0] in cli.COMMANDS, words
        loaded = cli.COMMANDS[words[0]].load()
        if isinstance(loaded, typer.Typer) and len(words) > 1:
            subcommands = {command.name for command in loaded.registered_commands}
            assert words[1] in subcommands, words


def test_every_option_of_its_commands_exists() -> None:
    lines = [
        line
        for code in CODE
        for line in code.splitlines()
        if re.match(r"mingjing \w", line) and " --" in line
    ]
    assert lines
    for line in lines:
        words = line.partition("#")[0].split()[1:]
        names = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")][:2]
        head = names if isinstance(cli.COMMANDS[names[0]].load(), typer.Typer) else names[:1]
        shown = help_of(*head)
        for option in (word for word in words if word.startswith("--")):
            assert option in shown, line


def test_every_variable_exists() -> None:
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
    named = set(re.findall(r"MINGJING_[A-Z_]+\*?", PAGE))
    for name in named:
        stem = name.removesuffix("*")
        assert stem in known or any(each.startswith(stem) for each in known if name.endswith("*")), name
    example = (ROOT / ".env.example").read_text("utf-8")
    for name in ("WALL_ADDRESS", "WORKERS", "CAMERAS_MEMORY", "COMPOSE_FILE"):
        assert name in PAGE
        assert f"{name}=" in example


def test_every_file_of_the_repository_exists() -> None:
    for name in set(re.findall(r"\b(?:ops|docs)/[\w./@-]+\w|docker-compose[\w.-]*\.yml", PAGE)):
        assert (ROOT / name).exists() or list(ROOT.glob(name + "*")), name
    for name in re.findall(r"\]\(([\w./-]+\.md)", PAGE):
        assert (ROOT / "docs" / name).exists(), name
    for unit in set(re.findall(r"mingjing[\w@-]*\.(?:service|timer|target)", PAGE)):
        assert (ROOT / "ops" / "systemd" / unit).exists(), unit


def test_every_secret_is_in_the_table() -> None:
    table = PAGE.partition("| secret |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w.-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:])))
    files = {secret["file"].rpartition("/")[2] for secret in load(BASE, TLS)["secrets"].values()}
    assert named == files


def test_every_service_that_is_named_exists() -> None:
    services = load(BASE)["services"]
    for code in CODE:
        for rest in re.findall(r"docker compose (?:restart|ps|logs(?: -f)?|run --rm) ([a-z ]+)", code):
            words = rest.split() if "run" not in code else rest.split()[:1]
            assert set(words) <= set(services), code
    for profile in re.findall(r"--profile (\w+)", PAGE):
        assert any(profile in service.get("profiles", []) for service in services.values())


def test_the_ports_are_those_of_the_settings_and_of_the_containers() -> None:
    table = PAGE.partition("| port |")[2].partition("\n\n")[0]
    ports = {
        int(port)
        for port in re.findall(r"\b(\d{4})\b", "\n".join(row.split("|")[1] for row in table.splitlines()[1:]))
    }
    assert {Settings.model_fields["wall_port"].default, Settings.model_fields["door_port"].default} <= ports
    text = yaml.safe_dump(load(BASE))
    for port in ports:
        assert str(port) in text, port


def test_metrics_that_are_named_exist() -> None:
    metrics = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    for name in re.findall(r"`(mingjing_\w+)`", PAGE):
        assert name in metrics, name
