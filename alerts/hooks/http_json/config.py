"""Settings of the HTTP hook."""

from __future__ import annotations

from pydantic import Field, field_validator

from alerts.hooks.asking import SignedConfig, web_address


class Config(SignedConfig):
    """Where to post, and how to sign.

    Args:
        url: address that takes the messages.
        query_url: address that says what became of one; ``{key}`` stands for the idempotency key. None: cannot be asked.
        secret, secret_file: for the signature; one of them.
        linger: none is needed where each key is taken once, however late.
    """

    url: str
    query_url: str | None = None
    linger: float = Field(default=0.0, ge=0)

    @field_validator("url", "query_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        return None if value is None else web_address(value)
