"""Settings of the e-mail hook."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Config(BaseModel):
    """One mail server.

    Args:
        host, port: where it listens.
        security: ``tls`` from the first byte (465), ``starttls`` (587), or ``none`` for a relay on this machine.
        ca_file: who signs its certificate; None: the system's.
        user, password, password_file: login; none: without.
        sender: address of the sender, also for bounces.
        timeout: seconds for each step of the conversation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(default=465, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    ca_file: Path | None = None
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    sender: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    timeout: float = Field(default=5.0, gt=0, le=20)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.user and not self.password.get_secret_value() and self.password_file is None:
            raise ValueError("password_file is missing")
        if self.user and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("security: a password is not sent over a network in the open")
        return self
