"""The one way in which processes and commands put messages into the log that the settings name."""

from __future__ import annotations

from mingjing.settings import Settings
from streams.publisher import Publisher, open_publisher


def open_log(settings: Settings) -> Publisher:
    """The publisher for the log of the settings.

    Raises:
        SettingsError: an address that is none, or a security that does not hold together.
        LogError: the local log cannot be opened.
    """
    local = settings.broker_url.startswith("local:")
    return open_publisher(
        settings.broker_url, prefix=settings.topic_prefix, security=None if local else settings.kafka
    )
