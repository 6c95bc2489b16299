"""How often each way of seeing is right, wrong or unknown, by clip and condition. ``python -m benchmarks.presence_table``

Runs the very code of ``mingjing watch`` on the recorded clips beside the checkout, as they are and degraded, and scores
its samples against the truth given with the clips, leaving out one second around every change. "false absent" is the error
that accuses somebody. A view that is covered, frozen or turned must become unknown; ten seconds are allowed for that.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camera_adapters.media import Decoded, Media
from detectors.presence.nets.net import PersonNet
from detectors.presence.picture import Image, Picture
from detectors.presence.watcher import PostWatcher
from mingjing.models import choose_net
from mingjing.posts_file import read_posts
from mingjing.watch import watch

AROUND = 1.0
BEGINS = 30.0
"""Second at which a fault of the camera begins."""
ALLOWED = 10.0
Change = Callable[[Image, np.random.Generator], Image]


@dataclass(frozen=True)
class Condition:
    """A degradation from ``begins`` on. ``spoils``: the view can no longer be judged and must become unknown."""

    change: Change | None
    begins: float = 0.0
    spoils: bool = False


def gain(factor: float, offset: float = 0) -> Change:
    return lambda im, _: np.clip(im * factor + offset, 0, 255).astype(np.uint8)


def noise(sigma: float) -> Change:
    return lambda im, rng: cv2.add(im, rng.normal(0, sigma, im.shape), dtype=cv2.CV_8U)


def shifted(right: float, down: float = 0) -> Change:
    def change(im: Image, _: np.random.Generator) -> Image:
        matrix = np.asarray([[1, 0, right], [0, 1, down]], dtype=np.float32)
        return cv2.warpAffine(im, matrix, im.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)

    return change


def shaken(pixels: float) -> Change:
    return lambda im, rng: shifted(*rng.uniform(-pixels, pixels, 2))(im, rng)


def jpeg(quality: int) -> Change:
    return lambda im, _: cv2.imdecode(cv2.imencode(".jpg", im, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def shadow(im: Image, _: np.random.Generator) -> Image:
    done = im.copy()
    done[:, im.shape[1] // 3 : 3 * im.shape[1] // 4] //= 2
    return done


def cloth(im: Image, rng: np.random.Generator) -> Image:
    x = np.arange(im.shape[1])[None, :, None]
    return noise(2)(np.broadcast_to(40 + 20 * np.sin(x / 250), im.shape).astype(np.uint8), rng)


CONDITIONS = {
    "as it is": Condition(lambda im, _: im),
    "dark x0.25": Condition(gain(0.25)),
    "bright x1.6": Condition(gain(1.6)),
    "washed out": Condition(gain(0.4, 100)),
    "noise 15": Condition(noise(15)),
    "noise 30": Condition(noise(30)),
    "jpeg 20": Condition(jpeg(20)),
    "jpeg 8": Condition(jpeg(8)),
    "blur 2": Condition(lambda im, _: cv2.GaussianBlur(im, (0, 0), 2)),
    "shaken 6 px": Condition(shaken(6)),
    "nudged 8 px": Condition(shifted(8), BEGINS),
    "light x0.4": Condition(gain(0.4), BEGINS),
    "hard shadow": Condition(shadow, BEGINS),
    "covered": Condition(cloth, BEGINS, spoils=True),
    "black": Condition(gain(0), BEGINS, spoils=True),
    "out of focus": Condition(lambda im, _: cv2.GaussianBlur(im, (0, 0), 6), BEGINS, spoils=True),
    "turned": Condition(shifted(110, 20), BEGINS, spoils=True),
    "frozen": Condition(None, BEGINS, spoils=True),
}


def degraded(pictures: Iterator[Decoded], condition: Condition) -> Iterator[Decoded]:
    rng = np.random.default_rng(0)
    held: Image | None = None
    for picture in pictures:
        if picture.t < condition.begins:
            yield picture
        elif condition.change is None:
            held = picture.image if held is None else held
            yield replace(picture, image=held)
        else:
            yield replace(picture, image=condition.change(picture.image, rng))


def score(samples: Iterator[Any], truth: dict[str, Any], condition: Condition) -> Counter[str]:
    """Counts right, wrong, unknown, false absent; for a spoiled view also what came too late."""
    posts = {post["name"]: post["present"] for post in truth["posts"]}
    counts: Counter[str] = Counter()
    for sample in samples:
        t, said, spans = sample.t, sample.state.state, posts[sample.post]
        edges = [edge for span in spans for edge in span if 0.05 < edge < truth["duration"] - 0.05]
        if any(abs(t - edge) <= AROUND for edge in edges):
            continue
        if condition.spoils and t >= condition.begins:
            if t < condition.begins + ALLOWED:
                continue
            kind = "unknown as due" if said == "unknown" else "wrong"
        else:
            there = any(begin <= t <= end for begin, end in spans)
            kind = said if said == "unknown" else "right" if (said == "present") == there else "wrong"
            counts["false absent"] += there and said == "absent"
        counts[kind] += 1
        if said == "unknown" and kind == "unknown":
            counts[f"({sample.state.reason})"] += 1
        counts["samples"] += 1
    return counts


def run(folder: Path, name: str, condition: Condition, net: PersonNet | None, empty: float) -> Counter[str]:
    truth = json.loads((folder / f"{name}.json").read_text())
    posts = read_posts(folder / f"{name}.json")

    def prepare(watcher: PostWatcher) -> None:
        """The method without weights is told that the first seconds are empty, as they look in this condition."""
        with closing(Media(str(folder / truth["clip"]), keyframes_only=False, live=False)) as first:
            early = condition if condition.begins == 0 else CONDITIONS["as it is"]
            for picture in degraded(first.pictures(), early):
                if picture.t > empty:
                    return
                if round(picture.t * 10) % 10 == 5:
                    for index in range(len(posts)):
                        watcher.learn_empty(Picture(picture.image, picture.t), index)

    with closing(Media(str(folder / truth["clip"]), keyframes_only=False, live=False)) as media:
        pictures = degraded(media.pictures(), condition)
        samples = watch(pictures, posts, net, prepare=prepare if empty and net is None else None)
        return score(samples, truth, condition)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    root = Path(__file__).resolve().parents[1]
    shared = Path(os.environ.get("MINGJING_SHARED") or root.parent / "shared")
    arguments.add_argument("--data", type=Path, default=shared / "data")
    arguments.add_argument("--clips", default="table,two-people,walk-and-pause")
    arguments.add_argument("--conditions", default=",".join(CONDITIONS))
    arguments.add_argument("--methods", default="detector,correlation")
    arguments.add_argument("--out", type=Path, default=Path("presence-table"), help="without ending")
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for method in options.methods.split(","):
        for clip in options.clips.split(","):
            for name in options.conditions.split(","):
                condition = CONDITIONS[name]
                if condition.begins and clip != "table":
                    continue  # the others are over before a fault could begin
                net = choose_net(method, [options.data / "models"]).net
                began = time.process_time()
                counts = run(
                    options.data / "footage", clip, condition, net, empty=5.0 if clip == "table" else 0.0
                )
                row = {"method": method, "clip": clip, "condition": name, **counts}
                rows.append(row | {"cpu_s": round(time.process_time() - began, 1)})
                print(json.dumps(rows[-1]), flush=True)
                write(options.out, rows)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.with_suffix(".json").write_text(json.dumps(rows, indent=1))
    lines = [
        "Right share: of the samples that were given an answer.",
        "",
        "| method | clip | condition | samples | right | wrong | false absent | unknown | unknown as due | right share |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        right, wrong = row.get("right", 0), row.get("wrong", 0)
        share = f"{100 * right / (right + wrong):.1f} %" if right + wrong else "–"
        cells = [
            row.get(key, 0)
            for key in ("samples", "right", "wrong", "false absent", "unknown", "unknown as due")
        ]
        lines.append(
            f"| {row['method']} | {row['clip']} | {row['condition']} | {' | '.join(map(str, cells))} | {share} |"
        )
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
