"""A year of mixed cases judged by ``mingjing replay`` in one process: how fast, and how much memory.

    python -m benchmarks.replay_year [--cases 100000] [--seed 1] [--keep FOLDER] [--json FILE]

Draws the year (the same for one seed), writes it as JSONL in order of arrival, and runs the command on it in a process of its
own, with the contract's rules alone and with every family of rules on; beside it, in the same run, a tenth of the cases of
as long a year. The command's memory is read several times a second: the figure is its peak, and the page shows what it was
when 10 %, 50 % and all of the run was over.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.figure import Figure, Parameter, write_figures

CODE = "530502"
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ZONE = timezone(timedelta(hours=8))
#: As late as a source may deliver.
LATE = timedelta(days=7)
#: Seconds between two readings of the memory.
PACE = 0.1
MARKS = (0.1, 0.5, 1.0)
CENTRE: dict[str, Any] = {
    "centre": {"id": CODE},
    "items": [
        {"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": 7},
         "stages": {"review": {"days": 3}, "sign": {"days": 2}}, "fees": []},
        {"code": "A-002", "legal_limit": {"days": 45, "unit": "calendar_day"}, "promised_limit": {"days": 15},
         "supplement_limit": 15, "delivery_limit": 10, "stages": {"review": {"days": 5}, "survey": {"days": 10}}},
        {"code": "A-003", "promised_limit": {"days": 1}, "case_type": "immediate"},
    ],
    "windows": [{"id": f"A{number:02}"} for number in range(1, 13)],
}  # fmt: skip
FAMILIES = (
    "time", "procedure", "fees", "both_doors", "truthfulness", "ratings", "complaints", "intermediaries", "trading",
)  # fmt: skip


# ---- the year ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Story:
    """Draws the events of one case: (when it arrives, the event)."""

    rng: random.Random
    case: str
    now: datetime
    count: int = 0
    item: str = ""
    window: str = ""

    def __post_init__(self) -> None:
        self.item = self.rng.choice(("A-001", "A-001", "A-002", "A-003"))
        self.window = f"A{self.rng.randint(1, 12):02}"

    def later(self, hours: float) -> None:
        self.now += timedelta(hours=self.rng.uniform(0.1, hours))

    def event(self, kind: str, **data: Any) -> tuple[datetime, dict[str, Any]]:
        self.count += 1
        late = self.rng.random()
        # Most come at once, some with the nightly feed, some days later.
        delay = timedelta(minutes=1) if late < 0.8 else late * LATE if late > 0.95 else timedelta(hours=12)
        row = {
            "event_id": f"{self.case}-{self.count}", "kind": kind, "occurred_at": text(self.now),
            "entered_at": text(self.now + timedelta(minutes=self.rng.randint(0, 9))), "source": "approval", "centre": CODE,
            "window": self.window, "case": self.case, "item": self.item, "staff": f"S{self.rng.randint(1, 40)}", "data": data,
        }  # fmt: skip
        return self.now + delay, row

    def tell(self) -> Iterator[tuple[datetime, dict[str, Any]]]:
        rng = self.rng
        if rng.random() < 0.5:
            ticket = rng.randint(1, 400)
            yield self.event("queue.ticket_issued", ticket=ticket)
            self.later(1)
            yield self.event("queue.served", ticket=ticket)
        yield self.event(
            "case.received", materials=["申请表", "身份证明"], channel=rng.choice(("window", "online"))
        )
        if rng.random() < 0.25:
            self.later(150)
            yield self.event("case.supplement_requested", materials=["场地证明"])
            self.later(200)
            yield self.event("case.supplement_received", materials=["场地证明"])
        self.later(60)
        if rng.random() < 0.05:
            yield self.event("case.refused", reason="不属本机关职权", receipt_no=f"B{self.case}")
            return
        deadlines = {}
        if rng.random() < 0.1:
            deadlines = {"legal_deadline": text(self.now + timedelta(days=rng.randint(5, 40)))}
        yield self.event("case.accepted", receipt_no=f"R{self.case}", **deadlines)
        for stage in ("review", "sign" if self.item == "A-001" else "survey"):
            self.later(50)
            yield self.event("case.stage_started", stage=stage)
            if rng.random() < 0.1:
                self.later(40)
                yield self.event(
                    "case.suspended", ground=rng.choice(("hearing", "inspection")), days=10, notice_no="N1"
                )
                self.later(300)
                yield self.event("case.resumed")
            self.later(120)
            yield self.event("case.stage_finished", stage=stage)
        if rng.random() < 0.06:
            yield self.event("case.extended", days=10, approver="王某", reason="情况复杂", notice_no="N2")
        if rng.random() < 0.03:
            return  # never decided
        self.later(100)
        if rng.random() < 0.08:
            yield self.event("case.decided", result="denied", reason="不符合法定条件")
        else:
            yield self.event("case.decided", result="granted")
            if rng.random() < 0.3:
                yield self.event("fee.charged", amount="80.00", basis="发改价格〔2017〕1", name="工本费")
            self.later(120)
            yield self.event("case.delivered")
        self.later(2)
        yield self.event("case.closed")
        if rng.random() < 0.3:
            self.later(40)
            yield self.event("rating.given", level=rng.choice((1, 1, 1, 2, 2, 3, 4, 5)), channel="window")


def text(moment: datetime) -> str:
    return moment.astimezone(ZONE).replace(microsecond=0).isoformat()


def draw_year(cases: int, seed: int) -> Iterator[str]:
    """The lines of a year in order of arrival; one in a hundred comes twice."""
    rng = random.Random(seed)
    waiting: list[tuple[datetime, int, str]] = []
    number = 0
    for case in range(cases):
        begun = BEGIN + YEAR * case / cases
        while waiting and waiting[0][0] < begun:
            yield heapq.heappop(waiting)[2]
        for arrival, row in Story(rng, f"2025{case:07}", begun).tell():
            line = json.dumps(row, ensure_ascii=False)
            for again in range(2 if rng.random() < 0.01 else 1):
                number += 1
                heapq.heappush(waiting, (arrival + again * LATE * rng.random(), number, line))
    while waiting:
        yield heapq.heappop(waiting)[2]


# ---- the run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: lines, seconds, and (seconds since its start, MiB) of each reading."""

    cases: int
    lines: int
    seconds: float
    processor: float
    memory: list[tuple[float, float]]

    @property
    def rate(self) -> float:
        return self.lines / self.seconds

    @property
    def peak(self) -> float:
        return max(mib for _, mib in self.memory)

    def peak_until(self, share: float) -> float:
        """Highest memory until that share of the run was over."""
        until = [mib for at, mib in self.memory if at <= share * self.seconds]
        return max(until, default=self.memory[0][1])


def run(folder: Path, cases: int, lines: int, events: Path, centre: Path) -> Run:
    """Runs the command to its end.

    Raises:
        RuntimeError: it did not end well.
    """
    command = [sys.executable, "-m", "mingjing", "replay", str(centre), str(events)]
    with (folder / "output").open("wb") as output:
        began = time.perf_counter()
        process = psutil.Popen(
            [*command, "--findings", str(folder / "findings.jsonl"), "--rejected", str(folder / "rejected.jsonl")],
            stdout=output, stderr=output,
        )  # fmt: skip
        memory: list[tuple[float, float]] = []
        spent = 0.0
        try:
            while process.poll() is None:
                try:
                    mib = process.memory_info().rss / 2**20
                    times = process.cpu_times()
                except psutil.Error:
                    break
                if mib:
                    memory.append((time.perf_counter() - began, mib))
                    spent = times.user + times.system
                time.sleep(PACE)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
    # 3: a line was refused, as the end of a stage before its beginning; the rest was judged.
    if status not in (0, 3):
        raise RuntimeError(f"mingjing replay ended with {status}: {(folder / 'output').read_text('utf-8')}")
    return Run(cases, lines, seconds, spent, memory)


def measure(folder: Path, sizes: tuple[int, int], seed: int) -> list[Figure]:
    years: dict[int, tuple[Path, int]] = {}
    for cases in sizes:
        events, lines = folder / f"year-{cases}.jsonl", 0
        with events.open("w", encoding="utf-8") as file:
            for line in draw_year(cases, seed):
                file.write(line + "\n")
                lines += 1
        years[cases] = events, lines
    figures: list[Figure] = []
    for title, sections in (("contract's rules", ()), ("every family on", FAMILIES)):
        centre = folder / "centre.yaml"
        centre.write_text(yaml.safe_dump(CENTRE | {"rules": {name: {} for name in sections}}), "utf-8")
        small, large = (run(folder, cases, years[cases][1], years[cases][0], centre) for cases in sizes)
        figures += report(title, small, large)
    return figures


def report(title: str, small: Run, large: Run) -> list[Figure]:
    beside = f"{small.cases} cases"
    figures = []
    for each in (small, large):
        given: dict[str, Parameter] = {
            "cases": each.cases,
            "events": each.lines,
            "seconds": round(each.seconds, 1),
        }
        last = each is large
        figures.append(
            Figure(
                f"a year replayed, {title}", each.rate, "events/s", beside if last else None,
                large.rate / small.rate if last else None, ">= 0.7" if last else None, title, "cases", given,
            )
        )  # fmt: skip
        figures.append(
            Figure(
                f"a year replayed per processor second, {title}", each.lines / each.processor, "events/s",
                beside if last else None, (large.lines / large.processor) / (small.lines / small.processor) if last else None,
                None, title, "cases", given,
            )
        )  # fmt: skip
        figures.append(
            Figure(
                f"peak memory of a replayed year, {title}", each.peak, "MiB", beside if last else None,
                large.peak / small.peak if last else None, "<= 1.3" if last else None, title, "cases", given,
            )
        )  # fmt: skip
    figures += [
        Figure(
            f"peak memory so far, {title}", large.peak_until(share), "MiB", series=title, x="percent of the run",
            parameters={"percent of the run": int(share * 100), "cases": large.cases},
        )
        for share in MARKS
    ]  # fmt: skip
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000, help="of the year; a tenth of it runs beside")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="leave the files there")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = max(options.cases // 10, 1), options.cases
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        figures = measure(options.keep, sizes, options.seed)
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(Path(folder), sizes, options.seed)
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
