"""The base of every part of the centre file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Unknown keys are an error, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
