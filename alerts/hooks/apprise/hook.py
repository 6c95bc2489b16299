"""Hands messages to apprise (github.com/caronc/apprise), which speaks to more than a hundred services.

apprise says yes or no and never why: a no is "perhaps later", and nobody knows whether the service has the message.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from alerts.hooks.apprise.config import Config
from alerts.hooks.asking import printable, read_secret
from alerts.hooks.base import Handed, UnclearSendError
from alerts.messages import Outgoing
from domain.errors import SettingsError


class AppriseHook:
    """One service. Safe for several threads: each message has its own apprise object."""

    def __init__(self, config: Config) -> None:
        try:
            import apprise
        except ImportError:
            raise SettingsError("hook apprise: install it first: pip install 'mingjing[apprise]'") from None
        self._apprise: Any = apprise
        self._url = read_secret(config.url, config.url_file, "url").decode("utf-8", "replace")
        # A wrong address is found at the start, not with the first card.
        self._service("somebody@example.org", config)

    def send(self, message: Outgoing) -> Handed:
        values = message.values
        title = printable(f"{values.get('level', '')} {values.get('subject', '')}", 100).strip()
        try:
            taken = self._service(message.to).notify(body=message.text, title=title)
        except Exception as error:
            # Any of a hundred plug-ins may fail in its own way.
            raise UnclearSendError(f"apprise failed ({type(error).__name__})") from None
        if not taken:
            raise UnclearSendError("apprise says no, and not why")
        return Handed()

    def close(self) -> None:
        """Nothing is kept open."""

    def _service(self, to: str, config: Config | None = None) -> Any:
        service = self._apprise.Apprise()
        if not service.add(self._url.replace("{to}", quote(to, safe=""))):
            where = str(config.url_file or "url") if config else "url"
            raise SettingsError(f"{where}: is no address that apprise knows")
        return service


def open_hook(config: Config) -> AppriseHook:
    return AppriseHook(config)
