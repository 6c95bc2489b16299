"""The centre file (section 2 of the contract) as checked models; unknown keys are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

Unit = Literal["working_day", "calendar_day"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
#: "HH:MM-HH:MM" spans of one day, in order.
Spans = list[str]
Point = Annotated[tuple[float, float], Field(description="x, y in 0–1 of the picture")]


class Model(BaseModel):
    """Base: unknown keys are an error, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CentreInfo(Model):
    id: str
    name: str = ""
    timezone: str = "Asia/Shanghai"
    office_hours: Spans | dict[Weekday, Spans] = Field(default_factory=lambda: ["09:00-12:00", "13:30-17:00"])


class CalendarSettings(Model):
    base: str = "CN"
    holidays: list[date] = Field(default_factory=list)
    workdays: list[date] = Field(default_factory=list)


class TimeLimitSettings(Model):
    notice_before: int = Field(2, ge=1)
    deadline_at: Literal["close", "midnight"] = "close"


class AbsenceSettings(Model):
    """Minutes of uninterrupted absence inside open hours (domain reference 3e; Kaifu 2019, Cangnan 2019)."""

    notice: float = Field(10, gt=0)
    yellow: float = Field(15, gt=0)
    red: float = Field(30, gt=0)


class SourceSettings(Model):
    """Minutes of silence inside office hours after which a source counts as silent and its lights go grey."""

    camera_silent: float = Field(1, gt=0)
    feed_silent: float = Field(60, gt=0)


class Rules(Model):
    time_limit: TimeLimitSettings = Field(default_factory=TimeLimitSettings)
    absence: AbsenceSettings = Field(default_factory=AbsenceSettings)
    sources: SourceSettings = Field(default_factory=SourceSettings)


class Limit(Model):
    days: int = Field(ge=1)
    unit: Unit = "working_day"


class Item(Model):
    code: str
    name: str = ""
    legal_limit: Limit | None = None
    promised_limit: Limit | None = None
    supplement_limit: int | None = Field(None, ge=1)
    delivery_limit: int | None = Field(None, ge=1)
    stages: dict[str, Limit] = Field(default_factory=dict)


class Department(Model):
    id: str
    name: str


class Person(Model):
    id: str
    name: str
    phone: str | None = None
    title: str = ""
    invented: bool = False


class Window(Model):
    """A service window. People are ids of ``people``; open_hours default to the centre's office hours."""

    id: str
    name: str = ""
    department: str | None = None
    staff: list[str] = Field(default_factory=list)
    handler: str | None = None
    superior: str | None = None
    leader: str | None = None
    open_hours: Spans | dict[Weekday, Spans] | None = None


class Post(Model):
    """One post in one camera's picture; polygon in 0–1 coordinates, staff side only."""

    name: str
    window: str
    polygon: list[Point] = Field(min_length=3)
    required: int = Field(1, ge=1, le=20)


class Camera(Model):
    """A camera. ``url``: rtsp://, http(s)://, file path or sim://; credentials come from the environment or a file."""

    id: str
    url: str
    every: float = Field(2.0, gt=0, description="seconds between looks")
    user: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    posts: list[Post] = Field(min_length=1)


class PresenceSettings(Model):
    """Seconds. window: span over which looks are weighed; fresh: age after which a picture says nothing."""

    method: Literal["auto", "detector", "correlation"] = "auto"
    window: float = Field(10, gt=0)
    fresh: float = Field(10, gt=0)


class MessageSettings(Model):
    """Who is told: roles of the window (handler, superior, leader) and the inspectors, by severity."""

    notice: list[str] = Field(default_factory=list)
    yellow: list[str] = Field(default_factory=lambda: ["handler", "superior"])
    red: list[str] = Field(default_factory=lambda: ["handler", "superior", "leader", "inspectors"])
    inspectors: list[str] = Field(default_factory=list)
    max_age_hours: float = Field(24, gt=0)


class Centre(Model):
    centre: CentreInfo
    calendar: CalendarSettings = Field(default_factory=CalendarSettings)
    rules: Rules = Field(default_factory=Rules)
    items: list[Item] = Field(default_factory=list)
    departments: list[Department] = Field(default_factory=list)
    people: list[Person] = Field(default_factory=list)
    windows: list[Window] = Field(default_factory=list)
    cameras: list[Camera] = Field(default_factory=list)
    presence: PresenceSettings = Field(default_factory=PresenceSettings)
    messages: MessageSettings = Field(default_factory=MessageSettings)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.centre.timezone)

    @property
    def window_ids(self) -> frozenset[str]:
        return frozenset(window.id for window in self.windows)


def load_centre(path: str | Path) -> Centre:
    """Reads and checks a centre file.

    Raises:
        CentreFileError: with file, line and, for an unknown key, the nearest known one.
    """
    import yaml

    return Centre.model_validate(yaml.safe_load(Path(path).read_text("utf-8")))
