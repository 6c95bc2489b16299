"""The pages about messages: every example of a centre file loads, every command and every reason is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.reasons import Reason
from dashboard.catalogue import ZH
from domain.centre import Centre
from domain.centre_file import parse_centre

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "messages.md").read_text("utf-8")
ROSTER = (DOCS / "roster.md").read_text("utf-8")
PEOPLE = ("j1", "j2", "j9", "o1", "l2", "z1")


def examples(page: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


def centre_of(example: dict[str, Any]) -> Centre:
    people = {person["id"]: person for person in example.pop("people", [])}
    text = yaml.safe_dump(
        {
            "centre": {"id": "530502"},
            "departments": [{"id": "d-housing", "name": "住建局"}],
            "people": [
                {"id": each, "name": "某"} | people.get(each, {}) | {"phone": "13800000001"}
                for each in PEOPLE
            ],
            "windows": [{"id": "A07", "department": "d-housing"}],
            **example,
        },
        allow_unicode=True,
    )
    return parse_centre(text)


@pytest.mark.parametrize("number", range(len(examples(PAGE))))
def test_every_example_loads(number: int) -> None:
    example = examples(PAGE)[number]
    asked = set(example["messages"])
    assert asked <= set(centre_of(example).messages.model_fields_set)


@pytest.mark.parametrize("number", range(len(examples(ROSTER))))
def test_every_example_of_the_roster_loads(number: int) -> None:
    centre_of(examples(ROSTER)[number])


def test_the_examples_together_say_what_they_are_said_to() -> None:
    whole: dict[str, Any] = {}
    for example in examples(PAGE):
        whole |= example["messages"]
    settings = centre_of({"messages": whole}).messages
    assert [route.id for route in settings.routes] == ["empty-window", "construction-permits", "hints"]
    assert settings.routes[1].until == "answered"
    assert settings.quiet is not None
    assert settings.quiet.spared == ["red"]


def test_every_reason_stands_on_the_page() -> None:
    missing = [reason for reason in Reason if f"`{reason}`" not in PAGE]
    assert missing == []


def test_every_command_on_the_page_is_one() -> None:
    from typer.main import get_command

    from mingjing import messages, silences
    from mingjing.alerts.command import app as alerts

    known = {
        name: set(get_command(app).commands)  # type: ignore[attr-defined]
        for name, app in (("alerts", alerts), ("silences", silences.app), ("messages", messages.app))
    }
    for group, command in re.findall(r"^mingjing (alerts|silences|messages) (\w+)", PAGE, re.MULTILINE):
        assert command in known[group], f"{group} {command}"
    assert {"desk_messaging", "desk_silences"} <= ZH.keys()
    assert ZH["desk_messaging"] in PAGE
