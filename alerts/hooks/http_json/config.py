"""Settings of the HTTP hook."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Config(BaseModel):
    """Where to post, and how to sign.

    Args:
        url: address that takes the messages.
        query_url: address that says what became of one; ``{key}`` stands for the idempotency key. None: cannot be asked.
        secret, secret_file: for the signature; one of them.
        timeout: seconds for each try, all in all.
        longest_answer: bytes read of an answer.
        trust_env: follow proxy settings of the environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    query_url: str | None = None
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
    timeout: float = Field(default=5.0, gt=0, le=20)
    longest_answer: int = Field(default=65536, ge=256)
    trust_env: bool = False

    @field_validator("url", "query_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is None:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an http:// or https:// address")
        if parts.username or parts.password:
            raise ValueError("an address must not hold a password; use secret_file")
        return value

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if not self.secret.get_secret_value() and self.secret_file is None:
            raise ValueError("secret_file is missing")
        return self

    def read_secret(self) -> bytes:
        """Raises OSError if the file cannot be read."""
        if self.secret_file is not None:
            return self.secret_file.read_bytes().strip()
        return self.secret.get_secret_value().encode()
