"""How clients prove themselves to Kafka, and it to them: SASL and TLS, from ``MINGJING_KAFKA_*``.

Passwords come from files only and are read when a client is made, so that a changed one counts at the next connection.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from domain.errors import SettingsError

VARIABLE = "MINGJING_KAFKA_"

Protocol = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """What a client needs beside the brokers' addresses. The default is a plain connection.

    Args:
        mechanism: how the password is proved; None where no password is asked for.
        ca_file: PEM of the authorities that may sign the brokers' certificates; None trusts the system's.
        certificate_file, key_file: PEM of the client's own certificate, where brokers ask for one. The key may lie in
            the certificate's file.
        check_hostname: False accepts a certificate that was made out to another host.

    Raises:
        SettingsError: values that do not go together, naming the variable.
    """

    protocol: Protocol = "plaintext"
    mechanism: Mechanism | None = None
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    check_hostname: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        needs = f"which {VARIABLE}SECURITY={self.protocol} needs"
        useless = f"is set, but {VARIABLE}SECURITY is '{self.protocol}'"
        if self.sasl:
            if not self.username:
                _refuse("USERNAME", f"is not set, {needs}")
            if self.password_file is None:
                _refuse("PASSWORD_FILE", f"is not set, {needs}")
        else:
            for name, value in (
                ("SASL_MECHANISM", self.mechanism),
                ("USERNAME", self.username),
                ("PASSWORD_FILE", self.password_file),
            ):
                if value:
                    _refuse(name, f"{useless}: who has a password uses sasl_ssl or sasl_plaintext")
        if not self.tls:
            for name, value in (
                ("CA_FILE", self.ca_file),
                ("CERTIFICATE_FILE", self.certificate_file),
                ("KEY_FILE", self.key_file),
            ):
                if value:
                    _refuse(name, f"{useless}: certificates are for ssl and sasl_ssl")
        if self.key_file is not None and self.certificate_file is None:
            _refuse("CERTIFICATE_FILE", f"is not set, but {VARIABLE}KEY_FILE is")

    @property
    def sasl(self) -> bool:
        return self.protocol.startswith("sasl_")

    @property
    def tls(self) -> bool:
        return self.protocol.endswith("ssl")

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's producer, consumer and admin client.

        Raises:
            SettingsError: a file cannot be used, naming the variable.
        """
        if self.protocol == "plaintext":
            return {}
        options: dict[str, Any] = {"security_protocol": self.protocol.upper()}
        if self.tls:
            options["ssl_context"] = self._ssl_context()
        if self.sasl:
            _hush()
            options |= {
                "sasl_mechanism": self.mechanism or "SCRAM-SHA-512",
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._password(),
            }
        return options

    def broker_credentials(self) -> Any:
        """Faust's ``broker_credentials``; None for a plain connection.

        Raises:
            SettingsError: a file cannot be used, naming the variable.
        """
        from faust.auth import SASLCredentials, SSLCredentials

        options = self.client_options()
        if self.sasl:
            return SASLCredentials(
                username=options["sasl_plain_username"],
                password=options["sasl_plain_password"],
                mechanism=options["sasl_mechanism"],
                ssl_context=options.get("ssl_context"),
            )
        return SSLCredentials(options["ssl_context"]) if self.tls else None

    def _password(self) -> str:
        assert self.password_file is not None
        try:
            password = self.password_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            _refuse_file("PASSWORD_FILE", self.password_file, error)
        if not password:
            _refuse("PASSWORD_FILE", f"{self.password_file} is empty")
        return password

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            _refuse_file("CA_FILE", self.ca_file, error)
        context.check_hostname = self.check_hostname
        if self.certificate_file is not None:
            # Tried for itself: OpenSSL does not say which of two files it could not open.
            for name, file in (("CERTIFICATE_FILE", self.certificate_file), ("KEY_FILE", self.key_file)):
                try:
                    if file is not None:
                        file.read_bytes()
                except OSError as error:
                    _refuse_file(name, file, error)
            try:
                context.load_cert_chain(self.certificate_file, self.key_file, _no_passphrase)
            except ssl.SSLError as error:
                _refuse_file("CERTIFICATE_FILE", self.certificate_file, error)
        return context


class KafkaSettings(BaseSettings):
    """The part of a process's settings that speaks of Kafka's security."""

    kafka_security: Protocol = "plaintext"
    kafka_sasl_mechanism: Mechanism | None = Field(default=None, description="default: SCRAM-SHA-512")
    kafka_username: str = ""
    kafka_password_file: Path | None = None
    kafka_ca_file: Path | None = Field(default=None, description="default: the authorities the system trusts")
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_check_hostname: bool = True

    @field_validator("kafka_security", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper_or_none(cls, value: Any) -> Any:
        return (value.upper() or None) if isinstance(value, str) else value

    @field_validator(
        "kafka_password_file", "kafka_ca_file", "kafka_certificate_file", "kafka_key_file", mode="before"
    )
    @classmethod
    def _absolute_or_none(cls, value: Any) -> Any:
        # An empty variable, as a compose file passes on, is none.
        return Path(value).expanduser().absolute() if value else None

    @property
    def kafka(self) -> KafkaSecurity:
        """
        Raises:
            SettingsError: values that do not go together, naming the variable.
        """
        return KafkaSecurity(
            self.kafka_security,
            self.kafka_sasl_mechanism,
            self.kafka_username,
            self.kafka_password_file,
            self.kafka_ca_file,
            self.kafka_certificate_file,
            self.kafka_key_file,
            check_hostname=self.kafka_check_hostname,
        )


def refuse_secret_in(address: str) -> None:
    """
    Raises:
        ValueError: a Kafka address with a user in it; without showing it.
    """
    if "@" in address:
        raise ValueError(
            f"an address carries no user and password; they belong into {VARIABLE}USERNAME and {VARIABLE}PASSWORD_FILE"
        )


def _no_passphrase() -> NoReturn:
    # Without this OpenSSL would ask for one at the terminal, and a service would hang there.
    _refuse(
        "KEY_FILE", "holds a key with a passphrase; one without, which only its owner can read, is needed"
    )


def _hush() -> None:
    """At DEBUG aiokafka prints every request of a connection: the one with the password, too."""
    connections = logging.getLogger("aiokafka.conn")
    if connections.level < logging.INFO:
        connections.setLevel(logging.INFO)


def _refuse(name: str, reason: str) -> NoReturn:
    raise SettingsError(f"{VARIABLE}{name} {reason}")


def _refuse_file(name: str, file: Path | None, error: Exception) -> NoReturn:
    if isinstance(error, ssl.SSLError):
        what = "certificate" if name == "CA_FILE" else "certificate with its key"
        reason = f"holds no {what} in PEM form"
    elif isinstance(error, UnicodeDecodeError):
        reason = "is not UTF-8"
    else:
        reason = getattr(error, "strerror", None) or str(error)
    raise SettingsError(f"{VARIABLE}{name}: {file}: {reason}") from None
