"""Pictures for tests: textured scenes without people, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from camera_adapters.media import Media
from detectors.presence.picture import Image, Picture
from detectors.presence.posts import Post

POST = Post("desk", ((0.35, 0.25), (0.65, 0.25), (0.65, 0.75), (0.35, 0.75)))


def room(seed: int = 1, width: int = 640, height: int = 360) -> Image:
    """A view full of structure, the same for the same seed."""
    rng = np.random.default_rng(seed)
    canvas = np.full((height, width, 3), 150, np.uint8)
    for _ in range(90):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = (int(rng.integers(12, 80)), int(rng.integers(12, 60)))
        colour = [int(v) for v in rng.integers(30, 230, 3)]
        cv2.rectangle(canvas, (x, y), (x + size[0], y + size[1]), colour, -1)
    return canvas


def with_somebody(image: Image, at: float = 0.5, step: int = 0) -> Image:
    """The same view with something big at a place of the width; ``step`` moves it a little."""
    canvas = image.copy()
    x, height = round(at * image.shape[1]) + step % 5, image.shape[0]
    cv2.ellipse(canvas, (x, round(0.62 * height)), (70, 110), 0, 0, 360, (60, 40, 90), -1)
    cv2.circle(canvas, (x, round(0.3 * height) + step % 3), 34, (140, 170, 215), -1)
    for row in range(5):
        cv2.line(canvas, (x - 50, 200 + 20 * row), (x + 50, 190 + 20 * row + step % 7), (200, 60, 60), 4)
    return canvas


_SHEET = np.random.default_rng(9).normal(0, 1, (480, 780, 3)).astype(np.float32)


def noisy(image: Image, seed: int, sigma: float = 3.0) -> Image:
    """With a sensor's noise; every seed gives another cut of one sheet of it."""
    y, x = (seed * 37) % (480 - image.shape[0] + 1), (seed * 53) % (780 - image.shape[1] + 1)
    grain = _SHEET[y : y + image.shape[0], x : x + image.shape[1]]
    return cv2.add(image, grain * sigma, dtype=cv2.CV_8U)


def gain(image: Image, factor: float) -> Image:
    return np.clip(image.astype(np.float32) * factor, 0, 255).astype(np.uint8)


def moved(image: Image, right: int, down: int = 0) -> Image:
    matrix = np.asarray([[1, 0, right], [0, 1, down]], dtype=np.float32)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def jpeg(image: Image, quality: int) -> Image:
    done, blob = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(blob, cv2.IMREAD_COLOR)


def clip(path: Path, every: float = 0.2, end: float = float("inf")) -> Iterator[Picture]:
    """Pictures of a recording at least ``every`` seconds apart."""
    due = 0.0
    with closing(Media(str(path), keyframes_only=False, live=False)) as media:
        for picture in media.pictures():
            t = picture.t
            if t > end:
                return
            if t + 1e-6 >= due:
                due = t + every - 1e-6
                yield Picture(picture.image, t, picture.keyframe)
