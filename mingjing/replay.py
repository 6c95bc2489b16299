"""``mingjing replay``: the live rules over a file of events, on the events' own clock; no broker, no database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, TextIO

import typer

from detectors.case_families import wanted_judges
from detectors.cases import judge_case
from detectors.families import FAMILIES, subjects_of, wanted_families
from detectors.family import Family
from domain.cases import RANK
from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.errors import EventError, InputError
from domain.events import MAX_LINE, Event, clean, event_to_json, parse_line
from domain.findings import Finding, finding_to_json
from mingjing.kept_events import EventsInMemory, EventsOnDisk, KeptEvents
from mingjing.rejections import Rejection, Rejections
from mingjing.replay_oversight import ReplayOversight

REJECTED = 3
"""Exit status when any line was refused; the rest was processed."""
SHOWN = 2_000
"""Characters of a refused line that are kept beside the reason."""
SPILL_EVENTS = 10_000
"""Events that are kept in memory; from the next on all of them are kept in a temporary file."""
SPILL_SIZE = 20_000_000
"""Characters or bytes of lines after which the same is done: few, but long ones."""


_dumps = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Judged:
    """One case, or one other subject (``complaint:<name>`` …), with its events in order of arrival and what is found."""

    centre: str
    case: str | None
    subject: str
    events: Sequence[Event]
    findings: list[Finding]


@dataclass(slots=True)
class Replay:
    """Takes lines, then judges case by case and subject by subject; never keeps all findings at once, nor the events of a
    very large file: above ``spill_after`` they go to a temporary file, and what is found is the same.

    ``families``: of rules about subjects that are no cases; those that the centre file turns on are judged.

    Raises (when the events do not fit into memory):
        StoreError: there is no room for them in the temporary folder.
    """

    centres: Centres
    rejected: Rejections = field(default_factory=Rejections)
    lines: int = 0
    taken: int = 0
    duplicates: int = 0
    last: datetime | None = None
    families: Sequence[Family] = FAMILIES
    spill_after: int = SPILL_EVENTS
    #: Told of each event that is taken, with its centre, as it arrives.
    on_event: Callable[[str, Event], None] | None = None
    _kept: KeptEvents = field(default_factory=EventsInMemory, repr=False)
    _size: int = field(default=0, repr=False)
    #: By centre: the kinds that families which are on want, and whether families about cases want what is in no clock.
    _wanted: dict[str, tuple[frozenset[str], bool]] = field(default_factory=dict, repr=False)

    _oversight: ReplayOversight = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._oversight = ReplayOversight(self.centres)
        for code, centre in self.centres.items():
            wanted = wanted_families(centre, self.families).values()
            kinds = frozenset[str]().union(*(family.kinds for family in wanted))
            self._wanted[code] = kinds, any(True for _ in wanted_judges(centre))

    def read(self, lines: Iterable[bytes | str]) -> None:
        """Takes every line; blank ones are skipped, bad ones and conflicts are kept with their reason."""
        checks = self.centres.checks
        for line in lines:
            self.lines += 1
            number = self.lines
            if number == 1:
                line = (
                    line.removeprefix(b"\xef\xbb\xbf")
                    if isinstance(line, bytes)
                    else line.removeprefix("\ufeff")
                )
            if not line.strip():
                continue
            try:
                event = parse_line(line, **checks)
            except EventError as error:
                self.rejected.append(Rejection(number, error.code, error.field, error.reason, _shown(line)))
                continue
            self._take(number, event, line)

    def _take(self, number: int, event: Event, line: bytes | str) -> None:
        several = self.centres.several
        source = f"{event.centre}/{event.source}" if several else event.source
        kept = self._kept
        if isinstance(kept, EventsInMemory):
            self._size += len(line)
            if kept.met >= self.spill_after or self._size > SPILL_SIZE:
                kept = self._kept = EventsOnDisk(self.families, kept)
        standing = kept.meet(source, number, event)
        if standing == "duplicate":
            self.duplicates += 1
            return
        if standing == "conflict":
            reason = "an event with the same source and event_id but other content came first"
            self.rejected.append(
                Rejection(number, "conflict", "event_id", reason, _shown(line), event.event_id)
            )
            return
        self.taken += 1
        moment = event.occurred_at
        if self.last is None or moment > self.last:
            self.last = moment
        centre = event.centre if several and event.centre else self.centres.first.centre.id
        self._oversight.note_event(centre, event)
        if self.on_event is not None:
            self.on_event(centre, event)
        kinds, others = self._wanted[centre]
        # Staffing, queue and rating events are taken and checked; no time limit depends on them.
        if event.case is not None and (event.kind in RANK or others):
            kept.add_to_case(centre, event.case, number, event)
        if event.kind in kinds:
            for family, name in subjects_of(event, self.centres[centre], self.families):
                kept.add_to_subject(centre, family, name, number, event)

    @property
    def cases(self) -> int:
        return self._kept.count_cases()

    def events_of_case(self, centre: str, case: str) -> list[Event]:
        """In order of arrival; none of a case nobody told of."""
        return [event for _, event in self._kept.of_case(centre, case)]

    def judge(self, until: datetime | None = None) -> Iterator[list[Finding]]:
        """The findings of each case as of ``until`` (default: the last event), by centre and case number, then those of
        each other subject by centre and name, then those about supervision itself; adds ineffective events."""
        for judged in self.judge_each(until):
            yield judged.findings

    def judge_each(self, until: datetime | None = None) -> Iterator[Judged]:
        """The same, with whom they are about."""
        now = until or self.last
        if now is None:
            return
        now = now.astimezone(UTC)
        self._oversight.begin()
        for code, case, entries in self._kept.by_case():
            events = [event for _, event in entries]
            verdict = judge_case(events, self.centres[code], now)
            for event, why, reason in verdict.ineffective:
                line = next(line for line, other in entries if other is event)
                raw = _shown(_dumps(event_to_json(event)))
                self.rejected.append(Rejection(line, why, None, reason, raw, event.event_id))
            self._oversight.note_case(code, verdict.status)
            self._oversight.note_findings(code, verdict.findings)
            yield Judged(code, case, f"case:{case}", events, list(verdict.findings))
        for code, family, name, events in self._kept.by_subject():
            found = list(family.ask(name, events, self.centres[code], now).findings)
            found.sort(key=lambda f: (f.opened_at, f.rule, f.due_at or f.opened_at, f.finding_id))
            self._oversight.note_findings(code, found)
            yield Judged(code, None, f"{family.subject}:{name}", events, found)
        for code, subject, found in self._oversight.judge(now):
            yield Judged(code, None, subject, [], found)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found: findings by case number and opening, rejections by line."""

    findings: tuple[Finding, ...]
    rejected: tuple[Rejection, ...]
    until: datetime | None
    taken: int
    duplicates: int
    cases: int


def replay(
    centre: Centre | Centres, lines: Iterable[bytes | str], until: datetime | None = None
) -> ReplayResult:
    """Judges a file of events. For very large files use :class:`Replay`, which keeps no findings.

    Args:
        lines: JSONL lines, text or UTF-8 bytes, in order of arrival.
        until: the "now" at the end; events after it are not taken. None: the moment of the last event.
    """
    run = Replay(centre if isinstance(centre, Centres) else Centres.of(centre))
    run.read(lines)
    findings = tuple(finding for group in run.judge(until) for finding in group)
    return ReplayResult(
        findings, tuple(run.rejected), until or run.last, run.taken, run.duplicates, run.cases
    )


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a file without ever holding more of one than the longest that can be an event."""
    while line := stream.readline(MAX_LINE + 2):
        if len(line) > MAX_LINE + 1 and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        yield line


def _shown(line: bytes | str) -> str:
    text = (
        line.decode("utf-8", "replace")
        if isinstance(line, bytes)
        else line.encode("utf-8", "replace").decode()
    )
    text = text.rstrip("\r\n")
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def parse_until(text: str, centre: Centre, option: str = "--until") -> datetime:
    """``--until`` or another option: RFC 3339; without an offset it is the centre's local time.

    Raises:
        InputError: it is no moment.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=centre.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{option}: '{clean(text)}' is not a moment like 2026-11-30T12:00:00+08:00"
        ) from None


def replay_command(
    centre: Annotated[
        Path,
        typer.Argument(
            help="中心文件或其文件夹 · the centre file, or a folder of them", metavar="CENTRE.yaml"
        ),
    ],
    events: Annotated[
        Path,
        typer.Argument(help="事件文件，- 为标准输入 · events, - for standard input", metavar="EVENTS.jsonl"),
    ],
    until: Annotated[
        str | None,
        typer.Option(
            help="截止时刻，默认最后一个事件 · the 'now' at the end; default: the last event", metavar="TIME"
        ),
    ] = None,
    findings: Annotated[
        Path | None, typer.Option(help="写出监察发现 · write the findings there", metavar="OUT.jsonl")
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(
            help="写出被拒行及原因 · write refused lines with number and reason", metavar="OUT.jsonl"
        ),
    ] = None,
) -> None:
    """重放事件文件 · The live rules over a file of events. Exit status 3 if a line was refused."""
    rules = load_centres(centre)
    rules.refuse_problems()
    moment = None if until is None else parse_until(until, rules.first)
    run = Replay(rules)
    with ExitStack() as files:
        source = sys.stdin.buffer if str(events) == "-" else files.enter_context(_open_events(events))
        found_file = _open_out(findings, files)
        rejected_file = _open_out(rejected, files)
        run.read(read_lines(source))
        counts: dict[str, list[int]] = {}
        for group in run.judge(moment):
            for finding in group:
                name = f"{finding.rule} (shadow)" if finding.shadow else finding.rule
                count = counts.setdefault(name, [0, 0])
                count[0] += 1
                count[1] += finding.state == "open"
                if found_file is not None:
                    found_file.write(_dumps(finding_to_json(finding, rules[finding.centre].zone)) + "\n")
        if rejected_file is not None:
            for row in run.rejected:
                rejected_file.write(_dumps(row.to_json()) + "\n")
    _summarise(run, moment or run.last, counts)
    if run.rejected:
        raise typer.Exit(REJECTED)


def _open_events(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _open_out(path: Path | None, files: ExitStack) -> TextIO | None:
    if path is None:
        return None
    try:
        return files.enter_context(path.open("w", encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _summarise(run: Replay, until: datetime | None, counts: dict[str, list[int]]) -> None:
    at = "–" if until is None else until.astimezone(run.centres.first.zone).isoformat()
    typer.echo(f"截至 until {at}")
    typer.echo(
        f"事件 events {run.taken} · 重复 duplicates {run.duplicates} · 办件 cases {run.cases} · "
        f"拒收 rejected {len(run.rejected)}"
    )
    for rule, (total, still_open) in sorted(counts.items()):
        typer.echo(f"  {rule:<22} {total:>7} · 未结 open {still_open}")
    for row in islice(run.rejected, 5):
        typer.echo(f"  line {row.line}: {row.code}: {row.reason}", err=True)
    if len(run.rejected) > 5:
        typer.echo(f"  … {len(run.rejected) - 5} more, see --rejected", err=True)
