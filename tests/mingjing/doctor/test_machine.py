"""Folder, disk, clock, ports, secrets, gateway: each broken for real where a test can."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections import namedtuple
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mingjing.doctor import gateway, log, machine, secrets
from mingjing.health import Address, Health, Pulse, serve_health
from mingjing.metrics import renderer
from tests.drills.system import free_ports

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "verdict"), [(80e9, "ok"), (9e9, "warning"), (1e9, "warning"), (1e8, "fault")]
)
def test_disk_space(patient, monkeypatch, free, verdict):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(100e9, 0, free))
    assert patient.ask(machine.disk_space)["disk.space"].verdict == verdict


@pytest.mark.parametrize(("step", "verdict"), [(0.001, "ok"), (0.2, "warning")])
def test_disk_speed(patient, step, verdict):
    moments = iter(number * step for number in range(100))
    said = patient.ask(lambda scene: machine.disk_speed(scene, monotonic=lambda: next(moments)))
    assert said["disk.speed"].verdict == verdict


@pytest.mark.parametrize(("state", "verdict"), [(True, "ok"), (None, "ok"), (False, "warning")])
def test_ntp(patient, state, verdict):
    patient.synchronised = state
    assert patient.ask(machine.clock)["clock.ntp"].verdict == verdict


def test_the_data_folders_owner(patient, monkeypatch):
    assert patient.ask(machine.data_folder)["data.folder"].verdict == "ok"
    monkeypatch.setattr(machine.os, "geteuid", lambda: patient.folder.stat().st_uid + 1)
    assert patient.ask(machine.data_folder)["data.folder"].verdict == "warning"
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    assert patient.ask(machine.data_folder)["data.folder"].mend.startswith("chown -R")
    assert patient.ask(machine.data_folder, data=patient.folder / "new")["data.folder"].verdict == "ok"


def test_a_port_is_free_taken_or_ours(patient):
    wall, door = free_ports(2)
    given = {"wall_port": wall, "door_port": door}
    assert patient.ask(machine.ports, **given)["port.wall"].verdict == "ok"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", wall))
        taken.listen()
        taken.settimeout(0.1)
        assert patient.ask(machine.ports, **given)["port.wall"].mend == "MINGJING_WALL_PORT=…"
    stop = serve_health(Health("wall", Pulse(), {}, renderer("wall")), Address("127.0.0.1", wall))
    assert stop is not None
    try:
        said = patient.ask(machine.ports, **given)["port.wall"]
        assert (said.verdict, said.en) == ("ok", f"127.0.0.1:{wall} is our wall")
    finally:
        stop()


def test_secrets_that_others_may_read(patient):
    file = patient.folder / "gateway-secret"
    file.write_text("x" * 32)
    for mode, verdict in ((0o600, "ok"), (0o640, "warning"), (0o644, "fault")):
        file.chmod(mode)
        said = patient.ask(secrets.secret_files, gateway_secret_file=file)["secrets.mode"]
        assert said.verdict == verdict
        assert verdict == "ok" or said.mend == f"chmod 600 {file}"
    missing = patient.ask(secrets.secret_files, gateway_secret_file=patient.folder / "none")
    assert "MINGJING_GATEWAY_SECRET_FILE" in missing["secrets.files"].en


def test_api_keys(patient):
    file = patient.folder / "keys"
    file.write_text("approval:0123456789abcdef0123\n")
    assert patient.ask(secrets.api_keys, api_keys_file=file)["door.keys"].en == "1 systems may use the door"
    file.write_text("approval:short\n")
    said = patient.ask(secrets.api_keys, api_keys_file=file)["door.keys"]
    assert said.verdict == "fault"
    assert "short" not in said.en.replace("shorter", "")


class Clocked(BaseHTTPRequestHandler):
    ahead = 0.0

    def do_HEAD(self):
        self.send_response_only(405)
        self.send_header("Date", formatdate(time.time() + self.ahead, usegmt=True))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("ahead", "verdict"), [(0, "ok"), (60, "warning"), (-600, "fault")])
def test_a_gateway_with_another_clock(patient, ahead, verdict):
    handler = type("Handler", (Clocked,), {"ahead": ahead})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/messages"
        said = patient.ask(gateway.gateway, gateway_url=url)
        server.shutdown()
    assert said["gateway.secret"].verdict == "fault"
    assert said["gateway.reach"].verdict == "ok"
    assert said["clock.gateway"].verdict == verdict


def test_a_gateway_that_is_away(patient):
    (port,) = free_ports(1)
    said = patient.ask(gateway.gateway, gateway_url=f"http://127.0.0.1:{port}/messages")
    assert said["gateway.reach"].verdict == "fault"
    assert patient.ask(gateway.gateway)["gateway"].verdict == "warning"


def test_links_that_no_phone_can_open(patient):
    said = patient.ask(gateway.links, gateway_url="https://sms.example.cn/send")
    assert "MINGJING_BASE_URL" in said["sms.links"].mend
    assert not patient.ask(
        gateway.links, gateway_url="https://sms.example.cn/send", base_url="https://zwfw.example.cn"
    )


def test_the_local_log(patient):
    assert patient.ask(log.event_log)["log.local"].verdict == "ok"


def test_kafka_that_does_not_answer(patient, monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv("MINGJING_BROKER", f"kafka://127.0.0.1:{port}")
    assert patient.ask(log.event_log)["log.kafka"].verdict == "fault"


@pytest.mark.kafka
def test_topics_that_are_missing_and_topics_that_differ(patient, kafka, topic_prefix, monkeypatch):
    import asyncio

    from streams.kafka_admin import KafkaAdmin
    from streams.topic_plan import TopicPlan, plan_topics

    monkeypatch.setenv("MINGJING_BROKER", kafka.url)
    monkeypatch.setenv("MINGJING_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("MINGJING_PARTITIONS", "2")
    assert patient.ask(log.event_log)["log.topic"].mend == "mingjing topics create"

    async def create(plans):
        async with KafkaAdmin(kafka.servers) as admin:
            await admin.create(plans)

    first, *others = plan_topics(partitions=2, replication=1, prefix=topic_prefix)
    asyncio.run(
        create([TopicPlan(first.name, 1, 1, dict(first.settings) | {"retention.ms": "60000"}), *others])
    )
    scene = patient.scene()
    said = [result for result in log.event_log(scene) if result.verdict != "ok"]
    assert {result.verdict for result in said} == {"warning"}
    assert "partitions" in said[0].en
    assert "retention.ms" in said[1].en
    assert len(said) == 2
