"""The centre file (section 2 of the contract) as checked models; unknown keys are refused.

Reading a file, with lines and nearest keys in the errors, is in :mod:`domain.centre_file`.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StrictInt, model_validator

from domain.camera_source import CameraSource
from domain.finding_clocks import FindingSettings
from domain.messages import MessageSettings as MessageSettings
from domain.model import Code as Code
from domain.model import Days as Days
from domain.model import Model, Spans, Weekday, added
from domain.pictures import PictureSettings
from domain.polygons import area_of, fault_of, overlap_of
from domain.rules.blind import BlindSettings
from domain.rules.both_doors import BothDoorsSettings, ItemDoors, WindowDoors
from domain.rules.complaints import ComplaintSettings
from domain.rules.fees import FeeSettings, ItemFees
from domain.rules.intermediaries import IntermediarySettings
from domain.rules.procedure import ItemProcedure, ProcedureSettings
from domain.rules.ratings import RatingSettings
from domain.rules.scores import ScoreSettings
from domain.rules.staffing import AttendanceSettings, StaffingSettings, WindowStaffing
from domain.rules.time import ItemTime, TimeSettings
from domain.rules.trading import TradingSettings
from domain.rules.truthfulness import TruthfulnessSettings
from domain.working_time import Calendar, known_bases, parse_week

Unit = Literal["working_day", "calendar_day"]


#: Share of the smaller area that a citizens' side may have in common with the staff side: a careless stroke.
BOTH_SIDES = 0.05
#: … and that the staff sides of two posts may; from ONE_PLACE of the larger on they are one desk under two names.
SHARED_GROUND, ONE_PLACE = 0.3, 0.9

Point = Annotated[tuple[float, float], Field(description="x, y in 0–1 of the picture")]


class CentreInfo(Model):
    id: Code
    name: str = ""
    timezone: str = "Asia/Shanghai"
    office_hours: dict[Weekday, Spans] | Spans = Field(default_factory=lambda: ["09:00-12:00", "13:30-17:00"])

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"timezone: '{self.timezone}' is no time zone (like Asia/Shanghai)") from None
        if not any(parse_week(self.office_hours).values()):
            raise ValueError("office_hours: no day has any office hours")
        return self


class CalendarSettings(Model):
    base: str = "CN"
    holidays: list[date] = Field(default_factory=list)
    workdays: list[date] = Field(default_factory=list)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (
            self.base not in ("CN", "none") and self.base not in known_bases()
        ):  # the list takes a while to make
            raise ValueError(f"base: '{self.base}' is no calendar (CN, another country code, or none)")
        both = sorted(set(self.holidays) & set(self.workdays))
        if both:
            raise ValueError(f"workdays: {both[0]} stands in both holidays and workdays")
        return self


class TimeLimitSettings(Model):
    notice_before: Annotated[StrictInt, Field(ge=1, le=3660)] = 2
    deadline_at: Literal["close", "midnight"] = "close"
    #: How elapsed time is counted: as the contract says, or as the Hunan platform of 2018 does (detectors/hunan.py).
    profile: Literal["statutory", "hunan-2018"] = added("statutory")


class AbsenceSettings(Model):
    """Minutes of uninterrupted absence inside open hours (domain reference 3e; Kaifu 2019, Cangnan 2019)."""

    notice: float = Field(default=10, gt=0)
    yellow: float = Field(default=15, gt=0)
    red: float = Field(default=30, gt=0)
    #: Minutes after which the notice comes where somebody was seen to wait at the empty window; no card comes earlier.
    notice_waiting: float | None = added(gt=0)


class SourceSettings(Model):
    """Minutes of silence inside office hours after which a source counts as silent and its lights go grey."""

    camera_silent: float = Field(default=1, gt=0)
    feed_silent: float = Field(default=60, gt=0)


class Rules(Model):
    time_limit: TimeLimitSettings = Field(default_factory=TimeLimitSettings)
    absence: AbsenceSettings = Field(default_factory=AbsenceSettings)
    sources: SourceSettings = Field(default_factory=SourceSettings)
    # Families beyond the contract: judged where the file has their section.
    time: TimeSettings | None = added()
    procedure: ProcedureSettings | None = added()
    fees: FeeSettings | None = added()
    both_doors: BothDoorsSettings | None = added()
    truthfulness: TruthfulnessSettings | None = added()
    ratings: RatingSettings | None = added()
    complaints: ComplaintSettings | None = added()
    staffing: StaffingSettings | None = added()
    attendance: AttendanceSettings | None = added()
    intermediaries: IntermediarySettings | None = added()
    trading: TradingSettings | None = added()
    blind: BlindSettings | None = added()
    #: Nothing that finds: what a month is worth.
    scores: ScoreSettings | None = added()


#: Families of rules about a case: what a case was judged by is kept with it (rule 9).
CASE_FAMILIES = ("time", "procedure", "fees", "both_doors", "truthfulness")


class Limit(Model):
    days: Days
    unit: Unit = "working_day"


class Item(ItemTime, ItemProcedure, ItemFees, ItemDoors):
    code: Code
    name: str = ""
    legal_limit: Limit | None = None
    promised_limit: Limit | None = None
    supplement_limit: Days | None = None
    delivery_limit: Days | None = None
    stages: dict[str, Limit] = Field(default_factory=dict)

    def with_order(self) -> Item:
        """The item with ``stage_order`` spelt out: by default the order in which its stages stand.

        The agencies of a parallel item work side by side: it has an order only where it names one.
        """
        if self.stage_order is not None or len(self.stages) < 2 or self.case_type == "parallel":
            return self
        return self.model_copy(update={"stage_order": list(self.stages)})


class Department(Model):
    id: Code
    name: str


class Person(Model):
    id: Code
    name: str
    phone: str | None = None
    title: str = ""
    invented: bool = False
    email: str | None = added()
    #: By name of a channel, where neither telephone nor e-mail is what it takes.
    addresses: dict[str, Annotated[str, Field(min_length=1, max_length=512)]] = added({})


class Window(WindowStaffing, WindowDoors):
    """A service window. People are ids of ``people``; open_hours default to the centre's office hours."""

    id: Code
    name: str = ""
    department: str | None = None
    staff: list[str] = Field(default_factory=list)
    handler: str | None = None
    superior: str | None = None
    leader: str | None = None
    open_hours: dict[Weekday, Spans] | Spans | None = None


class Post(Model):
    """One post in one camera's picture; areas in 0–1 coordinates: ``polygon`` the staff side, ``public`` the citizens'.

    ``empty``: pictures that show the post with nobody there, for the method without weights.
    """

    name: str
    window: str
    polygon: list[Point] = Field(min_length=3)
    required: int = Field(default=1, ge=1, le=20)
    public: list[Point] | None = added(min_length=3)
    empty: list[Annotated[str, Field(min_length=1, max_length=4096)]] = added([], max_length=16)

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        for key, area in (("polygon", self.polygon), ("public", self.public)):
            fault = fault_of(area) if area is not None else None
            if fault is not None:
                raise ValueError(f"{key}: {fault}")
        if self.public is not None and overlap_of(self.polygon, self.public) > BOTH_SIDES * min(
            area_of(self.polygon), area_of(self.public)
        ):
            raise ValueError(
                "public: the citizens' side lies over the staff side; a citizen there would count as staff"
            )
        return self


class Camera(CameraSource):
    """A camera. ``url``: rtsp://, http(s)://, onvif://, v4l2://, a path or sim://; credentials come from the environment
    or a file."""

    id: Code
    every: float = Field(default=2.0, gt=0, description="seconds between looks")
    user: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    #: Switch, recorder or room: cameras of one site fail together. None: all of the centre are one.
    site: Code | None = added()
    posts: list[Post] = Field(min_length=1)
    #: What is kept of its pictures; None: the staff sides, every ten seconds of the open hours (docs/pictures.md).
    evidence: PictureSettings | None = added()
    #: Further areas of which no pixel is ever kept, in 0–1 coordinates.
    blackout: list[Annotated[list[Point], Field(min_length=3)]] = added([], max_length=32)

    @model_validator(mode="after")
    def _hidden(self) -> Self:
        for number, area in enumerate(self.blackout):
            fault = fault_of(area)
            if fault is not None:
                raise ValueError(f"blackout: area {number + 1} {fault}")
        hides = self.blackout or any(post.public for post in self.posts)
        if self.evidence is not None and self.evidence.keep == "view" and not hides:
            raise ValueError(
                "evidence: 'keep: view' keeps all but what is drawn as public (of a post) or as blackout, and nothing is"
            )
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for one, other in combinations(self.posts, 2):
            smaller, larger = sorted((area_of(one.polygon), area_of(other.polygon)))
            shared = overlap_of(one.polygon, other.polygon)
            if SHARED_GROUND * smaller < shared < ONE_PLACE * larger:
                raise ValueError(
                    f"posts: the staff sides of {one.name} and {other.name} overlap by {shared / smaller:.0%};"
                    f" somebody there could be at either (draw them apart, or as one and the same place)"
                )
        return self


class PresenceSettings(Model):
    """Seconds. window: span over which looks are weighed; fresh: age after which a picture says nothing."""

    method: Literal["auto", "detector", "correlation"] = "auto"
    window: float = Field(default=10, gt=0)
    fresh: float = Field(default=10, gt=0)


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
    #: Clocks of answers and appeals; None: the defaults.
    findings: FindingSettings | None = added()

    @model_validator(mode="after")
    def _name_the_order(self) -> Self:
        # JSON objects have no order in the database: the order of the stages is kept as a list.
        if self.rules.procedure is not None and not self.rules.procedure.order:
            self.__dict__["items"] = [item.with_order() for item in self.items]
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.centre.timezone)

    @cached_property
    def window_ids(self) -> frozenset[str]:
        return frozenset(window.id for window in self.windows)

    @cached_property
    def working_time(self) -> Calendar:
        """The centre's calendar; kept, for it is asked for every case."""
        return Calendar(
            self.calendar.base,
            self.calendar.holidays,
            self.calendar.workdays,
            self.zone,
            parse_week(self.centre.office_hours),
            self.rules.time_limit.deadline_at,
        )

    @cached_property
    def window_by_id(self) -> dict[str, Window]:
        return {window.id: window for window in self.windows}

    @cached_property
    def people_ids(self) -> frozenset[str]:
        return frozenset(person.id for person in self.people)

    @cached_property
    def person_by_id(self) -> dict[str, Person]:
        return {person.id: person for person in self.people}

    def open_time(self, window: str) -> Calendar:
        """The calendar with a window's own open hours, where it has some."""
        found = self.window_by_id.get(window)
        if found is None or found.open_hours is None:
            return self.working_time
        return self._window_calendars[window]

    @cached_property
    def _window_calendars(self) -> dict[str, Calendar]:
        return {
            window.id: Calendar(
                self.calendar.base,
                self.calendar.holidays,
                self.calendar.workdays,
                self.zone,
                parse_week(window.open_hours),
                self.rules.time_limit.deadline_at,
            )
            for window in self.windows
            if window.open_hours is not None
        }

    def posts_of(self, window: str) -> frozenset[tuple[str, str]]:
        """(camera, post) of every post that watches a window."""
        return self._posts.get(window, frozenset())

    @cached_property
    def _posts(self) -> dict[str, frozenset[tuple[str, str]]]:
        found: dict[str, set[tuple[str, str]]] = {}
        for camera in self.cameras:
            for post in camera.posts:
                found.setdefault(post.window, set()).add((camera.id, post.name))
        return {window: frozenset(posts) for window, posts in found.items()}

    @cached_property
    def item_by_code(self) -> dict[str, Item]:
        return {item.code: item for item in self.items}

    def clock_settings(self, item: str | None = None) -> dict[str, Any]:
        """What :func:`detectors.cases.judge_case` needs of this file, JSON-ready: to keep with a case (rule 9).

        ``Centre.model_validate`` turns it back into a centre. With ``item``, only that item.
        """
        row: dict[str, Any] = {
            "centre": self.centre.model_dump(mode="json"),
            "calendar": self.calendar.model_dump(mode="json"),
            "rules": self.rules.model_dump(mode="json", include={"time_limit", *CASE_FAMILIES}),
            "items": [i.model_dump(mode="json") for i in self.items if item is None or i.code == item],
        }
        return row


def load_centre(path: str | Path) -> Centre:
    """Reads and checks a centre file.

    Raises:
        CentreFileError: with file, line and, for an unknown key, the nearest known one. Exit status 2.
    """
    from domain.centre_file import read_centre

    return read_centre(path)
