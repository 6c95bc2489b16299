"""Operators hear of trouble with the messages: once while it lasts, by a channel that works, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerts import channel_state
from alerts.catalogue import LANGUAGES
from alerts.messages import message_values, render_text, sms_parts
from alerts.self_watch import SelfWatch, load_facts
from alerts.trouble_words import WORDS
from alerts.troubles import Facts, Known, Limits, Trouble, decide, troubles
from domain.centre import Centre
from domain.errors import SendError
from tests.alerts.conftest import NOW, Desk, make_centre
from tests.alerts.ways import MAIL, Told, put, sender_of

REAL = datetime(2026, 11, 23, 1, tzinfo=UTC)
KINDS = {"log": "phone", "sms": "phone", "mail": "email"}
OFF = Trouble("channel_off", "sms", {"error": "arrears"})


def after(**more: float) -> datetime:
    return REAL + timedelta(**more)


# -- what is trouble


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), []),
        (Facts(off={"sms": "arrears"}, moved={"sms": 4}, waiting={"sms": 5000}), ["channel_off:sms"]),
        (Facts(moved={"sms": 4}), ["channel_failing:sms"]),
        (Facts(waiting={"sms": 901, "mail": 899}), ["waiting:sms"]),
        (Facts(given_up=1), ["given_up"]),
        (Facts(day={"sms": {"sent": 3, "unknown": 10}}), ["no_receipts:sms"]),
        (Facts(day={"sms": {"delivered": 1, "unknown": 10}}), ["not_arriving:sms"]),
        (Facts(day={"sms": {"delivered": 25, "unknown": 5, "undelivered": 5}}), []),  # 10 of 35 are no third
        (Facts(day={"sms": {"delivered": 20, "unknown": 5, "undelivered": 5}}), ["not_arriving:sms"]),
        (Facts(day={"sms": {"undelivered": 9}}), []),  # too few to say anything
        (Facts(unmatched={"sms": 99}), []),
        (Facts(unmatched={"sms": 100}), ["unmatched:sms"]),
        (Facts(silent={"sender": 121, "rules": 3}), ["silent:sender"]),
        (Facts(held_overdue=601, held=7), ["held_overdue"]),
    ],
)  # fmt: skip
def test_what_is_trouble(facts: Facts, expected: list[str]) -> None:
    assert [trouble.name for trouble in troubles(facts)] == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trouble_has_words_that_fit_a_message(language: str) -> None:
    found = troubles(
        Facts({"a": "x"}, {"b": 1}, {"c": 1e4}, 1, {"d": {"unknown": 99}, "e": {"delivered": 1, "undelivered": 99}},
              {"f": 100}, {"rules": 999}, 999, 3)
    )  # fmt: skip
    assert {trouble.kind for trouble in found} == set(WORDS[language])
    for trouble in found:
        params = {
            "centre_name": "示例中心", "written_at": NOW.isoformat(), "since": NOW.isoformat(), "trouble": trouble.kind,
            "about": trouble.about, "values": dict(trouble.values),
        }  # fmt: skip
        for template in ("system.trouble", "system.clear"):
            text = render_text(
                template, message_values(template, params, language, link=None, now=NOW), language
            )
            assert "{" not in text
            assert sms_parts(text) <= (2 if language == "zh-CN" else 3)


# -- when it is told


def known(**more: Any) -> Known:
    return Known(**({"name": OFF.name, "since": REAL, "seen_at": REAL} | more))


def test_a_channel_that_is_off_is_told_at_once_other_trouble_has_to_last() -> None:
    assert decide([OFF], [], REAL).tell == (OFF,)
    waits = Trouble("waiting", "sms")
    assert decide([waits], [], REAL).tell == ()
    young = Known("waiting:sms", REAL, REAL)
    assert decide([waits], [young], after(seconds=29)).tell == ()
    assert decide([waits], [young], after(seconds=30)).tell == (waits,)


def test_it_is_told_once_and_again_after_a_day() -> None:
    told = known(told_at=REAL, times=1)
    assert decide([OFF], [told], after(hours=23, minutes=59)).tell == ()
    assert decide([OFF], [told], after(hours=24)).tell == (OFF,)


def test_it_is_over_when_it_has_been_gone_for_a_while() -> None:
    told = known(told_at=REAL, times=1)
    flutters = decide([], [told], after(seconds=299))
    assert (flutters.tell, flutters.clear, flutters.forget) == ((), (), ())
    assert decide([], [told], after(seconds=300)).clear == (told,)
    assert decide([], [known()], after(seconds=300)).forget == (known(),)


# -- in the database


def centre_with(*operators: str, **messages: Any) -> Centre:
    centre = make_centre(operators=list(operators), **messages)
    people = [
        person.model_copy(update={"email": MAIL}) if person.id == "p2" else person for person in centre.people
    ]
    return centre.model_copy(update={"people": people})


def watch(desk: Desk, *centres: Centre, **more: Any) -> SelfWatch:
    given: dict[str, Any] = {"kinds": KINDS, "default": "sms", "limits": Limits(lasts=0)} | more
    return SelfWatch(desk.dsn, lambda: centres or [centre_with("p2")], desk.clock, **given)


def told(desk: Desk) -> list[tuple[str, str, str]]:
    return desk.rows("template, person, channel", "template like 'system.%'")


def shift(desk: Desk, seconds: float) -> None:
    """As if all that is known of troubles lay so long back."""
    desk.connection.execute(
        "update trouble set since = since - %(s)s, seen_at = seen_at - %(s)s, told_at = told_at - %(s)s",
        {"s": timedelta(seconds=seconds)},
    )


@pytest.mark.postgres
def test_a_channel_in_arrears_is_told_by_another_one_and_once_by_both_who_look(desk: Desk) -> None:
    put(desk, fallback=[])
    desk.drain(sender_of(desk, sms=Told(SendError("arrears", permanent=True, scope="channel"))))
    by_rules, by_sender = watch(desk), watch(desk)
    assert by_rules.look(desk.connection) == ["channel_off:sms"]
    assert by_sender.look(desk.connection) == by_rules.look(desk.connection) == []
    assert told(desk) == [("system.trouble", "p2", "mail")]
    mail = Told()
    desk.drain(sender_of(desk, mail=mail))
    assert "通道sms被服务商拒绝，已停用（arrears）" in mail.taken[0].text

    channel_state.switch_on(desk.connection, "sms", at=NOW)
    assert by_rules.look(desk.connection) == []
    shift(desk, 301)
    assert by_rules.look(desk.connection) == ["channel_off:sms"]
    assert told(desk)[1:] == [("system.clear", "p2", "mail")]
    assert by_sender.look(desk.connection) == []

    channel_state.switch_off(desk.connection, "sms", reason="refused", error="again", at=NOW)
    assert by_sender.look(desk.connection) == ["channel_off:sms"]  # comes again: told again
    assert len(told(desk)) == 3


@pytest.mark.postgres
def test_while_it_lasts_it_is_said_once_a_day_and_flutter_is_one_trouble(desk: Desk) -> None:
    looking = watch(desk)
    for _ in range(3):
        channel_state.switch_off(desk.connection, "sms", reason="refused", at=NOW)
        looking.look(desk.connection)
        channel_state.switch_on(desk.connection, "sms", at=NOW)
        looking.look(desk.connection)
    assert len(told(desk)) == 1
    channel_state.switch_off(desk.connection, "sms", reason="refused", at=NOW)
    looking.look(desk.connection)
    shift(desk, 86400)
    assert looking.look(desk.connection) == ["channel_off:sms"]
    assert len(told(desk)) == 2


@pytest.mark.postgres
def test_only_one_looks_at_a_time(desk: Desk) -> None:
    channel_state.switch_off(desk.connection, "sms", reason="refused", at=NOW)
    other = psycopg.connect(desk.dsn)
    with other.transaction():
        assert watch(desk).look(other) == ["channel_off:sms"]
        assert watch(desk).look(desk.connection) == []
    other.close()
    assert len(told(desk)) == 1


@pytest.mark.postgres
def test_an_operator_of_two_centres_hears_it_once_and_no_operators_means_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    channel_state.switch_off(desk.connection, "sms", reason="refused", at=NOW)
    two = centre_with("p2", "p3").model_copy(
        update={"centre": desk.centre.centre.model_copy(update={"id": "530500"})}
    )
    watch(desk, centre_with("p2"), two).look(desk.connection)
    assert [row[1] for row in told(desk)] == ["p2", "p3"]
    assert [row[2] for row in told(desk)] == ["mail", "sms"]  # p3 has no address for letters
    desk.connection.execute("delete from trouble")
    desk.connection.execute("delete from outbox")
    watch(desk, make_centre()).look(desk.connection)
    assert told(desk) == []
    assert "channel_off:sms" in caplog.text


@pytest.mark.postgres
def test_the_facts_are_those_of_the_database(desk: Desk) -> None:
    def done(key: str, set_to: str, **more: Any) -> None:
        message = put(desk, key, **more)
        desk.connection.execute(f"update outbox set {set_to} where message_id = %s", (message,))

    old = "next_try_at = now() - interval '20 min'"
    done("waits", old)
    done("tried", f"{old}, attempts = 3, first_try_at = now() - interval '40 min'", channel="mail")
    done("held_back", "next_try_at = now() + interval '15 s'", channel="voice")
    done("off", old, channel="fax")
    desk.connection.execute(
        "insert into channel_state values ('fax', now(), 'refused', 'arrears'), ('x', now(), 'by hand', '')"
    )
    done("dead", f"state = 'dead', reason = 'refused', {old}")
    done("dead yesterday", "state = 'dead', reason = 'refused', next_try_at = now() - interval '2 hours'")
    done("moved", f"state = 'dead', reason = 'channel_failing', {old}")
    row = desk.connection.execute("select message_id from outbox where idempotency_key = 'moved'").fetchone()
    done("moved>mail", f"state = 'delivered', handed_at = now(), follows = {row and row[0]}", channel="mail")
    done("sent", "state = 'sent', handed_at = now()")
    done("held", f"state = 'held', held_until = '{NOW - timedelta(minutes=20)}'")
    desk.connection.execute(
        "insert into heartbeat (role, at, real_at) values ('rules', now(), now() - interval '5 min'), ('sender', now(), now())"
    )
    desk.connection.execute("insert into receipt (channel, fate) values ('sms', 'delivered')")
    facts = load_facts(desk.connection, NOW, speed=2)
    assert facts.off == {"fax": "arrears"}
    assert facts.moved == {"sms": 1}
    assert {channel: round(seconds / 60) for channel, seconds in facts.waiting.items()} == {
        "sms": 20,
        "mail": 40,
    }
    assert facts.given_up == 1
    assert facts.day == {"mail": {"delivered": 1}, "sms": {"sent": 1}}
    assert facts.unmatched == {"sms": 1}
    assert {role: round(seconds) for role, seconds in facts.silent.items()} == {"rules": 300, "sender": 0}
    assert (facts.held, facts.held_overdue) == (1, 600)
