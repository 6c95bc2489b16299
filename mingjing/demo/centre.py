"""The demo's centre file: the one that comes with the program, with as many windows and such cameras as asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from camera_adapters.counter_scene import post_polygons, public_polygons
from domain.errors import SettingsError

TEMPLATE = Path(__file__).with_name("centre.yaml")
#: Windows that one simulated camera looks at.
POSTS_TO_A_CAMERA = 2
#: What a simulated camera's seeing takes in real seconds, whatever the speed of the clock: between two looks, the span
#: over which looks are weighed, the age at which a picture says nothing, the silence that counts as one. The last is
#: below the first threshold of absence even at 60-fold speed: a process that starts again must not make a finding.
LOOK, WEIGHED, FRESH, SILENT = 0.6, 3.0, 8.0, 8.0


def make_centre(windows: int, cameras: Sequence[str], secrets: Path, speed: float = 60.0) -> dict[str, Any]:
    """The demo's centre as the content of a centre file.

    Args:
        windows: how many; beyond those of the template they repeat its kinds of desk.
        cameras: ``WINDOW=ADDRESS`` or ``WINDOW=FILE``: real sources in place of simulated ones.
        secrets: folder for passwords found in addresses; a centre file holds none.
        speed: of the demo's clock, whose seconds all times of a centre file are.

    Raises:
        SettingsError: a ``--camera`` that cannot be used.
    """
    centre: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text("utf-8"))
    kinds = centre["windows"]
    centre["windows"] = [_window(kinds[number % len(kinds)], number) for number in range(windows)]
    real = dict(_real_camera(text, centre["windows"], secrets) for text in cameras)
    simulated = []
    for number, at in enumerate(range(0, windows, POSTS_TO_A_CAMERA)):
        group = [
            window for window in centre["windows"][at : at + POSTS_TO_A_CAMERA] if window["id"] not in real
        ]
        if group:
            simulated.append(_simulated_camera(number, group, LOOK * speed))
    centre["cameras"] = simulated + list(real.values())
    if not real:
        # A real camera lives in real seconds; with one among them the defaults stand.
        centre["presence"] = {"window": max(WEIGHED * speed, 10.0), "fresh": FRESH * speed}
    centre["rules"]["sources"]["camera_silent"] = max(SILENT * speed / 60, 1.0)
    return centre


def write_centre(path: Path, centre: dict[str, Any]) -> None:
    """Writes the file whole or not at all: processes that are just starting read it."""
    text = "# Made by `mingjing demo` at every start; people and figures are invented (虚构，仅供演示).\n"
    fresh = path.with_suffix(".new")
    fresh.write_text(text + yaml.safe_dump(centre, allow_unicode=True, sort_keys=False, width=110), "utf-8")
    os.replace(fresh, path)


def _window(kind: dict[str, Any], number: int) -> dict[str, Any]:
    name = kind["name"].split(" ", 1)[1]
    return {**kind, "id": f"A{number + 1:02d}", "name": f"{number + 1}号窗口 {name}"}


def _real_camera(text: str, windows: Sequence[dict[str, Any]], secrets: Path) -> tuple[str, dict[str, Any]]:
    """``A03=rtsp://user:password@host/path`` or ``A03=clip.mp4`` as window and camera; its post is the whole picture."""
    window, mark, address = text.partition("=")
    if not mark or window not in {known["id"] for known in windows}:
        raise SettingsError(
            f"--camera {window}=…: expected WINDOW=ADDRESS or WINDOW=FILE with a window of the demo"
        )
    camera: dict[str, Any] = {"id": f"real-{window}"}
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        file = Path(parts.path).expanduser().resolve()
        if not file.is_file():
            raise SettingsError(f"--camera {window}: there is no file {file}")
        address = str(file)
    elif parts.password is not None:
        # A centre file holds no secrets.
        kept = secrets / f"camera-{window}"
        kept.touch(mode=0o600)
        kept.write_text(unquote(parts.password), "utf-8")
        host = parts.netloc.rpartition("@")[2]
        address = urlunsplit(parts._replace(netloc=host))
        camera |= {"user": unquote(parts.username or ""), "password_file": str(kept)}
    whole = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    return window, {
        **camera,
        "url": address,
        "every": 1.0,
        "posts": [{"name": window, "window": window, "polygon": whole}],
    }


def _simulated_camera(number: int, group: Sequence[dict[str, Any]], every: float) -> dict[str, Any]:
    """A drawn counter with a post for each window of the group."""
    count = len(group)
    posts = [
        {
            "name": window["id"],
            "window": window["id"],
            "polygon": [[round(x, 4), round(y, 4)] for x, y in polygon],
            "public": [[round(x, 4), round(y, 4)] for x, y in public],
        }
        for window, polygon, public in zip(group, post_polygons(count), public_polygons(count), strict=True)
    ]
    return {"id": f"C{number + 1:02d}", "url": "sim://counter", "every": every, "posts": posts}
