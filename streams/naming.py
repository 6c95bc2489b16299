"""What keeps several systems on one Kafka cluster, and several copies of one process, apart: names."""

from __future__ import annotations

import re
import socket

from pydantic import Field
from pydantic_settings import BaseSettings

#: Kafka allows 249 characters in the name of a topic; ours have up to 20.
_PREFIX = r"^[A-Za-z0-9._-]{0,200}$"


class NameSettings(BaseSettings):
    """Part of the settings of every process: ``MINGJING_TOPIC_PREFIX`` and ``MINGJING_INSTANCE``."""

    topic_prefix: str = Field(
        default="", pattern=_PREFIX, description="before the names of all topics and of the group"
    )
    instance: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="name of this copy among the processes of its role; default: 1 on the local log, else the host's",
    )


def instance_name(given: str, broker_url: str) -> str:
    """The name of this copy: the same after a restart, so that its successor takes its place in the group at once."""
    if given:
        return given
    if broker_url.startswith("local:"):
        return "1"  # there is room for one worker
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:100] or "1"
