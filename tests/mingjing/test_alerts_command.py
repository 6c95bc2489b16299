"""`mingjing alerts`: a test message by the running sender or by itself; why and why not; which come next."""

from __future__ import annotations

import json
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
from alerts.planner import Planner
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


@pytest.fixture(autouse=True)
def _emptied(one_database: str) -> Iterator[None]:
    yield
    with psycopg.connect(one_database) as connection:
        connection.execute(
            "delete from receipt; delete from outbox; delete from heartbeat; delete from escalation; delete from channel_state"
        )


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as made:
        yield made


@pytest.fixture
def called(
    one_database: str, gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
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
    return lambda *words: CliRunner().invoke(command.app, list(words))


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


# ---- why, what comes, and the channels


@pytest.fixture
def written(one_database: str) -> None:
    """A red finding whose messages wait in the outbox."""
    from tests.alerts.conftest import LINKS, make_finding, save_finding

    place = read_text(CENTRE)
    finding = make_finding(1, rule="time_limit.legal", severity="red", opened_at=NOW)
    with psycopg.connect(one_database, autocommit=True) as connection, connection.transaction():
        save_finding(connection, finding)
        Planner(place, LINKS)(connection, [(finding, "opened")], NOW)


def read_text(text: str) -> Centre:
    import yaml

    return Centre.model_validate(yaml.safe_load(text))


@pytest.mark.usefixtures("written")
def test_explain_in_words_and_as_json(called: Callable[..., Result], one_database: str) -> None:
    shown = called("explain", "f1", "--by", "j1")
    assert shown.exit_code == 0, shown.output
    for words in (
        "f1  红牌  超法定时限",
        "✓ 按级别名单",
        "经办人：张三",
        "待发送",
        "[no_person]",
        "推演",
        "接下来",
    ):
        assert words in shown.stdout, words
    assert "Routes" in called("explain", "f1", "--lang", "en").stdout
    row = json.loads(called("explain", "f1", "--json").stdout)
    assert row["route"]["to"] == ["handler", "superior", "leader", "inspectors"]
    assert [each["person"] for each in row["messages"] if each["state"] == "ready"] == ["p1", "p2"]
    assert row["dry_run"]["at"].endswith("+08:00")
    with psycopg.connect(one_database) as connection:
        looks = connection.execute("select body from evidence where kind = 'evidence.looked'").fetchall()
    assert any('"person":"j1","what":"alerts explain"' in body for (body,) in looks)
    assert called("explain", "f404").exit_code != 0
    assert called("explain", "f1", "--lang", "fr").exit_code != 0


def test_who_is_not_in_the_route_is_said(called: Callable[..., Result], one_database: str) -> None:
    from tests.alerts.conftest import LINKS, make_finding, save_finding

    finding = make_finding(7, opened_at=NOW)
    with psycopg.connect(one_database, autocommit=True) as connection, connection.transaction():
        save_finding(connection, finding)
        Planner(read_text(CENTRE), LINKS)(connection, [(finding, "opened")], NOW)
    assert "未列入该路由：分管领导、监察员" in called("explain", "f7").stdout


@pytest.mark.usefixtures("written")
def test_next_of_the_centre_and_of_a_person(called: Callable[..., Result], one_database: str) -> None:
    assert called("next").stdout == ""
    with psycopg.connect(one_database) as connection:
        connection.execute(
            "update outbox set state = 'held', reason = 'quiet_hours', held_until = '2099-01-01 00:00Z' where person = 'p1'"
        )
    assert "2099-01-01 08:00  张三  http  立案通知（免打扰时段）  f1" in called("next").stdout
    row = json.loads(called("next", "--json").stdout)
    assert (row["person"], row["reason"], row["at"]) == ("p1", "quiet_hours", "2099-01-01T08:00:00+08:00")
    assert called("next", "--person", "p2").stdout == ""


@pytest.mark.usefixtures("written")
def test_a_channel_is_switched_off_and_on_again(called: Callable[..., Result]) -> None:
    assert "http  启用 on  phone  ready 2" in called("channels").stdout
    assert called("channels", "off", "pigeon", "--why", "x").exit_code != 0
    assert called("channels", "off", "http").exit_code != 0, "why is asked for"
    assert "已停用" in called("channels", "off", "http", "--why", "账户欠费", "--by", "o1").stdout
    shown = called("channels").stdout
    assert "http  停用 off" in shown
    assert "账户欠费" in shown
    assert "2 条等待" in shown
    tried = called("test", "--to", "p1")
    assert "channel is off: 账户欠费" in tried.stdout, tried.output
    assert "2 条待发" in called("channels", "on", "http").stdout
    assert "未停用" in called("channels", "on", "http").stdout
