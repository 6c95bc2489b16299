"""All figures in one run: a JSON file and a page with plots.

    python -m benchmarks [PART …] [--out FOLDER] [--quick] [--no-tenfold]

Each part is a benchmark of its own (``python -m benchmarks.PART --help``) and runs again with ten times the load. A part that
fails is named at the end, and the others are still written. ``--quick`` takes a tenth of every load: to see that all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figure import Figure, read_figures
from benchmarks.page import render

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark with its load. ``scaled``: options whose number grows with the load; ``once``: no tenfold run."""

    name: str
    module: str
    title: str
    scaled: tuple[tuple[str, int], ...] = ()
    fixed: tuple[str, ...] = ()
    once: bool = False

    def command(self, times: float) -> list[str]:
        options = [word for name, number in self.scaled for word in (name, str(max(1, int(number * times))))]
        return ["-m", f"benchmarks.{self.module}", *self.fixed, *options]


PARTS = (
    Part("local", "whole_way", "Door to finding on the local log, beside a bare Faust agent",
         (("--events", 10_000),), ("--broker", "local")),
    Part("kafka", "whole_way", "Door to finding on Kafka, beside a bare Faust agent on the same broker",
         (("--events", 10_000),), ("--broker", "kafka")),
    Part("steps", "door_to_finding", "Each step beside the bare agent, per processor second", (("--events", 5_000),)),
    Part("ingest", "ingest_copy", "Ingest beside raw binary COPY into the same table", (("--events", 20_000),)),
    Part("tick", "rule_tick", "Rule tick and restart with open cases", once=True),
    Part("year", "year_of_history", "A year of history: queries and size", (("--windows", 1),)),
    Part("replay", "replay_year", "A year of mixed cases replayed in one process: rate and memory",
         (("--cases", 100_000),), once=True),
    Part("province", "province_cost", "A province: a round of the rules and the wall of all centres", once=True),
    Part("presence", "presence_table", "Presence: how often each way of seeing is right", once=True),
    Part("cameras", "camera_cost", "A camera's whole path beside decoding its pictures and nothing else",
         (("--cameras", 4),), ("--seconds", "20")),
    Part("decoding", "decode_cost", "Decoding keyframes beside decoding everything", once=True),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "part", nargs="*", choices=[[], *(part.name for part in PARTS)], help="default: every part"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="a tenth of every load, nothing tenfold")
    parser.add_argument("--no-tenfold", action="store_true")
    options = parser.parse_args()
    loads = [0.1] if options.quick else [1] if options.no_tenfold else [1, 10]
    shown: list[tuple[str, str, list[Figure]]] = []
    failed: list[str] = []
    for part in PARTS:
        if options.part and part.name not in options.part:
            continue
        figures: list[Figure] = []
        for times in loads[:1] if part.once else loads:
            print(f"== {part.title}{' · ten times the load' if times == 10 else ''}", flush=True)
            try:
                figures += run(part.command(times))
            except (subprocess.CalledProcessError, OSError, ValueError) as error:
                failed.append(f"{part.name} × {times:g}: {error}")
        shown.append((part.title, " ".join(["python", *part.command(loads[0])]), figures))
    options.out.mkdir(parents=True, exist_ok=True)
    facts = machine()
    rows = [
        {"title": title, "command": command, "figures": [asdict(f) for f in figures]}
        for title, command, figures in shown
    ]
    target = options.out / "figures.json"
    target.write_text(json.dumps({"machine": facts, "parts": rows}, ensure_ascii=False, indent=1), "utf-8")
    page = options.out / "figures.html"
    page.write_text(render(facts, shown), "utf-8")
    print(f"\n{target}\n{page}")
    for line in failed:
        print(f"FAILED {line}")
    sys.exit(bool(failed))


def run(command: list[str]) -> list[Figure]:
    """One benchmark in a process of its own; its figures."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figures.json"
        subprocess.run([sys.executable, *command, "--json", str(target)], check=True)
        return read_figures(target)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "took": f"{time.monotonic() - _BEGUN:.0f} s",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


_BEGUN = time.monotonic()

if __name__ == "__main__":
    main()
