"""How a gateway that signs nothing proves that a push is its own: by a secret in the address that was given to it alone."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from alerts.hooks.asking import read_secret


class PushToken:
    """The token of ``…?token=``. Without a file no push is believed.

    Raises:
        SettingsError: the file cannot be read, or is empty.
    """

    def __init__(self, file: Path | None) -> None:
        self._token = read_secret(SecretStr(""), file, "push_token_file") if file else None

    def __bool__(self) -> bool:
        """Whether pushes can be believed at all."""
        return self._token is not None

    def check(self, query: Mapping[str, str]) -> None:
        """Raises PermissionError unless the query repeats the token."""
        if self._token is None or not hmac.compare_digest(query.get("token", "").encode(), self._token):
            raise PermissionError("no or wrong token")
