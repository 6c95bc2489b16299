"""Settings come from the environment, with defaults that need nothing installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import SettingsError
from mingjing.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)


def test_the_defaults_need_nothing(tmp_path: Path):
    settings = load_settings(data=tmp_path)
    assert settings.broker_url == f"local://{tmp_path}/log.db"
    assert settings.embedded_database
    assert settings.centre_file == tmp_path / "centre.yaml"
    assert settings.wall_host == "127.0.0.1"
    assert settings.door_host == "127.0.0.1"


def test_the_environment_is_read_and_an_option_wins(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("MINGJING_WALL_PORT", "9000")
    monkeypatch.setenv("MINGJING_BROKER", "kafka://kafka:9092")
    assert load_settings().wall_port == 9000
    assert load_settings(wall_port=9001).wall_port == 9001
    assert load_settings().broker_url == "kafka://kafka:9092"


@pytest.mark.parametrize(
    ("name", "value"),
    [("MINGJING_WALL_PORT", "many"), ("MINGJING_BROKER", "redis://x"), ("MINGJING_LOG_LEVEL", "loud")],
)
def test_a_wrong_value_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert caught.value.exit_status == 2
    assert "\n" not in str(caught.value)


def test_another_process_gets_the_same_settings_from_the_environment(monkeypatch, tmp_path: Path):
    given = load_settings(
        data=tmp_path, wall_port=9005, clock="sim:1:2:60", gateway_url="http://127.0.0.1:9006/send"
    )
    for name, value in given.environ().items():
        monkeypatch.setenv(name, value)
    again = load_settings()
    assert again.environ() == given.environ()
    assert again.clock == "sim:1:2:60"


def test_a_password_in_the_database_address_is_not_shown():
    assert "hunter2" not in repr(load_settings(database="postgresql://me:hunter2@db/mingjing"))


def test_every_field_has_a_default():
    assert all(not field.is_required() for field in Settings.model_fields.values())
