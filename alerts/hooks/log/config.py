"""Settings of the log hook."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Settings: the name of the logger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    logger: str = "alerts.messages.sent"
