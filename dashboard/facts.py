"""What the wall needs to know at one moment, however it was obtained. Plain data; moments are aware datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from domain.finding_life import Act, Pending
from domain.findings import SEVERITIES, Severity

Presence = Literal["present", "absent", "unknown"]
Desk = Literal["open", "paused", "closed"]


@dataclass(frozen=True, slots=True)
class LifeFacts:
    """A finding as an act: where it stands, its steps in their order, what is awaited."""

    state: str
    acts: tuple[Act, ...] = ()
    awaited: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Which pictures there are of a finding; never one of them: those are shown to who signs in and says why.

    ``missing``: camera, post, role and reason of what was wanted and is not there; ``waiting``: unanswered questions.
    """

    sha256: tuple[str, ...] = ()
    missing: tuple[tuple[str, str, str, str], ...] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """One open finding. ``explain`` may be left empty in a snapshot; the detail panel asks for it."""

    finding_id: str
    rule: str
    severity: Severity
    subject: str
    opened_at: datetime
    window: str | None = None
    case: str | None = None
    item: str | None = None
    due_at: datetime | None = None
    provisional: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    explain: Mapping[str, Any] = field(default_factory=dict)
    #: What was done about it and what is awaited; only the panel asks.
    life: LifeFacts | None = None
    #: None for a finding that rests on no picture; only the panel asks.
    pictures: PictureFacts | None = None

    @property
    def weight(self) -> tuple[int, float]:
        """Sorts the worst first, and of equals the oldest: who has waited longest stands on top."""
        return (-SEVERITIES.index(self.severity), self.opened_at.timestamp())


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What is known of one window. ``presence`` None: no observation has ever arrived.

    ``open_now`` is None where nobody knows whether the window should be open (no calendar). ``waiting``: a camera sees somebody
    on the citizens' side while nobody is at the window.
    """

    window: str
    name: str = ""
    department: str = ""
    has_camera: bool = True
    presence: Presence | None = None
    reason: str | None = None
    since: datetime | None = None
    seen_at: datetime | None = None
    desk: Desk = "open"
    method: str | None = None
    open_now: bool | None = True
    open_cases: int | None = None
    waiting: bool = False
    findings: tuple[FindingFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The day's figures; cases by the contract's kinds, ``dead`` = lines that lie in the dead letters and wait."""

    received: int = 0
    accepted: int = 0
    closed: int = 0
    open: int = 0
    overdue: int = 0
    notice: int = 0
    yellow: int = 0
    red: int = 0
    messages: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """The last sign of life of a process or a feed. ``silent`` is in real seconds, also when the clock is simulated.

    Of the role ``trouble``: something is wrong with the messages, ``about`` says what (and of which channel); of ``hold``: no
    message leaves.
    """

    role: str
    silent: float
    about: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the wall shows at one moment ``at`` of the system's clock, read at ``read_at`` (real epoch seconds)."""

    at: datetime
    read_at: float
    windows: tuple[WindowFacts, ...]
    findings: tuple[FindingFacts, ...] = ()
    totals: Totals = field(default_factory=Totals)
    beats: tuple[Beat, ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """What the panel explains: one window and its open findings with their ``explain``."""

    window: WindowFacts | None
    findings: tuple[FindingFacts, ...]


class SnapshotSource(Protocol):
    """Where snapshots come from: the store, or a fake. Used by one thread at a time, except ``detail``."""

    def wait(self, seconds: float) -> bool:
        """Returns True as soon as something changed, False after ``seconds``. Raises when the source is lost."""

    def read(self, now: datetime) -> Snapshot:
        """The state at ``now``. Raises when the source cannot be reached; the wall then says so."""

    def detail(self, window: str | None, finding: str | None, now: datetime) -> Detail:
        """The facts behind one tile or one finding. May be called from another thread."""

    def close(self) -> None:
        """Lets go of connections."""


__all__ = [
    "Beat", "Desk", "Detail", "FindingFacts", "LifeFacts", "PictureFacts", "Presence", "Snapshot", "SnapshotSource", "Totals", "WindowFacts",
]  # fmt: skip
