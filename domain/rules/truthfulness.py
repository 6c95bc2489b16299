"""Settings of ``rules.truthfulness``: data that is not true, timely, complete or exact (真实、实时、完整、准确).

The four words are the test of a Chengdu district (2011, C2). No source gives thresholds; the defaults are ours, chosen so that
a clean log of real work is quiet (tests/detectors/test_fabrications.py says how quiet).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StrictInt

from domain.model import Code, Days, Model
from domain.rules import FamilySettings


class LateEntry(Model):
    """When a step counts as entered late. The date it happened does not count, then working days do.

    ``entered_days``: keyed in (``entered_at``) on a later date than that. ``received_days``: reached us later; longer, for a
    line may be down and an upload nightly. ``ahead_minutes``: keyed in so long before it happened. ``since``: what
    happened before that date came in with a history, and is not judged.
    """

    entered_days: Days = 1
    received_days: Days = 2
    ahead_minutes: float = Field(default=30, ge=0)
    since: date | None = None


class EntryBatch(Model):
    """Many cases worked on by one hand in a short time outside office hours (C1: entered later, in one batch).

    ``cases`` different cases within ``minutes``; ``grace`` minutes before opening and after closing are office time.
    """

    cases: Annotated[StrictInt, Field(ge=2, le=1000)] = 5
    minutes: float = Field(default=30, gt=0, le=1440)
    grace: float = Field(default=60, ge=0, le=720)


class TruthfulnessSettings(FamilySettings):
    """The family; a rule set to ``null`` or ``false`` is off.

    ``same_second``: so many acts of a case in one second were stamped, not done (P4: acceptance, review and closing with
    the moment of closing). ``whole_course``: minutes; a case accepted, reviewed and closed within them was not reviewed;
    immediate cases (``case_type: immediate``) are. ``zero_stages``: stages of one case that end in the second in which
    they begin; the national standard allows one without an end to be written so (N1), so ``zero_share`` of those whose
    beginning is known must be. ``handlers``: staff must be
    among the people of the centre, where it lists any; ``machines`` are codes of programs. ``last_days``: a
    suspension in the last so many working days of a limit, or after it. ``suspensions``: more than so many in a case,
    or one of them twice for one ground. ``trace``: a finished case must name a window somewhere.
    """

    late_entry: LateEntry | None = Field(default_factory=LateEntry)
    batch: EntryBatch | None = Field(default_factory=EntryBatch)
    same_second: Annotated[StrictInt, Field(ge=2, le=100)] | None = 3
    whole_course: Annotated[float, Field(ge=0, le=1440)] | None = 5
    zero_stages: Annotated[StrictInt, Field(ge=1, le=100)] | None = 2
    zero_share: float = Field(default=0.5, ge=0, le=1)
    handlers: bool = True
    machines: tuple[Code, ...] = ("system", "auto")
    last_days: Days | None = 1
    suspensions: Days | None = 2
    trace: bool = True
    online: tuple[Code, ...] = ("online", "web", "mobile", "courier", "kiosk")
