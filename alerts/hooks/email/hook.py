"""Hands messages to a mail server (RFC 5321, 5322).

``Message-ID`` is made of the idempotency key, so that two copies of one message are one to every mail reader that folds them.
A mail server cannot be asked what became of a message; bounces go to the sender's mailbox, where people read them.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerts.hooks.asking import printable, read_secret
from alerts.hooks.base import Handed, UnclearSendError, short_key
from alerts.hooks.email.config import Config
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError


class EmailHook:
    """One mail server; a connection for each message, since there are few. Safe for several threads.

    Args:
        connect: makes a connection, like ``smtplib.SMTP(host, port, timeout=…)``; for tests.
    """

    def __init__(self, config: Config, *, connect: Callable[[], smtplib.SMTP] | None = None) -> None:
        self._config = config
        self._password = (
            read_secret(config.password, config.password_file, "password") if config.user else b""
        )
        try:
            self._tls = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
        except (OSError, ssl.SSLError):
            raise SettingsError(f"{config.ca_file}: cannot be read as certificates") from None
        self._connect = connect or self._dial

    def send(self, message: Outgoing) -> Handed:
        letter = letter_of(message, self._config.sender)
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(f"mail server not reached ({type(error).__name__})") from None
        with _leaving(server):
            self._log_in(server)
            return _hand_over(server, letter, self._config.sender, message.to)

    def close(self) -> None:
        """Nothing is kept open."""

    def _dial(self) -> smtplib.SMTP:
        config = self._config
        if config.security == "tls":
            return smtplib.SMTP_SSL(config.host, config.port, timeout=config.timeout, context=self._tls)
        server = smtplib.SMTP(config.host, config.port, timeout=config.timeout)
        if config.security == "starttls":
            try:
                server.starttls(context=self._tls)
            except Exception:
                server.close()
                raise
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        if not self._config.user:
            return
        try:
            server.login(self._config.user, self._password.decode("utf-8", "replace"))
        except smtplib.SMTPAuthenticationError as error:
            # 454 is the server's own trouble; all else of this kind is a wrong password.
            for_good = error.smtp_code >= 500
            raise SendError(
                f"login refused ({error.smtp_code})",
                permanent=for_good,
                scope="channel" if for_good else "message",
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(f"login failed ({type(error).__name__})") from None


class _leaving:
    """Says goodbye; a server that does not hear it has taken the message all the same."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def __enter__(self) -> smtplib.SMTP:
        return self._server

    def __exit__(self, *_: object) -> None:
        try:
            self._server.quit()
        except (OSError, smtplib.SMTPException):
            self._server.close()


def _hand_over(server: smtplib.SMTP, letter: EmailMessage, sender: str, to: str) -> Handed:
    """The conversation of one message. Before its last dot nothing is taken; after it nobody knows until the answer."""
    try:
        _expect(server.mail(sender), "sender", of_the_channel=True)
        _expect(server.rcpt(to), "recipient")
    except (OSError, smtplib.SMTPServerDisconnected) as error:
        raise SendError(f"mail server gone ({type(error).__name__})") from None
    try:
        code, words = server.data(letter.as_bytes(policy=SMTP))
    except smtplib.SMTPDataError as error:
        _expect((error.smtp_code, b""), "letter")
        raise UnclearSendError("data") from None
    except (OSError, smtplib.SMTPException) as error:
        raise UnclearSendError(f"no answer to the letter ({type(error).__name__})") from None
    _expect((code, words), "letter")
    return Handed(provider_id=printable(words.decode("utf-8", "replace"), 200) or None)


def _expect(answer: tuple[int, bytes], what: str, *, of_the_channel: bool = False) -> None:
    """Raises SendError unless the answer is good: 4xx passes for this message, 5xx stays (RFC 5321, 4.2.1). Our own sender is
    the same in every letter; 530 wants a login that we do not have."""
    code = answer[0]
    if not 200 <= code < 300:
        # The words are not quoted: they may repeat the address.
        of_the_channel = code == 530 or (of_the_channel and code >= 500)
        raise SendError(
            f"{what} refused ({code})",
            permanent=code >= 500,
            wait=300 if code < 500 else None,
            scope="channel" if of_the_channel else "message",
        )


def letter_of(message: Outgoing, sender: str) -> EmailMessage:
    """The letter; the same bytes at every try.

    Raises:
        SendError: permanent; the recipient has no address that can be one.
    """
    if message.to.count("@") != 1 or any(letter.isspace() or letter in "<>,;" for letter in message.to):
        raise SendError("the recipient has no e-mail address", permanent=True)
    letter = EmailMessage()
    values = message.values
    subject = f"{values.get('level', '')} {values.get('subject', '')} {values.get('rule', '')}"
    letter["From"], letter["To"] = sender, message.to
    letter["Subject"] = " ".join(printable(subject, 200).split()) or message.template
    letter["Message-ID"] = f"<{short_key(message.idempotency_key)}@{sender.partition('@')[2]}>"
    letter["Date"] = format_datetime(datetime.fromisoformat(message.created_at))
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Mingjing-Template"] = message.template
    letter.set_content(message.text + "\n")
    return letter


def open_hook(config: Config) -> EmailHook:
    return EmailHook(config)
