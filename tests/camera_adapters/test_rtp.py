"""Key pictures out of RTP packets: both codecs, all ways of packing, and whatever is missing is noticed."""

from __future__ import annotations

import struct

import pytest

from camera_adapters.rtp import KeyPictures, later, sender_time

START = b"\0\0\0\1"


class Sender:
    """Makes packets with rising numbers."""

    def __init__(self, payload=96, number=65_533):
        self.payload, self.number = payload, number

    def packet(self, unit, stamp, marker=False, *, extension=False, padding=0):
        first = 0x80 | (0x10 if extension else 0) | (0x20 if padding else 0)
        head = struct.pack(">BBHII", first, self.payload | (marker << 7), self.number & 0xFFFF, stamp, 1)
        self.number += 1
        more = struct.pack(">HHI", 0xABAC, 1, 7) if extension else b""
        tail = bytes(padding - 1) + bytes([padding]) if padding else b""
        return memoryview(head + more + unit + tail)


def fed(pictures, packets):
    return [coded for packet in packets if (coded := pictures.add(packet)) is not None]


def h264():
    return KeyPictures("h264", 96), Sender()


SPS, PPS, IDR, SLICE = b"\x67spsps", b"\x68pps", b"\x65" + bytes(range(1, 60)), b"\x41slice"


def test_of_a_stream_only_the_pictures_that_stand_by_themselves_are_put_together():
    pictures, sender = h264()
    packets = []
    for number in range(12):
        units = [SPS, PPS, IDR] if number % 6 == 0 else [SLICE]
        packets += [sender.packet(unit, number * 3600, unit is units[-1]) for unit in units]
    found = fed(pictures, packets)
    # The second one is whole as well: the picture after it has begun.
    assert [each.stamp for each in found] == [0, 6 * 3600]
    assert all(each.data == START + SPS + START + PPS + START + IDR for each in found)
    assert all(each.whole and each.slices == 1 for each in found)


def fragments(unit, size=20):
    head, body = unit[0], unit[1:]
    for at in range(0, len(body), size):
        flags = (at == 0) << 7 | (at + size >= len(body)) << 6
        yield bytes([head & 0xE0 | 28, flags | head & 31]) + body[at : at + size]


def bundle(*units):
    return b"\x78" + b"".join(struct.pack(">H", len(unit)) + unit for unit in units)


def test_bundles_and_fragments_are_one_picture():
    pictures, sender = h264()
    packets = [sender.packet(bundle(b"\x09\xf0", SPS, PPS), 0, extension=True)]
    packets += [sender.packet(part, 0, padding=5) for part in fragments(IDR)]
    packets += [sender.packet(SLICE, 3600)]
    (found,) = fed(pictures, packets)
    assert found.data == START + b"\x09\xf0" + START + SPS + START + PPS + START + IDR
    assert found.whole


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_picture_that_lost_a_packet_is_not_whole(lost):
    pictures, sender = h264()
    packets = [sender.packet(part, 0, marker=False) for part in fragments(IDR)]
    packets += [
        sender.packet(SLICE, 3600, marker=True),
        sender.packet(SPS, 7200),
        sender.packet(IDR, 7200, True),
    ]
    packets += [sender.packet(SLICE, 10_800)]
    assert len(packets) == 7
    del packets[lost - 1]
    first, second = fed(pictures, packets)
    assert not first.whole
    assert second.whole, "what is lost of one is not held against the next"


def test_what_is_lost_between_two_pictures_harms_neither_that_was_marked_as_ended():
    pictures, sender = h264()
    packets = [sender.packet(IDR, 0, marker=True), sender.packet(SLICE, 3600), sender.packet(SLICE, 7200)]
    del packets[1]
    (found,) = fed(pictures, packets)
    assert found.whole


def test_a_viewer_who_comes_in_the_middle_of_a_picture_does_not_take_it():
    pictures, sender = h264()
    packets = [sender.packet(part, 0) for part in list(fragments(IDR))[1:]] + [sender.packet(SLICE, 3600)]
    (found,) = fed(pictures, packets)
    assert not found.whole


def test_slices_are_counted():
    pictures, sender = h264()
    packets = [sender.packet(SPS, 0), *(sender.packet(IDR, 0) for _ in range(4)), sender.packet(SLICE, 1)]
    (found,) = fed(pictures, packets)
    assert found.slices == 4


def test_pictures_with_their_parameter_sets_are_tried_though_no_unit_says_that_they_stand_by_themselves():
    pictures, sender = h264()
    packets = [sender.packet(bundle(SPS, PPS), 0), sender.packet(SLICE, 0), sender.packet(SLICE, 1)]
    (found,) = fed(pictures, packets)
    assert found.data.endswith(START + SLICE)


def test_h265():
    vps, sps, pps, idr, slice_ = (bytes([kind << 1, 1]) + b"x" * 40 for kind in (32, 33, 34, 19, 1))
    pictures, sender = KeyPictures("hevc", 96), Sender()
    sets = bytes([48 << 1, 1]) + b"".join(struct.pack(">H", len(each)) + each for each in (vps, sps, pps))
    parts = [bytes([49 << 1, 1, 0x80 | 19]) + idr[2:20], bytes([49 << 1, 1, 0x40 | 19]) + idr[20:]]
    packets = [sender.packet(slice_, 0), sender.packet(sets, 1), *(sender.packet(part, 1) for part in parts)]
    (found,) = fed(pictures, [*packets, sender.packet(slice_, 2)])
    assert found.data == START + vps + START + sps + START + pps + START + idr
    assert found.whole
    assert found.slices == 1


@pytest.mark.parametrize("packet", [b"", b"\x80", b"\x80\x60" + bytes(10), b"\x80\x00" + bytes(30)])
def test_what_is_no_packet_of_the_stream_is_passed_over(packet):
    pictures, sender = h264()
    packets = [sender.packet(IDR, 0), memoryview(packet), sender.packet(SLICE, 1)]
    (found,) = fed(pictures, packets)
    assert found.whole


@pytest.mark.parametrize("unit", [b"\x7c\x85", b"\x78\xff\xff\x65", b"\x7c", b"\x78\x00", b"\x1c\x45"])
def test_broken_units_break_nothing(unit):
    pictures, sender = h264()
    fed(pictures, [sender.packet(unit, 0), sender.packet(b"\x65", 0), sender.packet(IDR, 1)])
    (found,) = fed(pictures, [sender.packet(SLICE, 2)])
    assert found.data == START + IDR


def test_a_senders_report_tells_its_time():
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 1, 2_208_988_800 + 1_000, 2**31, 90_000, 1, 1)
    assert sender_time(memoryview(report)) == (1_000.5, 90_000)
    assert sender_time(memoryview(struct.pack(">BBHI", 0x80, 201, 1, 1) + bytes(20))) is None
    assert sender_time(memoryview(b"\x80\xc8")) is None


def test_time_stamps_begin_anew():
    assert later(100, 2**32 - 100) == 200
    assert later(2**32 - 100, 100) == -200
