"""How often each way of seeing is right, wrong or unknown, by clip and condition. ``python -m benchmarks.presence_table``

Runs the very code of ``mingjing watch`` on the recorded clips beside the checkout and on drawn ones, as they are and degraded, and
scores its samples against the truth, leaving out one second around every change. "false absent" is the error that accuses
somebody. A view that is covered, frozen or turned must become unknown; ten seconds are allowed for that.

Writes ``presence.md`` (the table) and ``presence.json`` (figures) into ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from benchmarks.figure import Figure, write_figures
from benchmarks.presence_conditions import CONDITIONS, QUICK, SOME, Condition, degraded
from benchmarks.presence_scenes import SCENES, pictures_of, truth_of
from camera_adapters.media import Decoded, Media
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.watcher import PostWatcher
from mingjing.models import choose_net
from mingjing.watch import LOOK_EVERY, Sample, watch

AROUND = 1.0
ALLOWED = 10.0
"""Seconds within which a fault of the camera must be noticed."""
EMPTY = 5.0
"""Seconds from the beginning for which the method without weights is told that nobody is there, where that is so."""
METHODS = ("detector", "correlation", "together")
"""together: the detector, which is asked as seldom as its cadence allows, and the comparison with posts known to be empty."""
RECORDED = ("table", "two-people", "walk-and-pause")
GOAL_RIGHT, GOAL_ABSENT = ">= 97", "<= 0"
KINDS = ("right", "false absent", "false present", "unknown", "unknown as due", "not noticed")


@dataclass(frozen=True)
class Job:
    method: str
    clip: str
    condition: str
    data: str
    until: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).resolve().parents[1]
    shared = Path(os.environ.get("MINGJING_SHARED") or root.parent / "shared")
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of footage/ and models/")
    parser.add_argument(
        "--clips", default=",".join((*RECORDED, *(name.replace(", ", "/") for name in SCENES)))
    )
    parser.add_argument("--conditions", default="", help="default: all; drawn clips take only the quick ones")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--until", type=float, default=float("inf"), help="seconds of each clip")
    parser.add_argument(
        "--quick", action="store_true", help="a few conditions and clips, to see that all runs"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--out", type=Path, default=root / "benchmarks" / "results" / "presence", help="without ending"
    )
    parser.add_argument("--json", type=Path, help="figures go there, too")
    options = parser.parse_args()
    clips = [name.replace("/", ", ") for name in options.clips.split(",")]
    if options.quick:
        clips = [name for name in clips if name in ("walk-and-pause", "drawn", "drawn, bag")]
    asked = options.conditions.replace(", ", "/").split(",") if options.conditions else []
    jobs = list(
        planned(
            options.methods.split(","),
            clips,
            [n.replace("/", ", ") for n in asked],
            options.data,
            options.until,
        )
    )
    began = time.monotonic()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max(1, options.jobs), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        rows = []
        for row in pool.map(run_job, jobs):
            rows.append(row)
            print(json.dumps(row, ensure_ascii=False), flush=True)
    options.out.with_suffix(".md").write_text(as_markdown(rows, time.monotonic() - began), "utf-8")
    write_figures(options.out.with_suffix(".json"), list(figures(rows)))
    if options.json:
        options.json.write_bytes(options.out.with_suffix(".json").read_bytes())


def planned(
    methods: Sequence[str], clips: Sequence[str], conditions: Sequence[str], data: Path, until: float
) -> Iterator[Job]:
    """What is to be run. A net finds nobody in a drawing; short clips are over before a fault begins."""
    for method in methods:
        for clip in clips:
            if clip in SCENES and method != "correlation":
                continue
            for name in conditions or conditions_of(method, clip):
                if not (CONDITIONS[name].begins and clip in RECORDED[1:]):
                    yield Job(method, clip, name, str(data), until)


def conditions_of(method: str, clip: str) -> Sequence[str]:
    if clip in SCENES:
        return QUICK
    if clip in RECORDED[1:] and method == "correlation":
        return QUICK[:1]  # nobody ever leaves: it has nothing to compare with, and says so
    return SOME if method == "together" else tuple(CONDITIONS)


def run_job(job: Job) -> dict[str, Any]:
    """One clip in one condition by one method: the counts."""
    began = time.process_time()
    counts = run(job)
    return {"method": job.method, "clip": job.clip, "condition": job.condition, **counts} | {
        "cpu_s": round(time.process_time() - began, 1)
    }


def run(job: Job) -> Counter[str]:
    folder, condition = Path(job.data), CONDITIONS[job.condition]
    if job.clip in SCENES:
        truth = truth_of(job.clip)
    else:
        truth = json.loads((folder / "footage" / f"{job.clip}.json").read_text("utf-8"))
    size = (truth["width"], truth["height"])
    posts = [
        Post(post["name"], tuple((x / size[0], y / size[1]) for x, y in post["polygon"]))
        for post in truth["posts"]
    ]
    net = choose_net("detector" if job.method == "together" else job.method, [folder / "models"]).net

    def pictures(until: float) -> Iterator[Decoded]:
        if job.clip in SCENES:
            yield from pictures_of(job.clip, until)
            return
        with closing(
            Media(str(folder / "footage" / truth["clip"]), keyframes_only=False, live=False)
        ) as media:
            yield from thinned(media.pictures(), until)

    def prepare(watcher: PostWatcher) -> None:
        """Who compares with empty posts is told that the first seconds are empty, as they look in this condition."""
        for picture in degraded(pictures(EMPTY), condition):
            if round(picture.t * 10) % 10 in (4, 5):
                for index in range(len(posts)):
                    watcher.learn_empty(Picture(picture.image, picture.t), index)

    known_empty = job.method != "detector" and all(
        begin > EMPTY for post in truth["posts"] for begin, _ in post["present"]
    )
    samples = watch(
        degraded(pictures(job.until), condition), posts, net, prepare=prepare if known_empty else None
    )
    return score(samples, truth, condition)


def thinned(pictures: Iterable[Decoded], until: float) -> Iterator[Decoded]:
    """Pictures that are looked at, and keyframes; the others would be degraded for nothing."""
    due = 0.0
    for picture in pictures:
        if picture.t > until:
            return
        if picture.t + 1e-6 >= due or picture.keyframe:
            due = picture.t + LOOK_EVERY / 2
            yield picture


def score(samples: Iterable[Sample], truth: dict[str, Any], condition: Condition) -> Counter[str]:
    """Counts of KINDS; for a spoilt view what must be unknown apart, and in brackets why what is unknown is so."""
    posts = {post["name"]: post for post in truth["posts"]}
    counts: Counter[str] = Counter()
    for sample in samples:
        post, t, said = posts[sample.post], sample.t, sample.state.state
        walks = [*post.get("passing", ()), *condition.passing]
        edges = [
            e for span in (*post["present"], *walks) for e in span if 0.05 < e < truth["duration"] - 0.05
        ]
        if any(abs(t - edge) <= AROUND for edge in edges) or any(b <= t <= e for b, e in walks):
            continue
        if condition.spoils and t >= condition.begins:
            if t < condition.begins + ALLOWED:
                continue
            kind = "unknown as due" if said == "unknown" else "not noticed"
        elif said == "unknown":
            kind = "unknown"
            counts[f"({sample.state.reason})"] += 1
        else:
            there = any(begin <= t <= end for begin, end in post["present"])
            kind = "right" if (said == "present") == there else f"false {said}"
        counts[kind] += 1
        counts["samples"] += 1
    return counts


def right_share(row: dict[str, Any]) -> float | None:
    """Percent of the samples that were given an answer; for a spoilt view an answer is wrong. None where there is none."""
    good = row.get("right", 0) + row.get("unknown as due", 0)
    bad = sum(row.get(kind, 0) for kind in ("false absent", "false present", "not noticed"))
    return None if good + bad == 0 else 100.0 * good / (good + bad)


def _missed(row: dict[str, Any]) -> bool:
    share = right_share(row)
    return bool(row.get("false absent", 0)) or (share is not None and share < 97)


def figures(rows: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    for row in rows:
        where = {"clip": row["clip"], "condition": row["condition"], "method": row["method"]}
        share = right_share(row)
        if share is not None:
            yield Figure(
                "presence, right",
                round(share, 2),
                "%",
                goal=GOAL_RIGHT,
                series=row["method"],
                parameters=where,
            )
        yield Figure(
            "presence, false absent", row.get("false absent", 0), "samples", goal=GOAL_ABSENT, series=row["method"],
            parameters=where,
        )  # fmt: skip
        unknown = 100.0 * row.get("unknown", 0) / max(1, row.get("samples", 0))
        yield Figure("presence, unknown", round(unknown, 2), "%", series=row["method"], parameters=where)


def as_markdown(rows: Sequence[dict[str, Any]], seconds: float) -> str:
    lines = [
        "# Presence: right, wrong, unknown",
        "",
        f"`python -m benchmarks.presence_table`, {seconds:.0f} s. Samples every 0.5 s, one second around every change left out.",
        "Right: percent of the samples that were given an answer; goal 97. False absent: goal 0.",
        "Unknown as due, not noticed: samples of a view that nobody can judge.",
        "",
        "| method | clip | condition | samples | right % | "
        + " | ".join(KINDS[1:])
        + " | mostly unknown because |",
        "|---|---|---|" + "---:|" * (1 + len(KINDS)) + "---|",
    ]
    for row in rows:
        share = right_share(row)
        reasons = {key: value for key, value in row.items() if key.startswith("(")}
        why = max(reasons, key=lambda key: reasons[key]).strip("()") if reasons else ""
        cells = [row.get("samples", 0), "–" if share is None else f"{share:.1f}"]
        cells += [row.get(kind, 0) for kind in KINDS[1:]]
        mark = " **missed**" if _missed(row) else ""
        lines.append(
            f"| {row['method']} | {row['clip']} | {row['condition']} | {' | '.join(map(str, cells))} | {why}{mark} |"
        )
    missed = sum(_missed(row) for row in rows)
    accused = sum(row.get("false absent", 0) for row in rows)
    lines += ["", f"{len(rows)} rows; {missed} missed a goal; {accused} false absent samples in all.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
