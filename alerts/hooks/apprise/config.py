"""Settings of the apprise hook."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator


class Config(BaseModel):
    """One service of apprise.

    Args:
        url, url_file: apprise's address of it, with its secrets; ``{to}`` in it stands for the recipient (percent-encoded).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = SecretStr("")
    url_file: Path | None = None

    @model_validator(mode="after")
    def _has_url(self) -> Self:
        if not self.url.get_secret_value() and self.url_file is None:
            raise ValueError("url_file is missing")
        return self
