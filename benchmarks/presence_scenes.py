"""Drawn clips beside the recorded ones: what the recorded ones do not show, with the truth known exactly.

A net trained on people finds none in a drawing, so these are for the method that compares with empty posts. Each clip has three
posts: somebody who works, somebody who sits all but still, and one that stays empty and has things happening to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from camera_adapters.counter_scene import DESK_TOP, HEIGHT, WIDTH, CounterScene, Moment, post_polygons
from camera_adapters.media import Decoded
from detectors.presence.picture import Image

DURATION: Final = 75.0
EVERY: Final = 0.2
NAMES: Final = ("busy", "still", "empty")
PRESENT: Final = (((8.0, 30.0), (44.0, 62.0)), ((6.0, 40.0), (50.0, 75.0)), ())
"""When somebody is at each post, seconds."""
Paint = Callable[[Image, float], Image]


@dataclass(frozen=True)
class Scene:
    """A clip: ``before`` changes what stands behind the clerks, ``after`` the whole picture; ``bent`` turns the camera."""

    seed: int
    before: Paint | None = None
    after: Paint | None = None
    side: bool = False
    sigma: float = 0.0


def _centre(index: int) -> int:
    return round((index + 0.5) * WIDTH / 3)


def bag(canvas: Image, t: float) -> Image:
    """A bag is put on the chair of the empty post at 20 s and taken away at 60 s."""
    if 20 <= t < 60:
        x = _centre(2)
        cv2.rectangle(canvas, (x - 15, 164), (x + 13, 196), (30, 60, 120), -1)
        cv2.ellipse(canvas, (x - 1, 164), (9, 10), 0, 180, 360, (20, 40, 90), 3)
    return canvas


def chair(canvas: Image, t: float) -> Image:
    """Whoever left has turned the chair of the first post; that of the third is turned, too."""
    for index, since in ((0, 30.0), (2, 35.0)):
        if t >= since:
            x = _centre(index)
            patch = canvas[136:208, x - 28 : x + 28].copy()
            turned = cv2.resize(patch, (38, 72), interpolation=cv2.INTER_AREA)
            canvas[136:208, x - 28 : x + 28] = canvas[136:208, x - 30 : x - 29]
            canvas[136:208, x - 16 : x + 22] = turned
    return canvas


def walker(canvas: Image, t: float) -> Image:
    """Somebody walks behind the counter, from post to post, in three seconds, now and then."""
    begin = 22.0 if t < 40 else 67.0
    if begin <= t <= begin + 3:
        x = int(-40 + (t - begin) / 3 * (WIDTH + 80))
        cv2.ellipse(canvas, (x, 176), (30, 62), 0, 0, 360, (70, 60, 52), -1)
        cv2.circle(canvas, (x, 108), 15, (128, 158, 202), -1)
    return canvas


def pane(canvas: Image, t: float) -> Image:
    """A pane of glass over the desk in which people before the counter are reflected."""
    ghost = np.zeros_like(canvas)
    for number in range(3):
        x = _centre(number) + int(24 * np.sin(t / 4 + 2 * number))
        cv2.ellipse(ghost, (x, 190), (34, 60), 0, 0, 360, (76, 84, 70), -1)
        cv2.circle(ghost, (x, 118), 17, (100, 120, 150), -1)
    ghost[DESK_TOP:] = 0
    return np.asarray(cv2.add(canvas, (cv2.GaussianBlur(ghost, (0, 0), 3) * 0.25).astype(np.uint8)), np.uint8)


def sun(canvas: Image, t: float) -> Image:
    """A patch of sunlight wanders over the third post and the second."""
    x = 620 - 5.0 * t
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    corners = np.asarray([(x, 60), (x + 70, 60), (x + 110, 230), (x + 40, 230)])
    cv2.fillPoly(plane, [corners.astype(np.int32)], 1.0)
    lit = canvas * (1 + 0.35 * cv2.GaussianBlur(plane, (0, 0), 1.5))[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def dim(canvas: Image, t: float) -> Image:
    return np.asarray(cv2.convertScaleAbs(canvas, alpha=0.25), np.uint8)


SCENES: Final = {
    "drawn": Scene(3),
    "drawn, others": Scene(11),
    "drawn, bag": Scene(5, before=bag),
    "drawn, chair": Scene(6, before=chair),
    "drawn, walker": Scene(7, before=walker),
    "drawn, glass": Scene(8, after=pane),
    "drawn, sun": Scene(9, after=sun),
    "drawn, dim": Scene(10, after=dim, sigma=4.0),
    "drawn, side": Scene(12, side=True),
}
PASSES: Final = {"drawn, walker": ((22.0, 25.0), (67.0, 70.0))}
_BENT = np.asarray([[1.12, 0.22, -60], [0.02, 1.0, -4], [0.0004, 0.0005, 1.0]])
"""The view of a camera that hangs at the side."""


def truth_of(name: str) -> dict[str, Any]:
    """The clip's posts and truth, in the form of the files beside recorded clips; polygons in pixels."""
    scene = SCENES[name]
    posts = []
    for post, polygon, present in zip(NAMES, post_polygons(3), PRESENT, strict=True):
        corners = np.asarray(polygon) * (WIDTH, HEIGHT)
        if scene.side:
            corners = cv2.perspectiveTransform(corners[None].astype(np.float64), _BENT)[0]
        posts.append(
            {"name": post, "polygon": corners.round(1).tolist(), "present": [list(span) for span in present]}
            | {"passing": [list(span) for span in PASSES.get(name, ())]}
        )
    return {"clip": name, "width": WIDTH, "height": HEIGHT, "duration": DURATION, "posts": posts}


def pictures_of(name: str, until: float = DURATION) -> Iterator[Decoded]:
    """The clip's pictures, the same at every call."""
    scene = SCENES[name]
    drawn = _Counter(scene)
    grain = np.random.default_rng(scene.seed)
    for number in range(int(min(until, DURATION) / EVERY)):
        t = number * EVERY
        clerks = [any(begin <= t < end for begin, end in spans) for spans in PRESENT]
        image = drawn.render(t, Moment(clerks, (1, 1 if t > 30 else 0, 0)))
        if scene.after:
            image = scene.after(image, t)
        if scene.side:
            image = np.asarray(
                cv2.warpPerspective(image, _BENT, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8
            )
        if scene.sigma:
            noise = grain.normal(0, scene.sigma, image.shape[:2])[..., None].repeat(3, axis=2)
            image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
        yield Decoded(image, t, number % 5 == 0)


class _Counter(CounterScene):
    """The drawn counter, with things that stand behind the clerks, and a clerk at the second post who hardly stirs."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(("A01", "A02", "A03"), scene.seed)
        self._scene = scene
        self._bare = self._background

    def render(self, t: float, moment: Moment) -> Image:
        if self._scene.before:
            self._background = self._scene.before(self._bare.copy(), t)
            self._draw_desks(self._background)
        return super().render(t, moment)

    def _draw_clerk(self, canvas: Image, index: int, t: float) -> None:
        # Somebody who reads: a breath now and then, and the head a little.
        super()._draw_clerk(canvas, index, 12.0 + 0.6 * np.sin(t / 2) if index == 1 else t)
