"""The base of every part of the centre file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

from domain.working_time import parse_hours


class Model(BaseModel):
    """Unknown keys are an error, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def added(default: Any = None, **constraints: Any) -> Any:
    """A key beyond the contract's: not written where it has its default.

    What is kept with a case (rule 9) is named by its content: a centre file that does not use the key keeps its name.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **constraints)


def _text(value: str) -> str:
    if not value.strip() or len(value) > 256 or not value.isprintable():
        raise ValueError("must be 1 to 256 printable characters")
    return value


Code = Annotated[str, AfterValidator(_text)]
#: Ten years: a longer limit is a slip of the finger.
Days = Annotated[StrictInt, Field(ge=1, le=3660)]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _hours(spans: list[str]) -> list[str]:
    parse_hours(spans)
    return spans


#: "HH:MM-HH:MM" spans of one day, in order; 24:00 may end one.
Spans = Annotated[list[str], AfterValidator(_hours)]
