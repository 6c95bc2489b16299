"""The loop of pictures: whether its days have room, and which cameras are drawn without a citizens' side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from domain.centre import Camera
from domain.pictures import PictureSettings
from mingjing.doctor.report import Result, ok, warning
from mingjing.doctor.scene import Scene
from mingjing.picture_keeping import GIGABYTE

#: Bytes of a picture of a staff side (docs/pictures.md), seconds of a day in which they are kept, working days of a week.
PICTURE, OPEN, WORKING = 12_000, 8 * 3600, 5 / 7


def loop_bytes(cameras: list[Camera], days: int) -> float:
    """About how many bytes a loop of so many days takes."""
    each_second = 0.0
    for camera in cameras:
        settings = camera.evidence or PictureSettings()
        pictures = {"staff": len(camera.posts), "view": 3, "none": 0}[settings.keep]  # a view is larger
        each_second += pictures / settings.every
    return each_second * OPEN * PICTURE * days * WORKING


def room(scene: Scene) -> Iterator[Result]:
    """The days of the loop against its limit and the disk."""
    if scene.centres is None:
        return
    cameras = [camera for centre in scene.centres.values() for camera in centre.cameras]
    settings = scene.settings
    wanted = loop_bytes(cameras, settings.keep_pictures) / GIGABYTE
    if not wanted:
        return
    disk = shutil.disk_usage(_there(settings.pictures_folder)).total / GIGABYTE * 0.95
    most = min(settings.pictures_limit_gb or disk, disk)
    told = (
        f"循环图像 {settings.keep_pictures} 天约需 {wanted:.1f} GB，可用 {most:.1f} GB",
        f"{settings.keep_pictures} days of pictures take about {wanted:.1f} GB, there is room for {most:.1f} GB",
    )
    if wanted > most:
        yield warning(
            "pictures.room",
            *told,
            "更大的磁盘、MINGJING_PICTURES，或 cameras.*.evidence.every · docs/pictures.md",
        )
    else:
        yield ok("pictures.room", *told)


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


CHECKS = (room,)
