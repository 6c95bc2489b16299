from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.fake import PASSWORD, SYSTEM_ID
from alerts.hooks.smpp.pdu import BadPduError, Bind, Message, MessageId, Pdu, Units, decode, encode
from alerts.hooks.smpp.text import header, parts_of
from alerts.messages import sms_parts
from tests.alerts.hooks.smpp_helpers import LONG

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
