"""The one way in which processes and commands come to the log that the settings name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mingjing.settings import Settings
from streams.publisher import Publisher, open_publisher

if TYPE_CHECKING:
    from streams.settings import StreamSettings


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


def wait_for_log(settings: StreamSettings, stop: threading.Event) -> None:
    """What a worker does first: returns when the log can be read, or ``stop`` is set. Where it may (it may not in
    production) it makes the topics, as `mingjing topics create` would.

    Raises:
        LogRefusedError: Kafka does not let us in, or a topic is missing that the worker may not make.
        SettingsError: the settings of the security do not hold together.
    """
    if settings.broker_url.startswith("local:"):
        return
    from streams.kafka_access import kafka_servers
    from streams.kafka_admin import wait_for_kafka
    from streams.topic_plan import plan_topics

    plans = plan_topics(
        partitions=settings.partitions, replication=settings.replication, prefix=settings.topic_prefix
    )
    wait_for_kafka(
        kafka_servers(settings.broker_url),
        settings.kafka,
        [plan.name for plan in plans],
        stop,
        make=plans if settings.declare_topics else (),
    )
