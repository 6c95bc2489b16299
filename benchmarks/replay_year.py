"""A year of mixed cases judged by ``mingjing replay`` in one process: how fast, and how much memory.

    python -m benchmarks.replay_year [--cases 100000] [--seed 1] [--also scores,backtest] [--keep FOLDER] [--json FILE]

Draws the year (``benchmarks/mixed_year.py``), writes it as JSONL in order of arrival, and runs the command on it in a process of
its own, with the contract's rules alone and with every family of rules on; beside it, in the same run, a tenth and a hundredth of
the cases of as long a year. What grows with the cases is the peak of the command's memory less that of a run over the first few
cases, which only loads the program and its calendars; ten times the cases are to take no more than 1.3 times of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks.figure import Figure, Parameter, write_figures
from benchmarks.mixed_year import CENTRE, FAMILIES, draw_year

#: Seconds between two readings of the memory.
PACE = 0.1
#: Cases of the run that shows what the program takes by itself.
FEW = 20
MARKS = (0.1, 0.5, 1.0)


# ---- the run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: lines, seconds, and peak MiB, (seconds since its start, MiB) of each reading."""

    cases: int
    lines: int
    seconds: float
    processor: float
    peak: float
    memory: list[tuple[float, float]]

    @property
    def rate(self) -> float:
        return self.lines / self.seconds

    @property
    def lean(self) -> float:
        """Lines per processor second."""
        return self.lines / self.processor

    def peak_until(self, share: float) -> float:
        """Highest memory until that share of the run was over."""
        until = [mib for at, mib in self.memory if at <= share * self.seconds]
        return max(until, default=self.memory[0][1])


def run(folder: Path, cases: int, lines: int, command: Sequence[object]) -> Run:
    """Runs a command of ``mingjing`` to its end.

    Raises:
        RuntimeError: it did not end well.
    """
    with (folder / "output").open("wb") as output:
        began = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-m", "mingjing", *map(str, command)], stdout=output, stderr=output
        )
        memory: list[tuple[float, float]] = []
        try:
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                memory.append((time.perf_counter() - began, process.memory_info().rss / 2**20))
                time.sleep(PACE)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
    _, status, used = ended
    status = process.returncode = os.waitstatus_to_exitcode(status)
    # 3: a line was refused, as the end of a stage before its beginning; the rest was judged.
    if status not in (0, 3):
        raise RuntimeError(
            f"mingjing {command[0]} ended with {status}: {(folder / 'output').read_text('utf-8')}"
        )
    return Run(cases, lines, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10, memory)


def draw(folder: Path, sizes: Sequence[int], seed: int) -> dict[int, tuple[Path, int]]:
    """Cases → file, lines; the first of a few cases only."""
    years: dict[int, tuple[Path, int]] = {}
    for cases in (FEW, *sizes):
        events, lines = folder / f"year-{cases}.jsonl", 0
        with events.open("w", encoding="utf-8") as file:
            for line in draw_year(cases, seed):
                file.write(line + "\n")
                lines += 1
        years[cases] = events, lines
    return years


def measure(folder: Path, sizes: Sequence[int], seed: int, also: Sequence[str]) -> Iterator[Figure]:
    years = draw(folder, sizes, seed)
    proposal = folder / "proposal.yaml"
    proposal.write_text(yaml.safe_dump({"rules": {"time_limit": {"notice_before": 3}}}), "utf-8")
    out = folder / "findings.jsonl", folder / "rejected.jsonl"
    for title, sections in (("contract's rules", ()), ("every family on", FAMILIES)):
        centre = folder / "centre.yaml"
        centre.write_text(yaml.safe_dump(CENTRE | {"rules": {name: {} for name in sections}}), "utf-8")
        # None: the file of events.
        commands: dict[str, list[object]] = {
            "replayed": ["replay", centre, None, "--findings", out[0], "--rejected", out[1]],
            "scored": ["scores", centre, "--year", "2025", "--by", "window", "--events", None],
            "backtested": [
                "backtest", proposal, "--since", "2025-01-01", "--centre", centre, "--data", folder, "--events", None,
            ],
        }  # fmt: skip
        for word, (name, *options) in commands.items():
            if name == "replay" or name in also:
                base, *runs = (
                    run(folder, cases, lines, [name, *(events if each is None else each for each in options)])
                    for cases, (events, lines) in years.items()
                )
                yield from report(f"a year {word}", title, base, runs)


def report(what: str, title: str, base: Run, runs: Sequence[Run]) -> Iterator[Figure]:
    """``runs``: by their number of cases, the fewest first."""
    yield Figure(f"memory of a few cases: {what}, {title}", base.peak, "MiB", series=title)
    before: Run | None = None
    for each in runs:
        given: dict[str, Parameter] = {
            "cases": each.cases,
            "events": each.lines,
            "seconds": round(each.seconds, 1),
        }
        beside = None if before is None else f"{before.cases} cases"
        goal = each is runs[-1] and before is not None
        times = None if before is None else each.rate / before.rate
        yield Figure(
            f"{what}, {title}", each.rate, "events/s", beside, times, ">= 0.7" if goal else None, title, "cases", given
        )  # fmt: skip
        times = None if before is None else each.lean / before.lean
        yield Figure(
            f"per processor second: {what}, {title}", each.lean, "events/s", beside, times, None, title, "cases", given
        )  # fmt: skip
        yield Figure(
            f"peak memory: {what}, {title}", each.peak, "MiB", None, None, None, title, "cases", given
        )
        times = None if before is None else (each.peak - base.peak) / max(before.peak - base.peak, 1.0)
        yield Figure(
            f"peak memory above that of a few cases: {what}, {title}", each.peak - base.peak, "MiB", beside, times,
            "<= 1.3" if goal else None, title, "cases", given,
        )  # fmt: skip
        before = each
    for share in MARKS:
        yield Figure(
            f"peak memory so far: {what}, {title}", runs[-1].peak_until(share), "MiB", series=title, x="percent of the run",
            parameters={"percent of the run": int(share * 100), "cases": runs[-1].cases},
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000, help="of the year; fewer run beside it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--also", default="", help="scores, backtest: the same for these commands")
    parser.add_argument("--keep", type=Path, help="leave the files there")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = sorted({max(options.cases // part, 1) for part in (100, 10, 1)})
    also = [word.strip() for word in options.also.split(",") if word.strip()]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = []
        for figure in measure(folder, sizes, options.seed, also):
            print(figure, flush=True)
            figures.append(figure)
    if options.json is not None:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
