"""The map file: which columns of a log mean what, and what its activities are called in the contract."""

from __future__ import annotations

import codecs
import difflib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from domain.centre import CalendarSettings, CentreInfo, Item, Rules
from domain.errors import InputError
from domain.events import KINDS
from domain.model import Model

FIRST_EVENT = "first_event"
LAST_EVENT = "last_event"


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, 1)
        raise ValueError(f"unknown kind '{kind}'" + (f", did you mean '{near[0]}'?" if near else ""))
    return kind


class Columns(Model):
    """Names of columns (of attributes in XES, those of the trace with ``case:`` before them)."""

    case: str
    time: str
    activity: str | None = None
    lifecycle: str | None = None
    staff: str | None = None
    window: str | None = None
    item: str | None = None
    id: str | None = None


class CaseMoment(Model):
    """Events that a case as a whole gives: ``at`` is a column, ``first_event`` or ``last_event``."""

    at: str
    gives: list[str] = Field(min_length=1)

    _kinds = field_validator("gives")(lambda kinds: [_known_kind(kind) for kind in kinds])


class Activity(Model):
    """What one activity means. ``data`` is taken as it stands, ``columns`` fills fields of ``data`` from columns."""

    kind: str
    data: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        return kind if kind == "ignore" else _known_kind(kind)


class LogMap(Model):
    """A whole map file; docs/importing.md explains every key."""

    source: str = Field(min_length=1)
    columns: Columns
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    time_format: str | None = None
    timezone: str | None = None
    start: CaseMoment | None = None
    end: CaseMoment | None = None
    legal_deadline: str | None = None
    promised_deadline: str | None = None
    deadlines: list[str] = Field(default_factory=list, max_length=2)
    activities: dict[str, Activity] = Field(default_factory=dict)
    other_activities: Literal["stage", "ignore", "reject"] = "stage"
    default_item: str | None = None
    centre: CentreInfo
    calendar: CalendarSettings = Field(default_factory=CalendarSettings)
    rules: Rules | None = None
    items: list[Item] = Field(default_factory=list)

    @field_validator("activities", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"kind": meaning} if isinstance(meaning, str) else meaning
            for name, meaning in value.items()
        }

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"unknown time zone '{name}'") from None
        return name

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(f"unknown encoding '{name}'") from None
        return name

    @model_validator(mode="after")
    def _one_way_of_deadlines(self) -> LogMap:
        if self.deadlines and (self.legal_deadline or self.promised_deadline):
            raise ValueError("give either deadlines or legal_deadline and promised_deadline, not both")
        return self

    def case_columns(self) -> list[str]:
        """Columns that say something about the case as a whole: the same on each of its rows."""
        moments = [moment.at for moment in (self.start, self.end) if moment is not None]
        named = [*moments, *self.deadlines, self.legal_deadline, self.promised_deadline]
        return [name for name in named if name and name not in (FIRST_EVENT, LAST_EVENT)]

    def needed_columns(self) -> dict[str, str]:
        """Every column the map names (in the order of the map) with the key that names it."""
        found = {name: f"columns.{key}" for key, name in self.columns.model_dump().items() if name}
        for name in self.case_columns():
            found.setdefault(name, "the start, end or deadlines")
        for activity, meaning in self.activities.items():
            for key, name in meaning.columns.items():
                found.setdefault(name, f"activities.{activity}.columns.{key}")
        return found


def load_map(path: Path) -> dict[str, Any]:
    """The map file as a plain dict, not yet checked.

    Raises:
        InputError: naming the file and the line.
    """
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{place}: {getattr(error, 'problem', None) or 'not readable as YAML'}") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: the map is a list of keys with values (see docs/importing.md)")
    return loaded


def check_map(values: dict[str, Any], place: str) -> LogMap:
    """Values checked.

    Raises:
        InputError: naming the key and, for an unknown one, the nearest known.
    """
    try:
        return LogMap.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(first["loc"][-1]), _every_key(LogMap), 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise InputError(f"{place}: unknown key '{key}'{hint}") from None
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{place}: {key}: {message}" if key else f"{place}: {message}") from None


def _every_key(model: type[Model]) -> list[str]:
    nested = (Columns, CaseMoment, Activity, CentreInfo, CalendarSettings)
    return [*model.model_fields, *(name for part in nested for name in part.model_fields)]
