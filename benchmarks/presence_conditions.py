"""What is done to clips before they are looked at: light, noise, coding, shaking, shadows, passers-by, faults of the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from camera_adapters.media import Decoded
from detectors.presence.picture import Image

BEGINS: Final = 30.0
"""Second at which a change begins that does not last from the start."""
Change = Callable[[Image, np.random.Generator, float], Image]
"""From a picture, chance and the second it was taken to the spoilt picture."""
_SHEET = np.random.default_rng(7).normal(0, 1, (1200, 2000, 1)).astype(np.float32)


@dataclass(frozen=True)
class Condition:
    """A change of the pictures from ``begins`` on; None repeats the last one.

    ``spoils``: the view can no longer be judged and must become unknown. ``passing``: spans in which somebody walks
    through, and what is said does not count.
    """

    change: Change | None
    begins: float = 0.0
    spoils: bool = False
    passing: tuple[tuple[float, float], ...] = ()


def gain(factor: float, offset: float = 0) -> Change:
    table = np.clip(np.arange(256) * factor + offset, 0, 255).astype(np.uint8)
    return lambda im, rng, t: np.asarray(cv2.LUT(im, table), np.uint8)


def noise(sigma: float) -> Change:
    def change(im: Image, rng: np.random.Generator, t: float) -> Image:
        # A cut by chance from one sheet is as good as fresh noise and far cheaper.
        height, width = im.shape[:2]
        y, x = int(rng.integers(_SHEET.shape[0] - height)), int(rng.integers(_SHEET.shape[1] - width))
        grain = np.repeat(_SHEET[y : y + height, x : x + width] * sigma, 3, axis=2)
        return np.asarray(cv2.add(im, grain, dtype=cv2.CV_8U), np.uint8)

    return change


def shifted(right: float, down: float = 0) -> Change:
    def change(im: Image, rng: np.random.Generator, t: float) -> Image:
        matrix = np.asarray([[1, 0, right], [0, 1, down]], dtype=np.float32)
        size = (im.shape[1], im.shape[0])
        return np.asarray(cv2.warpAffine(im, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    return change


def shaken(pixels: float) -> Change:
    return lambda im, rng, t: shifted(*rng.uniform(-pixels, pixels, 2))(im, rng, t)


def jpeg(quality: int) -> Change:
    def change(im: Image, rng: np.random.Generator, t: float) -> Image:
        blob = cv2.imencode(".jpg", im, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(blob, cv2.IMREAD_COLOR), np.uint8)

    return change


def blur(sigma: float) -> Change:
    return lambda im, rng, t: np.asarray(cv2.GaussianBlur(im, (0, 0), sigma), np.uint8)


def drifting(im: Image, rng: np.random.Generator, t: float) -> Image:
    """Daylight that comes and goes: between 0.4 and 1.3 in half a minute."""
    return gain(0.85 + 0.45 * float(np.sin(t / 10)))(im, rng, t)


def shadow(im: Image, rng: np.random.Generator, t: float) -> Image:
    done = im.copy()
    done[:, im.shape[1] // 3 : 3 * im.shape[1] // 4] //= 2
    return done


def creeping_shadow(im: Image, rng: np.random.Generator, t: float) -> Image:
    """A slanting edge that crosses the view in the course of a minute."""
    height, width = im.shape[:2]
    edge = (t - BEGINS) / 40 * width + np.linspace(0, 0.2 * width, height)[:, None]
    dark = 1 / (1 + np.exp((np.arange(width)[None, :] - edge) / 3))
    return np.asarray((im * (1 - 0.6 * dark[..., None])), np.uint8)


def sun_patch(im: Image, rng: np.random.Generator, t: float) -> Image:
    """A bright patch of sunlight as wide as a sixth of the view, moving slowly."""
    height, width = im.shape[:2]
    x = (0.3 + 0.3 * (t - BEGINS) / 40) * width
    corners = np.asarray([(x, 0.1), (x + width / 6, 0.1), (x + width / 4, 0.9), (x + width / 12, 0.9)])
    corners[:, 1] *= height
    plane = np.zeros((height, width), np.float32)
    cv2.fillPoly(plane, [corners.astype(np.int32)], 1.0)
    return np.clip(im * (1 + 0.7 * cv2.GaussianBlur(plane, (0, 0), 2))[..., None], 0, 255).astype(np.uint8)


def glass(im: Image, rng: np.random.Generator, t: float) -> Image:
    """The reflection of people in a pane before the counter: faint, swaying, never gone for long."""
    height, width = im.shape[:2]
    pane = np.zeros_like(im)
    for number in range(3):
        x = int(width * ((0.2 + 0.3 * number + 0.05 * np.sin(t / 3 + number)) % 1))
        cv2.ellipse(pane, (x, int(0.55 * height)), (width // 18, height // 4), 0, 0, 360, (70, 66, 60), -1)
        cv2.circle(pane, (x, int(0.22 * height)), width // 40, (90, 100, 120), -1)
    return np.asarray(cv2.add(im, (cv2.GaussianBlur(pane, (0, 0), 3) * 0.3).astype(np.uint8)), np.uint8)


def cloth(im: Image, rng: np.random.Generator, t: float) -> Image:
    x = np.arange(im.shape[1])[None, :, None]
    return noise(2)(np.broadcast_to(40 + 20 * np.sin(x / 250), im.shape).astype(np.uint8), rng, t)


PASSES: Final = ((45.5, 47.5), (47.8, 49.6))
"""When the passer-by of the condition goes through; the posts of the clip with a table are empty then."""


def passer_by(im: Image, rng: np.random.Generator, t: float) -> Image:
    """Somebody crosses the whole view within two seconds."""
    height, width = im.shape[:2]
    done = im.copy()
    for begin, end in PASSES:
        if begin <= t <= end:
            x, y = int(width * (1.2 * (t - begin) / (end - begin) - 0.1)), int(0.35 * height)
            cv2.ellipse(done, (x, y + height // 3), (width // 16, height // 3), 0, 0, 360, (62, 54, 84), -1)
            cv2.circle(done, (x, y - height // 14), height // 12, (120, 150, 196), -1)
    return done


def then(*changes: Change) -> Change:
    def change(im: Image, rng: np.random.Generator, t: float) -> Image:
        for each in changes:
            im = each(im, rng, t)
        return im

    return change


CONDITIONS: Final = {
    "as it is": Condition(lambda im, rng, t: im),
    "dark x0.25": Condition(gain(0.25)),
    "bright x1.6": Condition(gain(1.6)),
    "washed out": Condition(gain(0.4, 100)),
    "light drifts": Condition(drifting),
    "noise 15": Condition(noise(15)),
    "noise 30": Condition(noise(30)),
    "jpeg 30": Condition(jpeg(30)),
    "jpeg 8": Condition(jpeg(8)),
    "blur 2": Condition(blur(2)),
    "shaken 6 px": Condition(shaken(6)),
    "glass": Condition(glass),
    "dark, noise 8": Condition(then(gain(0.25), noise(8))),
    "bright, jpeg 30, shaken": Condition(then(gain(1.6), jpeg(30), shaken(4))),
    "drift, noise 15, shaken": Condition(then(drifting, noise(15), shaken(4))),
    "nudged 8 px": Condition(shifted(8), BEGINS),
    "light x0.4": Condition(gain(0.4), BEGINS),
    "light x1.6": Condition(gain(1.6), BEGINS),
    "hard shadow": Condition(shadow, BEGINS),
    "creeping shadow": Condition(creeping_shadow, BEGINS),
    "sun patch": Condition(sun_patch, BEGINS),
    "passer-by": Condition(passer_by, BEGINS, passing=PASSES),
    "shadow, noise 15": Condition(then(shadow, noise(15)), BEGINS),
    "nudged, dark": Condition(then(shifted(8), gain(0.4)), BEGINS),
    "covered": Condition(cloth, BEGINS, spoils=True),
    "black": Condition(gain(0), BEGINS, spoils=True),
    "out of focus": Condition(blur(6), BEGINS, spoils=True),
    "turned": Condition(shifted(110, 20), BEGINS, spoils=True),
    "turned, dark": Condition(then(shifted(110, 20), gain(0.4)), BEGINS, spoils=True),
    "frozen": Condition(None, BEGINS, spoils=True),
}
QUICK: Final = ("as it is", "dark x0.25", "hard shadow", "covered")
SOME: Final = (
    *QUICK,
    "bright x1.6",
    "noise 15",
    "jpeg 30",
    "shaken 6 px",
    "creeping shadow",
    "passer-by",
    "turned",
    "frozen",
)


def degraded(pictures: Iterator[Decoded], condition: Condition) -> Iterator[Decoded]:
    """The pictures with the condition's change, always the same for the same pictures."""
    rng = np.random.default_rng(0)
    held: Image | None = None
    for picture in pictures:
        if picture.t < condition.begins:
            yield picture
        elif condition.change is None:
            held = picture.image if held is None else held
            yield replace(picture, image=held)
        else:
            yield replace(picture, image=condition.change(picture.image, rng, picture.t))
