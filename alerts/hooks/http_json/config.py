"""Settings of the HTTP hook."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import SecretStr, field_validator, model_validator

from alerts.hooks.asking import AskingConfig, web_address


class Config(AskingConfig):
    """Where to post, and how to sign.

    Args:
        url: address that takes the messages.
        query_url: address that says what became of one; ``{key}`` stands for the idempotency key. None: cannot be asked.
        secret, secret_file: for the signature; one of them.
    """

    url: str
    query_url: str | None = None
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None

    @field_validator("url", "query_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        return None if value is None else web_address(value)

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if not self.secret.get_secret_value() and self.secret_file is None:
            raise ValueError("secret_file is missing")
        return self
