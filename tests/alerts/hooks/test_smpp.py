from __future__ import annotations

import ssl
import threading
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import CanPull, CanQuery, Handed
from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.fake import PASSWORD, SYSTEM_ID, FakeSmsc
from alerts.hooks.smpp.hook import SmppHook
from alerts.hooks.smpp.pdu import Bind, Pdu, encode
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message
from tests.alerts.hooks.smpp_helpers import LONG, Seconds, long_message, receipts, ticking
from tests.camera_adapters import certificates

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


@pytest.mark.parametrize("status", [0x0E, 0x0F])
def test_a_wrong_password_is_refused_for_all_messages(status: int) -> None:
    with FakeSmsc() as centre:
        hook, _ = ticking(centre)
        centre.binds.extend([status])
        with pytest.raises(SendError, match="bind refused") as caught:
            hook.send(message())
    assert (caught.value.permanent, caught.value.scope) == (True, "channel")


def test_a_centre_that_does_not_answer_the_bind_is_not_reached() -> None:
    with FakeSmsc() as centre:
        hook, seconds = ticking(centre)
        centre.binds.append(-1)
        with pytest.raises(SendError, match="not reached") as caught:
            hook.send(message())
        assert not isinstance(caught.value, UnclearSendError)
        seconds.now += 1
        assert hook.send(message()).provider_id


def test_a_wrong_password_is_named_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with FakeSmsc() as centre, caplog.at_level("DEBUG"):
        hook = centre.hook(password="wr0ng!")
        with pytest.raises(SendError, match="RINVPASWD") as caught:
            hook.send(message())
    assert "wr0ng!" not in caplog.text + str(caught.value) + repr(Bind("x", "wr0ng!")) + repr(centre.config())


def test_the_window_is_kept_and_all_arrive() -> None:
    with FakeSmsc() as centre:
        hook = centre.hook(window=2, timeout=3)
        centre.acts.extend(["late"] * 6)
        threads = [threading.Thread(target=hook.send, args=(message(f"k{n}"),)) for n in range(6)]
        for thread in threads:
            thread.start()
        for round_ in (2, 4, 6):
            centre.wait(lambda most=round_: centre.submitted == most)
            threads[-1].join(0.05)  # a third one would be here by now
            assert centre.submitted == round_
            centre.release()
        for thread in threads:
            thread.join(3)
    assert len(centre.accepted) == 6
    assert (centre.unanswered_most, centre.bound) == (2, 1)


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


def fetch_all(hook: SmppHook) -> None:
    """As the rounds do: until there is no more; then there is a connection."""
    while (pushed := hook.pull()).receipts or pushed.replies:
        pass


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_none_is_lost_and_none_comes_twice_where_the_centre_repeats_our_reference(seed: int) -> None:
    """As the sender does it: a message in doubt is asked about before it is sent again."""
    random = Random(seed)
    acts = ["take"] * 5 + [0x58, "take, hang up", "hang up", "garbage", "no id", "receipt first"]
    with FakeSmsc() as centre:
        # The clock jumps; the line is not to be judged by it.
        hook, seconds = ticking(centre, timeout=3, enquire=1e9)
        centre.acts.extend(random.choices(acts, k=200))  # type: ignore[arg-type]
        told = 0
        for n in range(30):
            outgoing, in_doubt = replace(message(f"k{n}"), text=f"红牌{n}"), False
            for _ in range(100):
                try:
                    if in_doubt and hook.query(outgoing) is not None:
                        break
                    hook.send(outgoing)
                    break
                except UnclearSendError as error:
                    in_doubt = True
                    fetch_all(hook)
                    for one in centre.accepted[told:]:
                        centre.receipt(one.id, repeat_reference=True)
                        told += 1
                    fetch_all(hook)
                    seconds.now += error.wait or 0
                except SendError as error:
                    in_doubt = False
                    seconds.now += error.retry_after or 0
            else:
                raise AssertionError("never sent")
    assert [one.text for one in centre.accepted] == [f"红牌{n}" for n in range(30)]
    assert centre.submitted > 33  # some were refused, and some asked about


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
