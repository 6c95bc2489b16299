"""docker-compose.yml: valid, every command exists, every variable is one the settings know, no secret in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from mingjing.processes import PROCESSES
from mingjing.settings import PREFIX, Settings
from streams.settings import StreamSettings
from tests.conftest import ROOT

COMPOSE = ROOT / "docker-compose.yml"
#: Keys of the compose specification that we use; a slip of the finger is not among them.
SERVICE_KEYS = {
    "image", "build", "restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "depends_on",
    "environment", "command", "secrets", "volumes", "ports", "healthcheck", "shm_size",
}  # fmt: skip
#: Parts of the embedded system that have a service of their own kind here, or exist in the demo only.
NOT_HERE = {"database", "gateway", "simulator"}


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


def ours(compose: dict) -> dict[str, dict]:
    return {name: one for name, one in compose["services"].items() if one["image"].startswith("mingjing:")}


def test_only_known_keys_are_used(compose):
    assert set(compose) <= {"name", "services", "volumes", "secrets", "x-process", "x-environment"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name


def test_images_are_pinned(compose):
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"\d+\.\d+\.\d+", tag), name


def test_there_is_one_service_to_a_process(compose):
    commands = {name: service["command"] for name, service in ours(compose).items()}
    assert commands.pop("migrate")[0] == "migrate"
    assert commands == {name: ["run", name] for name in PROCESSES if name not in NOT_HERE}


@pytest.mark.process
def test_every_command_is_understood(compose):
    for words in {tuple(service["command"][:1]) for service in ours(compose).values()}:
        shown = subprocess.run(
            [sys.executable, "-m", "mingjing", *words, "--help"], capture_output=True, timeout=60
        )
        assert shown.returncode == 0, words


def test_every_variable_is_one_the_settings_know(compose):
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
    for name, service in ours(compose).items():
        assert set(service["environment"]) <= known, name
    text = COMPOSE.read_text("utf-8") + (ROOT / ".env.example").read_text("utf-8")
    assert set(re.findall(r"MINGJING_[A-Z_]+", text)) <= known


def test_what_is_referred_to_is_declared(compose):
    for name, service in compose["services"].items():
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert set(service.get("depends_on", [])) <= set(compose["services"]), name
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            assert source in compose["volumes"] or source.startswith(("./", "${")), (name, source)


def test_a_process_gets_every_secret_whose_file_it_is_told_of(compose):
    for name, service in ours(compose).items():
        assert "database-password" in service["secrets"], name
    for name, secret in {
        "sender": "gateway",
        "wall": "acknowledge",
        "rules": "acknowledge",
        "door": "api-keys",
    }.items():
        assert secret in compose["services"][name]["secrets"]


def test_others_are_healthy_before_ours_start(compose):
    for name in ("kafka", "database", "wall"):
        assert compose["services"][name]["healthcheck"]["test"][0] == "CMD"
    for name, service in ours(compose).items():
        wanted = "migrate" if name != "migrate" else "database"
        assert wanted in service["depends_on"], name


def test_ports_are_on_loopback_unless_told_otherwise(compose):
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert ":-127.0.0.1:" in port, name


def test_secrets_are_files_and_no_value_stands_here(compose):
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    text = COMPOSE.read_text("utf-8") + (ROOT / ".env.example").read_text("utf-8")
    assert not re.search(r"(?i)password\s*[:=]\s*['\"]?\w", text.replace("database-password", ""))


def test_the_variables_of_the_example_are_used(compose):
    example = (ROOT / ".env.example").read_text("utf-8")
    for name in re.findall(r"^([A-Z_]+)=", example, re.MULTILINE):
        assert "${" + name in COMPOSE.read_text("utf-8"), name


def test_the_compose_client_accepts_it(tmp_path):
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("no docker compose client on this machine; the checks above stand in for it")
    checked = subprocess.run(
        [docker, "compose", "-f", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
