"""docker-compose.yml and its overlays, as far as no container engine is needed: valid by the specification, every command
exists, every variable is one the settings know, every file is there, nothing runs without limits, no secret in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from mingjing.processes import PROCESSES
from mingjing.settings import PREFIX, Settings
from streams.publisher import kafka_servers
from streams.settings import StreamSettings
from streams.topic_plan import TIERS
from tests.conftest import ROOT
from tests.house.compose import BASE, FILES, THREE, TLS, load, ours, source, target
from tests.house.helping import help_of

EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
TEXT = "".join((ROOT / name).read_text("utf-8") for name in FILES)
KNOWN = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
#: Parts of the embedded system that have a service of their own kind here, or exist in the demo only.
NOT_HERE = {"database", "gateway", "simulator"}
#: Run once and end.
ONCE = {"migrate", "topics", "backup"}
#: Files a person puts there (docs/operations.md says how), beside those of the repository.
BROUGHT = {"./centre.yaml", "./models", "./backups", "./secrets/cameras", "./secrets/channels"}


@pytest.fixture(
    scope="module", params=[(BASE,), (BASE, THREE), (BASE, TLS), (BASE, THREE, TLS)], ids="+".join
)
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(*request.param)


@pytest.mark.parametrize("name", FILES)
def test_it_follows_the_specification(name: str) -> None:
    rows = yaml.safe_load((ROOT / name).read_text("utf-8"))
    jsonschema.validate(rows, get_builtin_schema("vendor.compose-spec"))


def test_so_does_what_they_make_together(compose: dict) -> None:
    jsonschema.validate(compose, get_builtin_schema("vendor.compose-spec"))


def test_images_are_pinned_to_what_cannot_change(compose: dict) -> None:
    for name, service in compose["services"].items():
        ours_or_digest = r"mingjing:\d+\.\d+\.\d+|[a-z/]+:v?\d+\.\d+\.\d+[a-z0-9-]*@sha256:[0-9a-f]{64}"
        assert re.fullmatch(ours_or_digest, service["image"]), name


def test_there_is_one_service_to_a_process(compose: dict) -> None:
    commands = {name: service["command"] for name, service in ours(compose).items() if name not in ONCE}
    assert commands == {name: ["run", name] for name in PROCESSES if name not in NOT_HERE}


def test_every_command_starts_with_help() -> None:
    commands = {tuple(service["command"]) for service in ours(load(BASE)).values()}
    for words in commands:
        shown = help_of(*words[: 2 if words[0] in ("topics", "backup") else 1])
        for option in (word for word in words if word.startswith("--")):
            assert option in shown, (words, option)


def test_every_variable_is_one_the_settings_know(compose: dict) -> None:
    for name, service in ours(compose).items():
        assert set(service["environment"]) <= KNOWN, name
    assert set(re.findall(r"MINGJING_[A-Z_]+", TEXT + EXAMPLE)) <= KNOWN


def test_the_values_are_ones_the_settings_take(compose: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ours(compose).values():
        for variable in KNOWN:
            monkeypatch.delenv(variable, raising=False)
        for variable, value in service["environment"].items():
            monkeypatch.setenv(variable, with_defaults(str(value)))
        settings = Settings()
        assert settings.broker_url.startswith("kafka://")
        assert StreamSettings().declare_topics is False


def with_defaults(text: str) -> str:
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def test_the_example_is_complete_and_says_what_holds_without_it() -> None:
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert given == used | {"TIER": "one"}
    assert len(re.findall(r"\$\{", TEXT)) == len(re.findall(r"\$\{[A-Z_]+:-", TEXT)), (
        "every variable has a default"
    )
    assert given["TIER"] in TIERS


def test_what_is_referred_to_is_there(compose: dict) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert set(service.get("depends_on", [])) <= set(compose["services"]), name
        assert set(service["networks"]) <= set(compose["networks"]), name
        for volume in service.get("volumes", []):
            place = source(volume)
            if place.startswith("./"):
                assert place in BROUGHT or (ROOT / place).exists(), (name, place)
            else:
                assert place in compose["volumes"], (name, place)
    used = {source(volume) for each in compose["services"].values() for volume in each.get("volumes", [])}
    assert set(compose["volumes"]) <= used


def test_every_file_it_is_told_of_is_mounted(compose: dict) -> None:
    """A process that is told of a secret it does not get would end at its start."""
    needed = {
        "worker": set(), "rules": {"acknowledge"}, "cameras": set(), "sender": {"gateway", "acknowledge"},
        "wall": {"acknowledge"}, "door": {"api-keys"}, "migrate": set(), "topics": set(), "backup": set(),
    }  # fmt: skip
    for name, service in ours(compose).items():
        assert set(service["secrets"]) == needed[name] | {"database-password", "metrics-token"}, name
        if name not in ("migrate", "topics"):
            assert any(source(volume) == "./centre.yaml" for volume in service["volumes"]), name


def test_whoever_needs_the_channels_is_told_of_them_and_has_them(compose: dict) -> None:
    """The wall takes the receipts of what the sender sends; the rule loop plans by their names. Nobody else gets their secrets."""
    for name, service in ours(compose).items():
        has = "/etc/mingjing/channels" in {target(volume) for volume in service["volumes"]}
        assert has is (name in ("rules", "sender", "wall")), name
    for name in ("rules", "sender", "wall"):
        environment = compose["services"][name]["environment"]
        assert environment["MINGJING_CHANNELS_FILE"] == "${MINGJING_CHANNELS_FILE:-}", name
    assert (
        "front" in compose["services"]["sender"]["networks"]
    )  # gateways and the outside watcher are outside


def test_every_service_has_limits_a_way_to_stop_and_bounded_logs(compose: dict) -> None:
    for name, service in compose["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"memory", "cpus"}, name
        assert int(re.sub(r"\D", "", service["stop_grace_period"])) >= 10, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["restart"] == (
            "no" if name == "backup" else "on-failure:5" if name in ONCE else "unless-stopped"
        )


def test_every_long_running_one_is_asked_whether_it_lives(compose: dict) -> None:
    for name, service in compose["services"].items():
        check = service["healthcheck"]
        assert (check == {"disable": True}) if name in ONCE else (check["test"][0] == "CMD"), name
    port = load(BASE)["services"]["worker"]["environment"]["MINGJING_METRICS_ADDRESS"].rpartition(":")[2]
    for name, service in ours(compose).items():
        if name not in ONCE:
            assert f"127.0.0.1:{port}/livez" in service["healthcheck"]["test"][-1], name


def test_ours_run_as_little_as_possible(compose: dict) -> None:
    for name, service in ours(compose).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name


def test_schema_and_topics_are_there_before_anyone_needs_them(compose: dict) -> None:
    for name, service in ours(compose).items():
        if name in ONCE - {"backup"}:
            continue
        for once in ("migrate", "topics"):
            assert service["depends_on"][once] == {"condition": "service_completed_successfully"}, name
    brokers = {name for name in compose["services"] if name.startswith("kafka")}
    assert set(compose["services"]["topics"]["depends_on"]) == brokers


def test_only_the_proxy_and_the_watchers_can_be_reached_and_on_loopback_unless_told_otherwise(
    compose: dict,
) -> None:
    with_ports = {name: one["ports"] for name, one in compose["services"].items() if one.get("ports")}
    assert set(with_ports) == {"proxy", "prometheus", "grafana"}
    for name, ports in with_ports.items():
        assert all(":-127.0.0.1:" in port for port in ports), name
    assert compose["networks"]["back"] == {"internal": True}
    for name in ("database", *(each for each in compose["services"] if each.startswith("kafka"))):
        assert compose["services"][name]["networks"] == ["back"], name


def test_secrets_are_files_and_no_value_stands_here() -> None:
    for name in FILES:
        for secret in load(BASE, name)["secrets"].values():
            assert set(secret) == {"file"}
    assert not re.search(r"(?i)(password|token|secret)\s*[:=]\s*['\"]?[a-z0-9]{4,}", TEXT + EXAMPLE)


# -- three brokers -----------------------------------------------------------------------------------------------------


def test_three_brokers_are_alike_but_for_their_names() -> None:
    compose = load(BASE, THREE)
    names = ("kafka", "kafka-2", "kafka-3")
    seen = []
    for number, name in enumerate(names, 1):
        service = compose["services"][name]
        environment = dict(service["environment"])
        assert environment.pop("KAFKA_NODE_ID") == number
        assert environment.pop("KAFKA_ADVERTISED_LISTENERS") == f"PLAINTEXT://{name}:9092"
        assert [source(volume) for volume in service["volumes"]] == [name]
        seen.append((environment, service["image"], service["healthcheck"], service["deploy"]))
    assert seen[0] == seen[1] == seen[2]
    voters = ",".join(f"{number}@{name}:9093" for number, name in enumerate(names, 1))
    assert seen[0][0]["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters


def test_with_three_brokers_one_may_die() -> None:
    compose = load(BASE, THREE)
    broker = compose["services"]["kafka"]["environment"]
    assert (broker["KAFKA_DEFAULT_REPLICATION_FACTOR"], broker["KAFKA_MIN_INSYNC_REPLICAS"]) == (3, 2)
    for name, value in broker.items():
        if name.endswith("REPLICATION_FACTOR"):
            assert value == 3, name
        if name.endswith(("MIN_ISR", "MIN_INSYNC_REPLICAS")):
            assert value == 2, name
    tier = with_defaults(compose["services"]["topics"]["command"][-1])
    assert TIERS[tier].replication == 3
    for name, service in ours(compose).items():
        servers = kafka_servers(service["environment"]["MINGJING_BROKER"])
        assert servers == ["kafka:9092", "kafka-2:9092", "kafka-3:9092"], name


@pytest.mark.parametrize("names", [(BASE,), (BASE, THREE)], ids="+".join)
def test_no_topic_comes_into_being_by_accident(names: tuple[str, ...]) -> None:
    for name, service in load(*names)["services"].items():
        if name.startswith("kafka"):
            assert service["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false", name


# -- the proxy ---------------------------------------------------------------------------------------------------------

CADDYFILE = (ROOT / "ops" / "proxy" / "Caddyfile").read_text("utf-8")


def site(port: int) -> str:
    return re.search(rf"^:{port} \{{\n(.*?)^\}}", CADDYFILE, re.MULTILINE | re.DOTALL)[1]


def test_the_proxy_asks_at_the_wall_and_hides_what_operators_ask() -> None:
    assert "@wall not path /ack/* /receipts/*\n" in site(8050), "only these have a proof of their own"
    assert re.search(r"basic_auth @wall \{\s+import /run/secrets/wall-users\s+\}", site(8050))
    for port in (8050, 8051):
        assert "@inner path /metrics /livez /readyz" in site(port)
        assert "respond @inner 404" in site(port)
        assert "import /etc/caddy/tls.caddy" in site(port)


def test_the_proxy_leads_to_services_that_exist() -> None:
    services = load(BASE)["services"]
    for name, port in re.findall(r"import copies (\w+) (\d+)", CADDYFILE):
        assert name in services
        assert int(port) == Settings.model_fields[f"{name}_port"].default
    proxy = services["proxy"]
    assert {port.rpartition(":")[2] for port in proxy["ports"]} == {"8050", "8051"}
    assert ":8052 {" in CADDYFILE
    assert "127.0.0.1:8052/livez" in proxy["healthcheck"]["test"][-1]


def test_tls_takes_the_place_of_the_empty_file() -> None:
    (tls,) = [
        each
        for each in load(BASE, TLS)["services"]["proxy"]["volumes"]
        if each["target"] == "/etc/caddy/tls.caddy"
    ]
    secrets = load(BASE, TLS)["services"]["proxy"]["secrets"]
    named = re.findall(r"/run/secrets/([\w-]+)", (ROOT / tls["source"]).read_text("utf-8"))
    assert named == ["tls-certificate", "tls-key"]
    assert {"tls-certificate", "tls-key", "wall-users"} <= set(secrets)


# -- with a client, where there is one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [(BASE,), (BASE, THREE, TLS)], ids="+".join)
def test_the_compose_client_accepts_it(names: tuple[str, ...]) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("no docker compose client on this machine; the checks above stand in for it")
    files = [word for name in names for word in ("-f", str(ROOT / name))]
    checked = subprocess.run([docker, "compose", *files, "config", "--quiet"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
