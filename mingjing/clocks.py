"""The clock every process of one system shares, made from its text form; the composition root alone makes clocks."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from domain.centre_folder import load_centres
from domain.clock import Clock
from domain.errors import SettingsError
from domain.working_time import Calendar
from mingjing.settings import Settings

WORKDAYS = "workdays"
#: A demo day begins a little before the doors open and ends a little after they close.
DAY_BEGINS, DAY_ENDS = time_of_day(8, 50), time_of_day(17, 10)


class WorkdayClock(Clock):
    """Simulated time that knows only working days: after the evening comes the next working morning.

    A demo at 60-fold speed would otherwise show a closed hall for two thirds of the time. The jump is a function of
    the real time alone, so that every process makes it at the same moment without being told.

    Args:
        sim_start: epoch seconds of the first moment; outside a working day it is moved to the next morning.
        calendar: which dates are working days, and the zone of :data:`DAY_BEGINS` and :data:`DAY_ENDS`.
    """

    def __init__(
        self,
        time_source: Callable[[], float],
        *,
        real_start: float,
        sim_start: float,
        speed: float,
        calendar: Calendar,
    ) -> None:
        super().__init__(time_source, real_start=real_start, sim_start=sim_start, speed=speed)
        self._calendar = calendar
        begin, end = self._day_of(datetime.fromtimestamp(sim_start, UTC))
        first = max(sim_start, begin)
        # Parallel lists: how many simulated seconds had passed when a day began, and the moment it began.
        self._passed, self._began, self._end = [0.0], [first], end

    def _day_of(self, moment: datetime) -> tuple[float, float]:
        """Begin and end (epoch seconds) of the working day that lies at or next after a moment."""
        zone = self._calendar.zone
        day = moment.astimezone(zone).date()
        while True:
            if self._calendar.is_working(day.toordinal()):
                begin, end = (datetime.combine(day, at, zone).timestamp() for at in (DAY_BEGINS, DAY_ENDS))
                if moment.timestamp() < end:
                    return begin, end
            day += timedelta(days=1)

    def monotonic(self) -> float:
        passed = max(0.0, (self._source() - self._real) * self.speed)
        while passed >= self._passed[-1] + (self._end - self._began[-1]):
            self._passed.append(self._passed[-1] + (self._end - self._began[-1]))
            begin, self._end = self._day_of(datetime.fromtimestamp(self._end, UTC))
            self._began.append(begin)
        at = bisect_right(self._passed, passed) - 1
        return self._began[at] + passed - self._passed[at]

    @property
    def spec(self) -> str:
        return f"{WORKDAYS}:{self._real}:{self._sim}:{self.speed}"


def make_clock(settings: Settings, time_source: Callable[[], float] = time.time) -> Clock:
    """The clock of ``MINGJING_CLOCK``: ``real``, ``sim:REAL:SIM:SPEED`` or ``workdays:REAL:SIM:SPEED``.

    Raises:
        SettingsError: the text is none of them.
        CentreFileError: ``workdays`` needs the centre file for its calendar, and that is broken.
    """
    spec = settings.clock
    if not spec.startswith(WORKDAYS + ":"):
        return Clock.from_spec(spec, time_source)
    try:
        real, sim, speed = (float(part) for part in spec.split(":")[1:])
    except ValueError:
        raise SettingsError(f"MINGJING_CLOCK: expected '{WORKDAYS}:REAL:SIM:SPEED', not '{spec}'") from None
    calendar = load_centres(settings.centre_file).first.working_time
    return WorkdayClock(time_source, real_start=real, sim_start=sim, speed=speed, calendar=calendar)


def latest_working_morning(calendar: Calendar, today: date) -> datetime:
    """The beginning of the demo's day on the last working day that is not after ``today``.

    A year whose working days nobody has published is passed over: a demo starts on certain ground.
    """
    day = today
    while not calendar.is_working(day.toordinal()) or calendar.provisional(day.toordinal(), day.toordinal()):
        day -= timedelta(days=1)
    return datetime.combine(day, DAY_BEGINS, calendar.zone)
