"""`mingjing alerts`: a test message by the running sender or by itself; why and why not; which come next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from alerts.hooks.base import Handed, Pushed, Receipt
from alerts.hooks.http_json.fake import FakeGateway
from alerts.hooks.http_json.gateway import Behaviour
from alerts.links import AckLinks
from alerts.messages import Outgoing
from alerts.outbox import hold_messages
from alerts.sender import Sender, SenderSettings
from domain.centre import Centre
from domain.clock import FakeClock
from mingjing.alerts import command, trying
from tests.alerts.conftest import NOW, make_centre
from tests.fixtures_postgres import _database

pytestmark = pytest.mark.postgres

CENTRE = """
centre: {id: "530502", name: 测试中心}
people:
  - {id: p1, name: 张三, phone: "13800000001"}
  - {id: p2, name: 李四, phone: "13800000002"}
  - {id: p9, name: 无机}
windows: [{id: A07, name: 食品, handler: p1, superior: p2}]
"""


@pytest.fixture(scope="module")
def one_database(postgres: str, _template: str | None) -> Iterator[str]:
    yield from _database(postgres, _template or "template0")


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as made:
        yield made


@pytest.fixture
def called(
    one_database: str, gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    (tmp_path / "centre.yaml").write_text(CENTRE, "utf-8")
    (tmp_path / "secret").write_text(gateway.secret.decode())
    for name, value in {
        "MINGJING_DATA": str(tmp_path), "MINGJING_DATABASE": one_database, "MINGJING_GATEWAY_URL": f"{gateway.url}/messages",
        "MINGJING_GATEWAY_QUERY_URL": f"{gateway.url}/messages/{{key}}",
        "MINGJING_GATEWAY_SECRET_FILE": str(tmp_path / "secret"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(trying, "LOOK", 0.02)
    monkeypatch.setattr(trying, "ASK", 0.02)
    yield lambda *words: CliRunner().invoke(command.app, list(words))
    with psycopg.connect(one_database) as connection:
        connection.execute("delete from outbox; delete from heartbeat")


def test_without_a_sender_the_command_sends_this_one_message_itself(
    called: Callable[..., Result], gateway: FakeGateway, one_database: str
) -> None:
    with psycopg.connect(one_database) as connection:
        connection.execute(
            "insert into outbox (idempotency_key, centre, person, phone, channel, template, state, next_try_at, give_up_at,"
            " created_at) values ('other', '530502', 'p2', '13800000002', 'http', 'finding.red', 'ready', now(), now() +"
            " interval '1 day', now())"
        )
    shown = called("test", "--to", "p1")
    assert shown.exit_code == 0, shown.output
    for words in (
        "张三 p1  138****0001  http",
        "测试信息：测试中心",
        "1 条 SMS parts",
        "no sender runs",
        "handed over",
        "confirms nothing",
    ):
        assert words in shown.stdout
    assert len(gateway.counts()) == 1, "nothing else left with it"
    with psycopg.connect(one_database) as connection:
        row = connection.execute("select state, why, finding_id from outbox where person = 'p1'").fetchone()
    assert row == ("sent", "test", None)


def test_a_running_sender_takes_it(
    called: Callable[..., Result], gateway: FakeGateway, one_database: str
) -> None:
    sender = Sender(
        one_database, {"http": gateway.hook()}, FakeClock(NOW), links=AckLinks(b"x" * 32, "http://w"),
        settings=SenderSettings(poll=0.02),
    )  # fmt: skip
    sender.step()  # gives its sign of life
    stop = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,), daemon=True)
    thread.start()
    try:
        shown = called("test", "--to", "p1", "--wait", "20")
    finally:
        stop.set()
        thread.join(5)
        sender.close()
    assert shown.exit_code == 0, shown.output
    assert "by this command itself" not in shown.stdout
    assert sender.tally["sent"] == 1


def test_what_a_gateway_refuses_has_not_arrived(called: Callable[..., Result], gateway: FakeGateway) -> None:
    gateway.will(Behaviour("status", status=403))
    shown = called("test", "--to", "p1")
    assert shown.exit_code == command.FAILED, shown.output
    assert "given up" in shown.stdout
    assert "403" in shown.stdout


def test_a_sender_that_takes_nothing_leaves_it_unknown(
    called: Callable[..., Result], gateway: FakeGateway, one_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "sender_of", lambda connection, channel: True)
    shown = called("test", "--to", "p1", "--wait", "1")
    assert shown.exit_code == command.UNKNOWN, shown.output
    assert "waits for the sender" in shown.stdout
    assert gateway.counts() == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--to", "p404"), "no person 'p404'"),
        (("--to", "p9"), "p9 has no address"),
        (("--to", "p1", "--channel", "pigeon"), "no channel 'pigeon'; there are log, http"),
        (("--to", "p1", "--centre", "999"), "--centre"),
    ],
)
def test_what_cannot_be_tested_names_its_option(
    called: Callable[..., Result], given: tuple[str, ...], words: str
) -> None:
    assert words in str(called("test", *given).exception)


def test_held_messages_are_not_sneaked_out(
    called: Callable[..., Result], gateway: FakeGateway, one_database: str
) -> None:
    with psycopg.connect(one_database) as connection:
        hold_messages(connection, "restored")
    refused = called("test", "--to", "p1")
    assert "restored" in str(refused.exception)
    assert gateway.counts() == {}


class _Fetched:
    """A channel whose receipts wait to be fetched."""

    def __init__(self, fate: str) -> None:
        self.fate, self.sent = fate, list[str]()

    def send(self, message: Outgoing) -> Handed:
        self.sent.append(message.idempotency_key)
        return Handed("g1")

    def pull(self) -> Pushed:
        keys, self.sent = self.sent, []
        return Pushed([Receipt(self.fate, idempotency_key=key, code="MK:1") for key in keys])

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("fate", "arrived"), [("delivered", True), ("undelivered", False)])
def test_alone_it_fetches_the_receipt_too(one_database: str, fate: str, arrived: bool) -> None:
    place = make_centre()
    with psycopg.connect(one_database, autocommit=True) as connection:
        post = trying.Post(
            connection, one_database, FakeClock(NOW), AckLinks(b"x" * 32, "http://w"), lambda: _Fetched(fate),
            sleep=lambda seconds: None,
        )  # fmt: skip
        changes = [(each.state, each.arrived) for each in _states(post, place)]
    assert changes[-1] == (fate, arrived)


def _states(post: trying.Post, place: Centre) -> list[trying.Test]:
    run = trying.run_test(post, place, "p1", "sms", "13800000001", seconds=5, off="key revoked")
    return [replace(each) for each in run]


def test_addresses_are_masked() -> None:
    assert trying.masked("13800000001") == "138****0001"
    assert trying.masked("zhang@example.com") == "z***@example.com"
