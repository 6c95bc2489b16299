from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.base import short_key
from alerts.hooks.email.fake import FakeMailServer
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError
from tests.alerts.hooks.messages import message

TO = "wei.zhang@gov.example"


def letter() -> Outgoing:
    return message(to=TO)


def test_a_letter_arrives_with_text_subject_and_one_id_for_all_tries() -> None:
    with FakeMailServer() as post:
        handed = post.hook().send(letter())
        post.hook().send(letter())
    (to, first), (_, second) = post.letters
    assert handed.provider_id
    assert not handed.delivered
    assert (to, first["To"], first["From"]) == (TO, TO, "mingjing@gov.example")
    assert first["Subject"] == "红牌 A07窗口， 离岗"
    assert first.get_content().strip() == letter().text
    assert (
        first["Message-ID"] == second["Message-ID"] == f"<{short_key(letter().idempotency_key)}@gov.example>"
    )
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.as_bytes() == second.as_bytes()


@pytest.mark.parametrize(
    ("step", "code", "permanent", "unclear", "wait"),
    [
        ("MAIL", 550, True, False, None),
        ("RCPT", 550, True, False, None),
        ("RCPT", 450, False, False, 300),
        ("DATA", 554, True, False, None),
        (".", 554, True, False, None),
        (".", 451, False, False, 300),
        ("MAIL", 0, False, False, None),
        ("RCPT", 0, False, False, None),
        (".", 0, False, True, None),
    ],
)
def test_each_step_decides_what_is_done(
    step: str, code: int, permanent: bool, unclear: bool, wait: float | None
) -> None:
    with FakeMailServer() as post:
        post.answers = {step: code}
        with pytest.raises(SendError) as caught:
            post.hook().send(letter())
    error = caught.value
    assert (error.permanent, isinstance(error, UnclearSendError), error.wait) == (permanent, unclear, wait)
    # Our own sender is the same in every letter.
    assert error.scope == ("channel" if (step, code) == ("MAIL", 550) else "message")
    assert "name" not in error.reason
    assert len(post.letters) == (1 if unclear else 0)


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    with FakeMailServer() as post:
        hook = post.hook()
    with pytest.raises(SendError, match="not reached") as caught:
        hook.send(letter())
    assert not isinstance(caught.value, UnclearSendError)


@pytest.mark.parametrize("to", ["13800000001", "a@b@c", "a b@c", "a@b,c@d", "<a@b>", "a@b\r\nBcc: x@y"])
def test_only_an_address_is_written_to(to: str) -> None:
    with FakeMailServer() as post:
        with pytest.raises(SendError, match="no e-mail address") as caught:
            post.hook().send(replace(letter(), to=to))
        assert not post.letters
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"user": "u"}, "password_file"),
        ({"user": "u", "password": "p", "security": "none"}, "security"),
        ({"sender": "nobody"}, "sender"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca.pem"),
    ],
)
def test_bad_settings_are_named(change: dict[str, object], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        open_hook("email", {"host": "mail.example", "sender": "a@b"} | change)
