"""What is missing is said before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mingjing.doctor import examine
from mingjing.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)


def verdicts(**settings) -> dict[str, tuple[str, str]]:
    return {
        check.name.split(" ", 1)[-1]: (check.verdict, check.text)
        for check in examine(load_settings(**settings))
    }


def test_an_empty_folder_lacks_only_the_centre_file(tmp_path: Path):
    found = verdicts(data=tmp_path)
    assert found["centre file"][0] == "bad"
    assert {verdict for name, (verdict, _) in found.items() if name != "centre file"} <= {"ok", "note"}


def test_a_broken_centre_file_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "centre.yaml").write_text("centre: {id: '1'}\nwidows: []\n")
    verdict, text = verdicts(data=tmp_path)["centre file"]
    assert verdict == "bad"
    assert "centre.yaml:2" in text
    assert "windows" in text


def test_what_is_there_is_counted(tmp_path: Path):
    (tmp_path / "centre.yaml").write_text(
        "centre: {id: '1', name: 某中心}\nwindows: [{id: A01}, {id: A02}]\n"
    )
    (tmp_path / "keys").write_text("approval:0123456789abcdef0123\n")
    found = verdicts(data=tmp_path, api_keys_file=tmp_path / "keys")
    assert found["centre file"] == ("ok", "某中心: 2 windows, 0 items, 0 cameras")
    assert found["API keys"] == ("ok", "1 systems may use the door")


def test_a_gateway_without_a_secret_is_bad(tmp_path: Path):
    assert verdicts(data=tmp_path, gateway_url="http://127.0.0.1:1/messages")["gateway"][0] == "bad"


def test_a_database_that_does_not_answer_is_bad(tmp_path: Path):
    verdict, text = verdicts(data=tmp_path, database="postgresql://127.0.0.1:1/none?connect_timeout=2")[
        "database"
    ]
    assert verdict == "bad"
    assert "does not answer" in text


@pytest.mark.postgres
def test_an_old_schema_says_what_to_do(empty_database: str, tmp_path: Path):
    verdict, text = verdicts(data=tmp_path, database=empty_database)["database"]
    assert verdict == "bad"
    assert "mingjing migrate" in text
