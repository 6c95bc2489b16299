from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import CanPull, CanQuery, Handed, Pushed, Receipt
from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.fake import PASSWORD, SYSTEM_ID, FakeSmsc
from alerts.hooks.smpp.hook import SmppHook
from alerts.hooks.smpp.pdu import BadPduError, Bind, Message, MessageId, Pdu, Units, decode, encode
from alerts.hooks.smpp.text import header, parts_of
from alerts.messages import Outgoing, sms_parts
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message
from tests.camera_adapters import certificates

LONG = "【明镜】红牌：" + "窗口无人，请立即到岗。" * 16


def long_message(key: str = "f1:p1:opened") -> Outgoing:
    return replace(message(key), text=LONG)


class Seconds:
    """A monotonic clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ticking(centre: FakeSmsc, **more: object) -> tuple[SmppHook, Seconds]:
    seconds = Seconds()
    return SmppHook(centre.config(**more), monotonic=seconds, tick=0.02), seconds


def pull_until(hook: SmppHook, enough: Callable[[Pushed], bool]) -> Pushed:
    """Fetches until there is something; receipts come over a socket."""
    waited = threading.Event()
    for _ in range(200):
        pushed = hook.pull()
        if enough(pushed):
            return pushed
        waited.wait(0.01)
    raise AssertionError("nothing came")


def receipts(hook: SmppHook) -> list[Receipt]:
    return list(pull_until(hook, lambda pushed: bool(pushed.receipts)).receipts)


# -- the codec


def theirs(name: str, sequence: int, **fields: object) -> bytes:
    """A unit as an independent library writes it."""
    command = pytest.importorskip("smpplib.command")
    unit = command.factory(name, sequence=sequence, **fields)
    unit.sequence = sequence
    written: bytes = unit.generate()
    return written


def test_units_are_written_as_an_independent_library_writes_them() -> None:
    bind = {"system_id": SYSTEM_ID, "password": PASSWORD, "system_type": "VMA", "address_range": ""}
    assert encode(Pdu(smpp.BIND, 7, body=Bind(SYSTEM_ID, PASSWORD, "VMA"))) == theirs(
        "bind_transceiver", 7, **bind
    )
    text = "窗口无人".encode("utf-16-be")
    ours = Message(
        "10690001",
        "8613800000001",
        header(9, 2, 1) + text,
        source_ton=3,
        source_npi=1,
        esm_class=smpp.UDH,
        registered=1,
        validity="000001000000000R",
        tlvs={smpp.REFERENCE: b"\x12\x34"},
    )
    fields = {
        "source_addr_ton": 3,
        "source_addr_npi": 1,
        "source_addr": "10690001",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": "8613800000001",
        "esm_class": 0x40,
        "registered_delivery": 1,
        "validity_period": "000001000000000R",
        "data_coding": 8,
        "short_message": b"\x05\x00\x03\x09\x02\x01" + text,
        "user_message_reference": 0x1234,
        "service_type": "",
        "schedule_delivery_time": "",
    }
    assert encode(Pdu(smpp.SUBMIT, 8, body=ours)) == theirs("submit_sm", 8, **fields)
    assert encode(Pdu(smpp.ENQUIRE, 3)) == theirs("enquire_link", 3)
    assert encode(Pdu(smpp.UNBIND, 4)) == theirs("unbind", 4)


def test_an_independent_library_s_units_are_read() -> None:
    fields = {
        "source_addr": "8613800000001",
        "destination_addr": "10690001",
        "esm_class": 4,
        "short_message": b"id:A1 stat:DELIVRD err:000",
        "receipted_message_id": "A1",
        "message_state": 2,
        "service_type": "",
        "schedule_delivery_time": "",
        "validity_period": "",
    }
    read = decode(theirs("deliver_sm", 5, **fields))
    assert isinstance(read.body, Message)
    assert (read.command, read.sequence, read.body.source) == (smpp.DELIVER, 5, "8613800000001")
    assert (read.body.esm_class, read.body.text) == (4, fields["short_message"])
    assert read.body.tlvs == {smpp.RECEIPTED_ID: b"A1\0", smpp.MESSAGE_STATE: b"\x02"}
    assert decode(theirs("submit_sm_resp", 6, message_id="4F0A")).body == MessageId("4F0A")


MESSAGES = st.builds(
    Message,
    source=st.text("0123456789", max_size=20),
    to=st.text("0123456789", max_size=20),
    text=st.binary(max_size=254),
    esm_class=st.integers(0, 255),
    coding=st.integers(0, 255),
    tlvs=st.dictionaries(st.integers(1, 0xFFFF), st.binary(max_size=300), max_size=3),
)
UNITS = st.one_of(
    st.builds(Pdu, st.sampled_from([smpp.SUBMIT, smpp.DELIVER]), st.integers(1, 0x7FFFFFFF), body=MESSAGES),
    st.builds(Pdu, st.just(smpp.ENQUIRE), st.integers(1, 0x7FFFFFFF)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(UNITS, max_size=5), st.integers(1, 50))
def test_whatever_the_pieces_a_stream_comes_in_its_units_come_out(units: list[Pdu], size: int) -> None:
    stream = b"".join(encode(unit) for unit in units)
    cutter = Units()
    read = [
        decode(unit) for at in range(0, len(stream), size) for unit in cutter.feed(stream[at : at + size])
    ]
    assert read == units


@settings(deadline=None, max_examples=100)
@given(MESSAGES, st.data())
def test_a_unit_cut_short_or_changed_is_a_clear_error_or_another_unit(
    unit: Message, data: st.DataObject
) -> None:
    whole = bytearray(encode(Pdu(smpp.DELIVER, 1, body=unit)))
    at = data.draw(st.integers(16, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(16, len(whole)))]
    cut[:4] = len(cut).to_bytes(4)
    # Nothing else may come out of it, and it names the unit that is to be refused.
    with suppress(_NamedError):
        _decode_or_name(bytes(cut))


class _NamedError(Exception):
    """A unit that could not be read, but could be named."""


def _decode_or_name(unit: bytes) -> Pdu:
    try:
        return decode(unit)
    except BadPduError as error:
        if (error.command, error.sequence) == (smpp.DELIVER, 1):
            raise _NamedError from error
        raise


@pytest.mark.parametrize("length", [0, 15, 70_001, 0x48545450])
def test_a_length_that_cannot_be_one_is_refused(length: int) -> None:
    with pytest.raises(BadPduError, match=str(length)):
        list(Units().feed(length.to_bytes(4)))


@pytest.mark.parametrize(
    "body",
    [
        Bind("x" * 16, "p"),
        Bind("x", "123456789"),
        Bind("密", "p"),
        Message("1" * 21, "2", b""),
        Message("1", "2", bytes(255)),
        MessageId("a" * 65),
    ],
)
def test_what_the_protocol_does_not_allow_is_not_written(body: smpp.Body) -> None:
    with pytest.raises(BadPduError):
        encode(Pdu(smpp.SUBMIT, 1, body=body))


# -- texts


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
@settings(deadline=None)
def test_parts_are_whole_characters_and_together_the_text(text: str) -> None:
    parts = parts_of(text)
    assert "".join(part.decode("utf-16-be") for part in parts) == text
    most = 140 if len(parts) == 1 else 134
    assert all(0 < len(part) <= most for part in parts)


def test_70_characters_are_one_part_71_two_and_no_surrogate_pair_is_cut() -> None:
    assert [len(part) for part in parts_of("窗" * 70)] == [140]
    assert [len(part) for part in parts_of("窗" * 71)] == [134, 8]
    assert [len(part) for part in parts_of("窗" * 66 + "😀" + "窗" * 10)] == [132, 24]
    assert len(parts_of(LONG)) == sms_parts(LONG) == 3


# -- sending


def test_a_short_text_is_one_unit_as_a_centre_wants_it() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook(validity=3 * 3600, source_ton=3)
        handed = hook.send(message())
        hook.close()
    (taken,) = centre.accepted
    unit = taken.unit
    assert handed == Handed(provider_id=taken.id)
    assert taken.text == message().text
    assert (unit.to, unit.to_ton, unit.to_npi) == ("8613800000001", 1, 1)
    assert (unit.source, unit.source_ton, unit.coding, unit.esm_class, unit.registered) == (
        "10690001",
        3,
        8,
        0,
        1,
    )
    assert unit.validity == "000000030000000R"


def test_a_long_text_goes_in_numbered_parts_and_is_known_by_the_last() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        handed = hook.send(long_message())
        assert isinstance(hook, CanPull)
        assert isinstance(hook, CanQuery)
        hook.close()
    heads = [one.unit.text[:6] for one in centre.accepted]
    assert "".join(one.text for one in centre.accepted) == LONG
    assert [tuple(head[4:]) for head in heads] == [(3, 1), (3, 2), (3, 3)]
    assert len({head[3] for head in heads}) == 1
    assert handed.provider_id == centre.accepted[-1].id


def test_a_long_text_as_payload_is_one_unit() -> None:
    with FakeSmsc() as centre:
        centre.hook(long="payload").send(long_message())
        centre.hook(long="payload").send(message("f2"))
    first, second = centre.accepted
    assert (first.text, first.unit.text) == (LONG, b"")
    assert smpp.PAYLOAD not in second.unit.tlvs


@pytest.mark.parametrize(
    ("to", "more", "sent"),
    [
        ("+8613800000001", {}, ("8613800000001", 1, 1)),
        ("008613800000001", {}, ("8613800000001", 1, 1)),
        ("138 0000-0001", {}, ("8613800000001", 1, 1)),
        ("13800000001", {"country_code": "", "dest_ton": 2}, ("13800000001", 2, 1)),
    ],
)
def test_numbers_in_all_their_forms(to: str, more: dict[str, object], sent: tuple[str, int, int]) -> None:
    with FakeSmsc() as centre:
        centre.hook(**more).send(message(to=to))
    unit = centre.accepted[0].unit
    assert (unit.to, unit.to_ton, unit.to_npi) == sent


@pytest.mark.parametrize("to", ["", "wei@gov.example", "12", "1" * 21, "１３８００００００００１"])
def test_what_is_no_number_is_not_sent(to: str) -> None:
    with FakeSmsc() as centre, pytest.raises(SendError) as caught:
        centre.hook().send(message(to=to))
    assert caught.value.permanent
    assert centre.submitted == 0


@pytest.mark.parametrize(
    ("status", "permanent", "retry_after", "wait"),
    [
        (0x0B, True, None, None),
        (0x0A, True, None, None),
        (0x58, False, 5, None),
        (0x14, False, 5, None),
        (0x08, False, 15, None),
        (0x04, False, 1, None),
        (0x45, False, None, 60),
        (0x401, False, None, 3600),
        (0x402, False, 900, None),
        (0x403, True, None, None),
    ],
)
def test_what_a_status_means(
    status: int, permanent: bool, retry_after: float | None, wait: float | None
) -> None:
    with FakeSmsc() as centre:
        centre.acts.append(status)
        hook = centre.hook(number_limit_codes=[0x401], passing_codes={0x402: 900})
        with pytest.raises(SendError, match=f"{status:#010x}") as caught:
            hook.send(message())
        error = caught.value
        assert (error.permanent, error.retry_after, error.wait) == (permanent, retry_after, wait)
        assert not isinstance(error, UnclearSendError)
        assert hook.send(message()).provider_id
    assert len(centre.accepted) == 1


def test_whoever_is_told_that_he_is_not_bound_binds_again() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        centre.acts.append(0x04)
        with pytest.raises(SendError):
            hook.send(message())
        hook.send(message())
    assert centre.bound == 2


@pytest.mark.parametrize("act", ["silent", "hang up", "take, hang up", "half", "garbage", "no id", "unbind"])
def test_after_writing_nobody_knows(act: str) -> None:
    with FakeSmsc() as centre:
        centre.acts.append(act)  # type: ignore[arg-type]
        hook = centre.hook()
        with pytest.raises(UnclearSendError):
            hook.send(message())
        # The next message goes on, over a new connection where the old one has lost its place.
        assert hook.send(message("f2")).provider_id


def test_a_centre_that_is_away_has_taken_nothing_and_is_asked_less_and_less() -> None:
    calls: list[int] = []

    def away() -> Any:
        calls.append(1)
        raise ConnectionRefusedError

    with FakeSmsc() as centre:
        seconds = Seconds()
        hook = SmppHook(centre.config(), monotonic=seconds, connect=away)
        pauses = []
        for _ in range(8):
            with pytest.raises(SendError, match="not reached") as caught:
                hook.send(message())
            assert not isinstance(caught.value, UnclearSendError)
            pauses.append(caught.value.retry_after)
            with pytest.raises(SendError):
                hook.send(message())  # too soon: nobody is called
            seconds.now += caught.value.retry_after or 0
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert len(calls) == 8


def test_a_refused_bind_waits_for_all_and_is_no_message_s_fault() -> None:
    with FakeSmsc() as centre:
        hook, seconds = ticking(centre)
        centre.binds.extend([0x0D])
        with pytest.raises(SendError, match="bind refused: RBINDFAIL") as caught:
            hook.send(message())
        assert (caught.value.permanent, caught.value.retry_after) == (False, 60)
        seconds.now += 30
        with pytest.raises(SendError) as caught:
            hook.send(message())
        assert caught.value.retry_after == 30
        seconds.now += 30
        assert hook.send(message()).provider_id
    assert centre.connections == 2


def test_a_wrong_password_is_named_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with FakeSmsc() as centre, caplog.at_level("DEBUG"):
        hook = centre.hook(password="wr0ng!")
        with pytest.raises(SendError, match="RINVPASWD") as caught:
            hook.send(message())
    assert "wr0ng!" not in caplog.text + str(caught.value) + repr(Bind("x", "wr0ng!")) + repr(centre.config())


def test_the_window_is_kept_and_all_arrive() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook(window=2, timeout=3)
        centre.acts.extend(["late"] * 2)
        threads = [threading.Thread(target=hook.send, args=(message(f"k{n}"),)) for n in range(6)]
        for thread in threads:
            thread.start()
        centre.wait(lambda: centre.unanswered_most == 2)
        assert centre.submitted == 2
        centre.release()
        for thread in threads:
            thread.join(3)
    assert len(centre.accepted) == 6
    assert centre.bound == 1


# -- doubt


def test_a_late_answer_ends_the_doubt() -> None:
    with FakeSmsc() as centre:
        hook, seconds = ticking(centre)
        centre.acts.append("late")
        with pytest.raises(UnclearSendError):
            hook.send(message())
        with pytest.raises(UnclearSendError) as caught:
            hook.query(message())
        assert caught.value.wait == 600
        centre.release()
        hook.send(message("f2"))  # answers come in order: the late one is here
        assert hook.query(message()) == Handed(provider_id=centre.accepted[0].id)
    assert centre.submitted == 2
    assert seconds.now == 100


def test_a_receipt_that_repeats_our_reference_ends_the_doubt() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        centre.acts.append("take, hang up")
        with pytest.raises(UnclearSendError):
            hook.send(message())
        hook.pull()  # a connection for receipts
        (taken,) = centre.accepted
        centre.receipt(taken.id, repeat_reference=True)
        (receipt,) = receipts(hook)
        assert (receipt.idempotency_key, receipt.provider_id, receipt.fate) == (
            "f1:p1:opened",
            taken.id,
            "delivered",
        )
        known = hook.query(message())
        assert known is not None
        assert known.delivered


def test_also_for_the_process_that_comes_after_the_one_that_sent() -> None:
    with FakeSmsc() as centre:
        centre.acts.append("take, hang up")
        with pytest.raises(UnclearSendError):
            centre.hook().send(message())
        next_one = centre.hook()
        next_one.pull()
        centre.receipt(centre.accepted[0].id, repeat_reference=True)
        receipts(next_one)
        known = next_one.query(message())
    assert known is not None
    assert (known.provider_id, known.fate) == (centre.accepted[0].id, "delivered")


def test_without_any_sign_it_is_sent_again_after_the_patience() -> None:
    with FakeSmsc() as centre:
        hook, seconds = ticking(centre, patience=60)
        centre.acts.append("hang up")
        with pytest.raises(UnclearSendError):
            hook.send(message())
        with pytest.raises(UnclearSendError):
            hook.query(message())
        seconds.now += 60
        assert hook.query(message()) is None
        assert hook.send(message()).provider_id
    assert len(centre.accepted) == 1


def test_parts_that_are_there_are_not_sent_again() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        centre.acts.extend(["take", 0x58])
        with pytest.raises(SendError):
            hook.send(long_message())
        hook.send(long_message())
    assert "".join(one.text for one in centre.accepted) == LONG


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
        first, second, third = pull_until(hook, lambda pushed: len(pushed.replies) == 3).replies
    assert (first.sender, first.text, first.to) == ("8613800000001", "收到", "10690001")
    assert (second.text, third.text) == ("好", "OK")


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


# -- the line


def test_the_line_is_asked_for_and_dropped_when_it_is_silent() -> None:
    with FakeSmsc() as centre:
        hook, seconds = ticking(centre)
        hook.send(message())
        seconds.now += 29
        hook.pull()
        assert centre.enquiries == 0
        seconds.now += 1
        centre.wait(lambda: centre.enquiries == 1)
        hook.send(message("f2"))
        assert centre.bound == 1
        centre.answers_enquiries = False
        seconds.now += 30
        centre.wait(lambda: centre.enquiries == 2)
        seconds.now += 1
        centre.wait(lambda: _sent_over_a_second_line(hook, centre))
    assert centre.bound == 2


def _sent_over_a_second_line(hook: SmppHook, centre: FakeSmsc) -> bool:
    hook.pull()
    return centre.bound == 2


def test_the_centre_s_own_question_is_answered() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(message())
        centre.raw(encode(Pdu(smpp.ENQUIRE, 77)))
        hook.send(message("f2"))
    assert (smpp.ENQUIRE | smpp.ANSWER, 77) in centre.heard


def test_after_a_hang_up_the_next_fetch_makes_a_connection_for_receipts() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        handed = hook.send(message())
        centre.hang_up()
        centre.wait(lambda: _sent_over_a_second_line(hook, centre))
        assert handed.provider_id is not None
        centre.receipt(handed.provider_id)
        assert receipts(hook)[0].fate == "delivered"


def test_closing_says_goodbye_and_sends_nothing_more() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook()
        hook.send(message())
        hook.close()
        assert centre.heard[-1][0] == smpp.UNBIND
        with pytest.raises(SendError, match="closed"):
            hook.send(message("f2"))
    hook.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.make(tmp_path_factory.mktemp("certificate"), "centre")


@pytest.fixture(scope="module")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.make(tmp_path_factory.mktemp("certificate"), "other")


def _context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_over_tls_many_at_once(certificate: Path) -> None:
    with FakeSmsc(tls=_context_of(certificate)) as centre:
        hook = centre.hook(tls=True, ca_file=certificate, timeout=3)
        handed: list[Handed] = []
        threads = [
            threading.Thread(target=lambda n=n: handed.append(hook.send(message(f"k{n}")))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        centre.receipt(centre.accepted[0].id)
        assert receipts(hook)[0].fate == "delivered"
        hook.close()
    assert len({one.provider_id for one in handed}) == len(centre.accepted) == 20


def test_a_certificate_of_somebody_else_is_not_believed(certificate: Path, other_certificate: Path) -> None:
    with FakeSmsc(tls=_context_of(other_certificate)) as centre:
        hook = centre.hook(tls=True, ca_file=certificate)
        with pytest.raises(SendError, match="SSLCertVerificationError"):
            hook.send(message())
    with FakeSmsc(tls=_context_of(certificate)) as centre:
        hook = centre.hook(tls=True, ca_file=certificate, host="localhost")  # the certificate names 127.0.0.1
        with pytest.raises(SendError, match="SSLCertVerificationError"):
            hook.send(message())
    assert centre.bound == 0


# -- settings


BASE = {"host": "127.0.0.1", "system_id": "m", "password": "p"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"password": ""}, "password_file is missing"),
        ({"host": "smsc.example", "tls": False}, "in the open"),
        ({"password": "123456789"}, "password: at most 8"),
        ({"system_id": "x" * 16}, "system_id"),
        ({"colour": "red"}, "colour"),
        ({"ca_file": "nowhere.pem"}, "nowhere.pem"),
        ({"password_file": "nowhere"}, "nowhere"),
    ],
)
def test_settings_that_cannot_work_are_named(more: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        open_hook("smpp", BASE | more)
    assert "123456789" not in str(caught.value)


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with FakeSmsc() as centre:
        settings = {
            "host": "127.0.0.1",
            "port": centre.port,
            "tls": False,
            "system_id": SYSTEM_ID,
            "password_file": tmp_path / "password",
        }
        hook = open_hook("smpp", settings)
        assert hook.send(message()).provider_id
        hook.close()
