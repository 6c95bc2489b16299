"""Where a person is reached, by which channel, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from alerts.addresses import IN_ROOM, AddressKind, addresses_of, missing_of
from alerts.hooks.registry import ADDRESSES, KINDS
from domain.centre import Person
from domain.phones import plain_number

CHANNELS: Mapping[str, AddressKind] = {"sms": "phone", "mail": "email", "app": "user", "group": "room"}
ORDER = ("sms", "mail", "app", "group")


def person(**given: Any) -> Person:
    return Person(id="z1", name="张三", **given)


PHONE, MAIL = {"phone": "13800000001"}, {"email": "z@example.cn"}


@pytest.mark.parametrize(
    ("given", "order", "expected"),
    [
        ({}, ORDER, [("group", IN_ROOM)]),
        (PHONE, ORDER, [("sms", "13800000001"), ("group", "13800000001")]),
        (PHONE | MAIL, ("mail", "sms"), [("mail", "z@example.cn"), ("sms", "13800000001")]),
        (PHONE, ("mail",), []),
        (PHONE, ("app",), []),
        ({"addresses": {"app": "zhangsan"}}, ORDER, [("app", "zhangsan"), ("group", IN_ROOM)]),
        (PHONE | {"addresses": {"sms": "+85251234567"}}, ("sms",), [("sms", "+85251234567")]),
        (MAIL | {"addresses": {"mail": "duty@example.cn"}}, ("mail",), [("mail", "duty@example.cn")]),
        ({"addresses": {"group": "@zhangsan"}}, ("group",), [("group", "@zhangsan")]),
        (PHONE | {"addresses": {"gone": "x"}}, ("gone", "sms"), [("sms", "13800000001")]),
        (PHONE, ("sms", "sms"), [("sms", "13800000001")]),
        ({"phone": ""}, ("sms",), []),
    ],
)  # fmt: skip
def test_each_channel_gets_the_address_it_takes(given, order, expected) -> None:
    who = person(**given)
    assert list(addresses_of(who, order, CHANNELS)) == expected
    reached = {channel for channel, _ in expected}
    assert set(missing_of(who, order, CHANNELS)) == set(order) - reached


def test_what_is_missing_is_named() -> None:
    assert missing_of(person(), (*ORDER, "gone"), CHANNELS) == {
        "sms": "phone", "mail": "email", "app": "user", "gone": None,
    }  # fmt: skip


def test_every_hook_says_what_it_takes() -> None:
    assert set(ADDRESSES) == set(KINDS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800000001", "13800000001"),
        ("138 0000 0001", "13800000001"),
        ("138-0000-0001", "13800000001"),
        ("+86 138 0000 0001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("8613800000001", "13800000001"),
        ("+852 5123 4567", "+85251234567"),
        ("+3531234567", "+3531234567"),
        ("1380000000", None),  # a digit short
        ("138000000012", None),
        ("12800000001", None),  # no such range
        ("+8612800000001", None),
        ("0875-2120000", None),  # a telephone on a desk takes no short messages
        ("+0123456789", None),
        ("１３８０００００００１", None),  # digits of another width: a gateway refuses them
        ("王主任", None),
        ("", None),
    ],
)  # fmt: skip
def test_numbers_as_gateways_take_them(text: str, number: str | None) -> None:
    assert plain_number(text) == number
