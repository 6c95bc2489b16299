"""Settings of the HTTP hook."""

from __future__ import annotations

from pydantic import field_validator

from alerts.hooks.asking import SignedConfig, web_address


class Config(SignedConfig):
    """Where to post, and how to sign.

    Args:
        url: address that takes the messages.
        query_url: address that says what became of one; ``{key}`` stands for the idempotency key. None: cannot be asked.
        secret, secret_file: for the signature; one of them.
    """

    url: str
    query_url: str | None = None

    @field_validator("url", "query_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        return None if value is None else web_address(value)
