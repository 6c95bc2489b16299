"""Settings of the SMPP hook."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Config(BaseModel):
    """An account at a short message centre (SMSC) that speaks SMPP 3.4.

    Args:
        host, port: where it listens.
        tls, ca_file: encrypted, and who signs its certificate (None: the system's); its name is checked.
        private_line: somebody vouches for the line, so that the password may go without encryption.
        system_id, password, password_file, system_type: the account; the password has at most 8 octets.
        service_type: as the centre wants it.
        source, source_ton, source_npi: our number there; "" leaves it to the centre.
        country_code: put before numbers without ``+`` or ``00``; "" sends them as they are, with ``dest_ton``, ``dest_npi``.
        validity: seconds the centre may try; 0: as long as it usually does.
        long: ``udh`` sends parts of 67 characters, ``payload`` the whole text in one unit.
        reference: send ``user_message_reference``, by which receipts that repeat it find a message in doubt.
        ids: ``same``; or ``hex`` / ``decimal``: digits of the centre's answers, when those of its receipts are the other ones.
        utc_offset: hours, of the moments in receipts.
        number_limit_codes: the centre's own statuses that say a number has had enough: its message waits ``number_wait`` seconds.
        passing_codes: the centre's own statuses → seconds for which all messages wait.
        timeout: seconds for connecting, and for each answer.
        enquire: seconds between two questions whether the line lives.
        window: units that may be without answer at once.
        patience: seconds a receipt may take; a message in doubt waits so long before it is sent again.
        inbox: receipts and replies kept until they are fetched; more are refused for the moment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(default=3550, ge=1, le=65535)
    tls: bool = True
    ca_file: Path | None = None
    private_line: bool = False
    system_id: str = Field(min_length=1, max_length=15)
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    system_type: str = Field(default="", max_length=12)
    service_type: str = Field(default="", max_length=5)
    source: str = Field(default="", max_length=20)
    source_ton: int = Field(default=0, ge=0, le=6)
    source_npi: int = Field(default=0, ge=0, le=18)
    country_code: str = Field(default="86", pattern=r"^\d{0,3}$")
    dest_ton: int = Field(default=0, ge=0, le=6)
    dest_npi: int = Field(default=1, ge=0, le=18)
    validity: int = Field(default=0, ge=0, lt=30 * 86400)
    long: Literal["udh", "payload"] = "udh"
    reference: bool = True
    ids: Literal["same", "hex", "decimal"] = "same"
    utc_offset: float = Field(default=8, ge=-12, le=14)
    number_limit_codes: frozenset[int] = frozenset()
    number_wait: float = Field(default=3600, gt=0)
    passing_codes: dict[int, float] = {}
    timeout: float = Field(default=5, gt=0, le=20)
    enquire: float = Field(default=30, gt=0)
    window: int = Field(default=10, ge=1, le=1000)
    patience: float = Field(default=600, ge=0)
    inbox: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.password.get_secret_value() and self.password_file is None:
            raise ValueError("password_file is missing")
        alone = self.host in ("localhost", "127.0.0.1", "::1")
        if not (self.tls or self.private_line or alone):
            raise ValueError("tls: a password is not sent over a network in the open (see private_line)")
        return self
