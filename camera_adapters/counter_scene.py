"""Draws a service counter as a camera on the ceiling sees it: clerks behind the desk, citizens before it.

Everything is invented and drawn; no picture of a real person is used.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from detectors.presence.picture import Image

WIDTH, HEIGHT = 640, 360
DESK_TOP, DESK_FRONT = 214, 250
_NOISE = 4.0
"""Standard deviation of the sensor's noise in grey levels; without it a still scene would look frozen."""

_ROLL = 96

_UNIFORMS = ((120, 74, 38), (96, 62, 44), (70, 58, 52), (140, 96, 58))
_COATS = ((60, 72, 150), (70, 110, 72), (120, 110, 100), (52, 52, 60), (40, 120, 170), (150, 130, 70))
_SKINS = ((150, 180, 220), (140, 170, 212), (128, 158, 202))


@dataclass(frozen=True, slots=True)
class Moment:
    """What the scene shows: who is at each post, how many citizens stand before it, and the light (1 = normal)."""

    clerks: Sequence[bool]
    citizens: Sequence[int]
    light: float = 1.0


def post_polygons(posts: int) -> list[list[tuple[float, float]]]:
    """The staff side of each post, 0 … 1 of the picture: what an operator would draw around each chair."""
    step = 1.0 / posts
    half = min(0.36 * step, 0.085)
    top, bottom = 96 / HEIGHT, (DESK_TOP + 4) / HEIGHT
    return [
        [(x - half, top), (x + half, top), (x + half, bottom), (x - half, bottom)]
        for x in ((index + 0.5) * step for index in range(posts))
    ]


def public_polygons(posts: int) -> list[list[tuple[float, float]]]:
    """Where citizens stand before each post, 0 … 1 of the picture."""
    step = 1.0 / posts
    half = min(0.46 * step, 0.14)
    top = (DESK_TOP + 10) / HEIGHT
    return [
        [(x - half, top), (x + half, top), (x + half, 1.0), (x - half, 1.0)]
        for x in ((index + 0.5) * step for index in range(posts))
    ]


class CounterScene:
    """One camera's view of ``posts`` neighbouring posts.

    Args:
        labels: what the signs over the posts say (ASCII, like window numbers).
        seed: gives each camera its own people, colours and clutter.
    """

    def __init__(self, labels: Sequence[str], seed: int = 0) -> None:
        self.labels = tuple(labels)
        self._rng = random.Random(seed)  # noqa: S311 - a drawing, not a secret
        self._background = self._draw_background()
        count = len(self.labels)
        self._uniforms = [self._rng.choice(_UNIFORMS) for _ in range(count)]
        self._skins = [self._rng.choice(_SKINS) for _ in range(count)]
        self._phases = [self._rng.uniform(0, 2 * math.pi) for _ in range(count)]
        sheet = np.random.default_rng(seed).normal(0, _NOISE, (HEIGHT + _ROLL, WIDTH + _ROLL, 1))
        self._grain = np.repeat(sheet.round().astype(np.int16), 3, axis=2)

    @property
    def empty(self) -> Image:
        """The scene without anybody, without noise (height × width × 3, BGR)."""
        return self._background.copy()

    def render(self, t: float, moment: Moment) -> Image:
        """The scene at ``t`` seconds (height × width × 3, BGR, uint8)."""
        canvas = self._background.copy()
        for index, there in enumerate(moment.clerks):
            if there:
                self._draw_clerk(canvas, index, t)
        self._draw_desks(canvas)
        for index, number in enumerate(moment.citizens):
            for place in range(number):
                self._draw_citizen(canvas, index, place, t)
        return self._through_the_lens(canvas, moment.light)

    def covered(self, t: float) -> Image:
        """What the camera sees with a cloth over the lens: dim, without structure."""
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        fold = 46 + 6 * np.sin(x / 260 + 0.2 * math.sin(t / 40)) + 4 * np.sin(y / 190)
        canvas = np.dstack([fold * 0.82, fold * 0.9, fold]).astype(np.uint8)
        return self._through_the_lens(canvas, 1.0)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _through_the_lens(self, canvas: Image, light: float) -> Image:
        # A cut from one larger sheet of grain, by chance, is as good as fresh noise and far cheaper.
        y, x = self._rng.randrange(_ROLL), self._rng.randrange(_ROLL)
        lit = canvas if light == 1.0 else cv2.convertScaleAbs(canvas, alpha=light)
        noisy = cv2.add(lit, self._grain[y : y + HEIGHT, x : x + WIDTH], dtype=cv2.CV_8U)
        return np.asarray(noisy, dtype=np.uint8)

    def _centre(self, index: int) -> int:
        return round((index + 0.5) * WIDTH / len(self.labels))

    def _draw_background(self) -> Image:
        canvas = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
        shade = np.linspace(232, 206, HEIGHT)[:, None]
        canvas[:] = np.stack([shade * 0.96, shade * 0.985, shade], axis=-1)
        for x in range(0, WIDTH, 80):  # wall panels
            cv2.line(canvas, (x, 0), (x, DESK_TOP), (196, 202, 206), 1, cv2.LINE_AA)
        cv2.rectangle(canvas, (0, 0), (WIDTH, 26), (156, 104, 40), -1)
        for x in range(24, WIDTH, 118):  # lamps
            cv2.rectangle(canvas, (x, 34), (x + 64, 40), (250, 252, 252), -1)
        step = WIDTH // len(self.labels)
        for index, label in enumerate(self.labels):
            x = self._centre(index)
            cv2.rectangle(canvas, (x - 46, 50), (x + 46, 84), (120, 72, 24), -1)
            size = cv2.getTextSize(label, cv2.FONT_HERSHEY_DUPLEX, 0.8, 1)[0]
            place = (x - size[0] // 2, 75)
            cv2.putText(canvas, label, place, cv2.FONT_HERSHEY_DUPLEX, 0.8, (245, 245, 245), 1, cv2.LINE_AA)
            self._draw_shelf(canvas, x - step // 2 + 12)
            self._draw_chair(canvas, x)
        cv2.rectangle(canvas, (0, DESK_FRONT), (WIDTH, HEIGHT), (176, 182, 186), -1)
        for x in range(-200, WIDTH + 200, 56):  # floor tiles
            cv2.line(
                canvas, (x, DESK_FRONT + 40), (2 * x - WIDTH // 2, HEIGHT), (162, 168, 172), 1, cv2.LINE_AA
            )
        for y in (DESK_FRONT + 56, DESK_FRONT + 80):
            cv2.line(canvas, (0, y), (WIDTH, y), (162, 168, 172), 1, cv2.LINE_AA)
        self._draw_desks(canvas)
        return canvas

    def _draw_shelf(self, canvas: Image, x: int) -> None:
        cv2.rectangle(canvas, (x, 108), (x + 44, 208), (150, 158, 164), -1)
        for row in range(4):
            left = x + 3
            while left < x + 38:
                width = self._rng.randint(3, 7)
                colour = self._rng.choice(((84, 92, 160), (150, 110, 70), (96, 140, 96), (210, 214, 216)))
                cv2.rectangle(canvas, (left, 112 + 24 * row), (left + width, 130 + 24 * row), colour, -1)
                left += width + 1

    def _draw_chair(self, canvas: Image, x: int) -> None:
        cv2.rectangle(canvas, (x - 26, 138), (x + 26, 206), (52, 48, 44), -1)
        cv2.rectangle(canvas, (x - 20, 144), (x + 20, 190), (74, 68, 62), -1)
        for y in range(150, 190, 8):
            cv2.line(canvas, (x - 20, y), (x + 20, y), (60, 55, 50), 1, cv2.LINE_AA)

    def _draw_desks(self, canvas: Image) -> None:
        cv2.rectangle(canvas, (0, DESK_TOP), (WIDTH, DESK_FRONT), (196, 208, 216), -1)
        cv2.rectangle(canvas, (0, DESK_FRONT), (WIDTH, DESK_FRONT + 40), (134, 104, 66), -1)
        cv2.line(canvas, (0, DESK_TOP), (WIDTH, DESK_TOP), (150, 160, 168), 2, cv2.LINE_AA)
        cv2.line(canvas, (0, DESK_FRONT), (WIDTH, DESK_FRONT), (110, 84, 50), 2, cv2.LINE_AA)
        step = WIDTH // len(self.labels)
        for index in range(len(self.labels)):
            x = self._centre(index)
            cv2.rectangle(canvas, (x + 46, 186), (x + 92, 222), (38, 36, 34), -1)  # screen
            cv2.rectangle(canvas, (x + 50, 190), (x + 88, 217), (150, 118, 84), -1)
            cv2.rectangle(canvas, (x + 64, 222), (x + 74, 232), (60, 58, 56), -1)
            cv2.rectangle(canvas, (x - 80, 224), (x - 44, 238), (236, 238, 238), -1)  # paper
            cv2.rectangle(canvas, (x - 24, 226), (x + 20, 236), (86, 84, 82), -1)  # keyboard
            edge = x - step // 2
            cv2.line(canvas, (edge, 96), (edge, DESK_FRONT + 40), (170, 176, 180), 3, cv2.LINE_AA)

    def _draw_clerk(self, canvas: Image, index: int, t: float) -> None:
        phase = self._phases[index]
        lean = round(5 * math.sin(t / 47 + phase) + 3 * math.sin(t / 13 + 2 * phase))
        breath = round(1.5 * math.sin(t * 1.3 + phase))
        x, y = self._centre(index) + lean, 124 + breath
        coat, skin = self._uniforms[index], self._skins[index]
        dark = (coat[0] * 7 // 10, coat[1] * 7 // 10, coat[2] * 7 // 10)
        body = np.asarray(
            [
                (x - 20, y + 26),
                (x + 20, y + 26),
                (x + 44, y + 44),
                (x + 50, 226),
                (x - 50, 226),
                (x - 44, y + 44),
            ],
            dtype=np.int32,
        )
        cv2.fillPoly(canvas, [body], coat, cv2.LINE_AA)
        collar = np.asarray([(x - 11, y + 24), (x + 11, y + 24), (x, y + 50)], dtype=np.int32)
        cv2.fillPoly(canvas, [collar], (238, 240, 242), cv2.LINE_AA)
        cv2.line(canvas, (x, y + 34), (x, y + 62), (44, 44, 160), 3, cv2.LINE_AA)  # tie
        cv2.rectangle(canvas, (x + 18, y + 52), (x + 32, y + 60), (230, 232, 236), -1)  # badge
        reach = round(4 * math.sin(t * 2.1 + phase))
        for side in (-1, 1):
            hand = (x + side * 22 + (reach if side > 0 else -reach), 210)
            cv2.line(canvas, (x + side * 42, y + 52), hand, dark, 15, cv2.LINE_AA)
            cv2.circle(canvas, hand, 8, skin, -1, cv2.LINE_AA)
        cv2.rectangle(canvas, (x - 8, y + 14), (x + 8, y + 28), skin, -1)
        cv2.ellipse(canvas, (x, y), (18, 23), 0, 0, 360, skin, -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y - 8), (20, 17), 0, 180, 360, (34, 32, 30), -1, cv2.LINE_AA)
        if index % 2:
            cv2.ellipse(canvas, (x, y - 2), (21, 26), 0, 150, 390, (34, 32, 30), 5, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(canvas, (x + side * 7, y + 1), 2, (50, 46, 44), -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y + 11), (5, 2), 0, 0, 180, (90, 90, 170), 1, cv2.LINE_AA)

    def _draw_citizen(self, canvas: Image, index: int, place: int, t: float) -> None:
        """From behind, on the public side: never inside the staff polygon."""
        phase = self._phases[index] + 1.7 * place
        sway = round(3 * math.sin(t / 9 + phase))
        x = self._centre(index) + (place - 0.3) * 54 + 10 * math.sin(phase) + sway
        x, y = round(x), 250 + 14 * place
        coat = _COATS[(index * 2 + place + len(self.labels)) % len(_COATS)]
        body = np.asarray(
            [
                (x - 16, y + 22),
                (x + 16, y + 22),
                (x + 38, y + 44),
                (x + 42, HEIGHT),
                (x - 42, HEIGHT),
                (x - 38, y + 44),
            ],
            dtype=np.int32,
        )
        cv2.fillPoly(canvas, [body], coat, cv2.LINE_AA)
        cv2.rectangle(canvas, (x - 7, y + 14), (x + 7, y + 26), (130, 160, 204), -1)
        cv2.ellipse(canvas, (x, y), (18, 22), 0, 0, 360, (38, 36, 34), -1, cv2.LINE_AA)
