"""What a camera has learned, on disk: empty posts, the view they were drawn on, what calibration chose.

``<folder>/<centre>/<camera>/`` holds ``<post>-<n>.png`` (the staff polygon and nothing else, grey, at the size it is compared
at) with ``<post>-<n>.json`` (when, why and by whom), ``view.png`` with ``view.json`` (the relief of what never moves, public
sides left out) and ``limits.json``. Each file is replaced whole; what cannot be read is named in the log and left out.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np

from detectors.presence.health import View
from detectors.presence.picture import Image, Picture, Plane
from detectors.presence.posts import Post
from detectors.presence.references import Kept, Limits, Why
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera
from domain.clock import Clock

log = logging.getLogger(__name__)
_DEPTH = 30.0
"""Reliefs are kept in steps of 2 · _DEPTH / 254; what is steeper says no more."""


class CameraMemory:
    """The folder of one camera; the keeper of its watcher. Never raises for the disk's sake: seeing goes on without it.

    Args:
        folder: where all cameras are kept.
        posts: as drawn now; what was learned for another polygon is not used.
    """

    def __init__(self, folder: Path, centre: str, camera: str, posts: Sequence[Post], clock: Clock) -> None:
        self.folder = folder / safe_name(centre) / safe_name(camera)
        self._posts = {post.name: post for post in posts}
        self._clock = clock

    # -- empty posts -------------------------------------------------------------------------------------------------

    def load(self, post: str) -> list[Kept]:
        found = []
        for path in self._files(post):
            try:
                row = json.loads(path.read_text("utf-8"))
                if not _same(row["polygon"], self._posts[post]):
                    log.warning("%s: learned for another polygon, not used", path)
                    continue
                if row["why"] not in get_args(Why):
                    raise ValueError(f"unknown reason {row['why']!r}")
                found.append(
                    Kept(_read(path.with_suffix(".png")).astype(np.float32), row["why"], row["by"], row["at"])
                )
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s: cannot be used (%s)", path, error)
        return found

    def save(self, post: str, references: Sequence[Kept]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # What the centre file shows is read from there at each start: it may have been taken out.
            own = [kept for kept in references if kept.by != CENTRE_FILE]
            for number, kept in enumerate(own, start=1):
                path = self.folder / f"{safe_name(post)}-{number}.json"
                row = {
                    "post": post,
                    "why": kept.why,
                    "by": kept.by,
                    "at": kept.at or self._clock.now().isoformat(timespec="seconds"),
                    "polygon": [list(corner) for corner in self._posts[post].polygon],
                }
                _write(path.with_suffix(".png"), _png(kept.grey))
                _write(path, json.dumps(row, ensure_ascii=False, indent=1).encode())
            for path in self._files(post)[len(own) :]:
                path.unlink(missing_ok=True)
                path.with_suffix(".png").unlink(missing_ok=True)
        except OSError as error:
            log.error("%s: what was learned cannot be kept (%s)", self.folder, error)

    # -- the view ----------------------------------------------------------------------------------------------------

    def load_view(self) -> View | None:
        path = self.folder / "view.json"
        try:
            row = json.loads(path.read_text("utf-8"))
            drawn = {name: post.polygon for name, post in self._posts.items()}
            if {name: [tuple(c) for c in area] for name, area in row["posts"].items()} != {
                name: [tuple(c) for c in area] for name, area in drawn.items()
            }:
                log.warning("%s: kept for other polygons, not used", path)
                return None
            plane = _read(path.with_suffix(".png"))
            return View(
                (plane.astype(np.float32) - 128) * (_DEPTH / 127) * (plane > 0),
                plane > 0,
                float(row["sharpness"]),
                float(row["texture"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: cannot be used (%s)", path, error)
            return None

    def save_view(self, view: View) -> None:
        steps = np.clip(np.round(view.relief * (127 / _DEPTH)), -127, 127) + 128
        row = {
            "at": self._clock.now().isoformat(timespec="seconds"),
            "sharpness": view.sharpness,
            "texture": view.texture,
            "posts": {name: [list(c) for c in post.polygon] for name, post in self._posts.items()},
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(self.folder / "view.png", _png(np.where(view.known, steps, 0)))
            _write(self.folder / "view.json", json.dumps(row, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            log.error("%s: the view cannot be kept (%s)", self.folder, error)

    # -- what calibration chose --------------------------------------------------------------------------------------

    def limits(self, post: str) -> Limits | None:
        path = self.folder / "limits.json"
        try:
            row = json.loads(path.read_text("utf-8")).get(post)
            return None if row is None else Limits(float(row["enter"]), float(row["leave"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: cannot be used (%s)", path, error)
            return None

    def save_limits(self, limits: Mapping[str, Limits]) -> None:
        """
        Raises:
            OSError: the folder cannot be written.
        """
        row = {name: {"enter": each.enter, "leave": each.leave} for name, each in limits.items()}
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self.folder / "limits.json", json.dumps(row, ensure_ascii=False, indent=1).encode())

    def _files(self, post: str) -> list[Path]:
        """The descriptions of a post's references, in their order."""
        name = safe_name(post)
        found = [
            (int(number), path)
            for path in self.folder.glob("*.json")
            for stem, _, number in [path.stem.rpartition("-")]
            if stem == name and number.isdecimal()
        ]
        return [path for _, path in sorted(found)]


def empty_pictures(paths: Sequence[str], base: Path | None = None) -> list[Picture]:
    """The operator's pictures of an empty post; one that cannot be read is named in the log and left out."""
    pictures = []
    for name in paths:
        path = (base or Path()) / Path(name).expanduser()
        try:
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError("it is no picture")
            pictures.append(Picture(np.asarray(image, np.uint8), 0.0))
        except (OSError, ValueError, cv2.error) as error:
            log.warning("empty picture %s: cannot be used (%s)", path, error)
    return pictures


CENTRE_FILE = "centre file"


def show_operator_pictures(camera: Camera, watcher: PostWatcher, base: Path | None = None) -> None:
    """Hands the watcher the pictures that the centre file names as showing a post empty; paths count from ``base``."""
    for index, post in enumerate(camera.posts):
        for picture in empty_pictures(post.empty, base):
            watcher.learn_empty(picture, index, by=CENTRE_FILE)


def safe_name(name: str) -> str:
    """A name for a file: letters of any script, digits, ``-`` and ``_`` stay; what had to be changed is told apart."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]
    return plain if plain == name else f"{plain}.{sha256(name.encode()).hexdigest()[:8]}"


def _same(polygon: Any, post: Post) -> bool:
    return [tuple(corner) for corner in polygon] == [tuple(corner) for corner in post.polygon]


def _read(path: Path) -> Image:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path.name} is no picture")
    return np.asarray(image, np.uint8)


def _png(plane: Plane) -> bytes:
    return bytes(cv2.imencode(".png", np.clip(np.round(plane), 0, 255).astype(np.uint8))[1])


def _write(path: Path, blob: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(blob)
    part.replace(path)
