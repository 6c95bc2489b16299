from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.fake import FakeSmsc
from alerts.hooks.smpp.pdu import Message, Pdu, encode
from alerts.hooks.smpp.text import header
from tests.alerts.hooks.messages import message
from tests.alerts.hooks.smpp_helpers import long_message, pull_until, receipts

# -- receipts and replies


@pytest.mark.parametrize("tags", [True, False])
@pytest.mark.parametrize(
    ("stat", "fate"),
    [
        ("DELIVRD", "delivered"),
        ("UNDELIV", "undelivered"),
        ("EXPIRED", "undelivered"),
        ("REJECTD", "undelivered"),
        ("UNKNOWN", "unknown"),
        ("SP:0114", "unknown"),
    ],
)
def test_a_receipt_in_words_or_parameters(stat: str, fate: str, tags: bool) -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        handed = hook.send(message())
        assert handed.provider_id is not None
        centre.receipt(handed.provider_id, "ENROUTE", tags=tags)
        centre.receipt(handed.provider_id, stat, tags=tags, err="027")
        (receipt,) = receipts(hook)
    assert (receipt.fate, receipt.provider_id, receipt.idempotency_key) == (
        fate,
        handed.provider_id,
        "f1:p1:opened",
    )
    assert receipt.code == f"{stat} 027"
    assert receipt.at == datetime(2026, 11, 20, 1, 43, tzinfo=UTC)
    assert receipt.to == "8613800000001"
    assert centre.answers == [0, 0]


def test_a_message_in_parts_is_delivered_with_its_last_missing_part() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(long_message())
        first, second, third = (one.id for one in centre.accepted)
        for one in (third, first, first):
            centre.receipt(one)
        assert hook.pull().receipts == []
        centre.receipt(second)
        (receipt,) = receipts(hook)
        assert (receipt.fate, receipt.provider_id) == ("delivered", third)
        centre.receipt(second)
        assert hook.pull().receipts == []


def test_and_undelivered_with_its_first_lost_part() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(long_message())
        centre.receipt(centre.accepted[0].id, "UNDELIV")
        (receipt,) = receipts(hook)
    assert (receipt.fate, receipt.provider_id) == ("undelivered", centre.accepted[-1].id)


def test_a_receipt_before_the_answer_finds_its_message() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        centre.acts.append("receipt first")
        handed = hook.send(message())
        (receipt,) = receipts(hook)
    assert (receipt.provider_id, receipt.idempotency_key) == (handed.provider_id, "f1:p1:opened")


def test_while_an_answer_is_on_its_way_receipts_wait() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook(timeout=3)
        centre.acts.append("late")
        sending = threading.Thread(target=hook.send, args=(message(),))
        sending.start()
        centre.wait(lambda: centre.unanswered_most == 1)
        centre.receipt(centre.accepted[0].id)
        assert hook.pull().receipts == []
        centre.release()
        sending.join(3)
        (receipt,) = receipts(hook)
    assert receipt.idempotency_key == "f1:p1:opened"


def test_a_receipt_of_somebody_else_is_handed_on_by_its_id() -> None:
    with FakeSmsc() as centre:
        centre.hook().send(message())
        other = centre.hook()
        other.pull()
        centre.receipt(centre.accepted[0].id)
        (receipt,) = receipts(other)
    assert (receipt.provider_id, receipt.idempotency_key) == (centre.accepted[0].id, None)


def test_ids_in_other_digits_are_the_same_id() -> None:
    with FakeSmsc() as centre:
        centre.decimal_receipts = True
        hook = centre.hook(ids="hex")
        handed = hook.send(message())
        centre.receipt(centre.accepted[0].id, tags=False)
        (receipt,) = receipts(hook)
        assert receipt.provider_id == handed.provider_id == str(int(centre.accepted[0].id, 16))
        hook.send(message("f2"))
        centre.receipt(centre.accepted[1].id, tags=True)
        assert receipts(hook)[0].idempotency_key == "f2"


def test_replies_come_with_sender_and_text() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(message())
        centre.reply("8613800000001", "收到")
        centre.deliver(Message("8613800000002", "10690001", "好".encode("gb18030"), coding=15))
        centre.deliver(Message("8613800000003", "10690001", b"OK", coding=0))
        part = header(7, 2, 1) + "请转张伟".encode("utf-16-be")
        centre.deliver(Message("8613800000004", "10690001", part, esm_class=smpp.UDH))
        replies = pull_until(hook, lambda pushed: len(pushed.replies) == 4).replies
    first, second, third, fourth = replies
    assert (first.sender, first.text, first.to) == ("8613800000001", "收到", "10690001")
    assert (second.text, third.text, fourth.text) == ("好", "OK", "请转张伟")


def test_a_full_inbox_asks_the_centre_to_come_again() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook(inbox=2)
        hook.send(message())
        for n in range(3):
            centre.reply("8613800000001", str(n))
        assert centre.answers == [0, 0, 0x64]
        assert hook.counts == {"receipts": 0, "replies": 2, "refused": 1, "unreadable": 0}
        assert len(hook.pull().replies) == 2
        centre.reply("8613800000001", "2")
        assert [reply.text for reply in hook.pull().replies] == ["2"]


def test_what_cannot_be_read_is_refused_for_good_and_the_line_goes_on() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(message())
        centre.deliver(Message("1", "2", b"no receipt at all", esm_class=4, coding=0))
        cut = bytearray(encode(Pdu(smpp.DELIVER, 9, body=Message("1", "2", b"abc"))))[:-2]
        cut[:4] = len(cut).to_bytes(4)
        centre.raw(bytes(cut))
        centre.raw(encode(Pdu(0x00000103, 10)))  # data_sm, which nobody asked for
        centre.wait(lambda: len(centre.answers) == 3)
        assert centre.answers == [0x65, 0x65, 0x03]
        hook.send(message("f2"))
    assert centre.bound == 1


def test_a_unit_in_pieces_with_pauses_keeps_its_place() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(message())
        unit = encode(Pdu(smpp.DELIVER, 9, body=Message("8613800000001", "2", "收到".encode("utf-16-be"))))
        pause = threading.Event()
        for at in range(0, len(unit), 15):
            centre.raw(unit[at : at + 15])
            pause.wait(0.05)  # longer than the reader's tick
        (reply,) = pull_until(hook, lambda pushed: bool(pushed.replies)).replies
    assert reply.text == "收到"
