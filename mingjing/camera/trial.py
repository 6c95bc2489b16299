"""``mingjing camera try``: looks through a camera of the centre file for some seconds and says what comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from camera_adapters.addresses import masked
from camera_adapters.factory import is_simulated, kind_of, open_source
from camera_adapters.trial import Trial, try_source
from domain.centre import Camera, Centre
from domain.clock import Clock
from domain.errors import MediaError, SettingsError
from domain.rules.blind import BlindSettings


def try_command(
    camera: Annotated[str, typer.Argument(help="中心文件中的摄像机 · camera of the centre file")],
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="观察秒数 · seconds to look for")] = 15.0,
    centre: Annotated[
        Path | None,
        typer.Option("--centre", help="中心文件 · centre file (default: that of the data folder)"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
) -> None:
    """试看：能否打开、画面间隔、时钟偏差 · Whether it opens, how often pictures come, what its clock shows."""
    from mingjing.settings import load_settings

    settings = load_settings(data=data, centre=centre)
    of, found = _find(camera, settings.centre_file, settings.kept_centres)
    if is_simulated(found):
        raise SettingsError(f"{camera}: is drawn, not filmed; there is nothing to try")
    typer.echo(f"{camera}: {kind_of(found)} {masked(found.url)}")
    trial = try_source(open_source(found, Clock(), zone=of.zone), seconds)
    for line in _lines(trial, found, of):
        typer.echo(line)
    if trial.failed is not None:
        raise MediaError(f"{camera}: {trial.failed.reason}: {trial.failed}")


def _find(name: str, file: Path, kept: Path) -> tuple[Centre, Camera]:
    from domain.centre_folder import load_centres

    code, _, camera_id = name.rpartition("/")
    found = [
        (centre, camera)
        for key, centre in load_centres(file, kept=kept).items()
        for camera in centre.cameras
        if camera.id == camera_id and code in ("", key)
    ]
    if not found:
        raise SettingsError(f"{file}: there is no camera '{name}'")
    if len(found) > 1:
        raise SettingsError(f"{file}: several centres have a camera '{name}': name it as CENTRE/{name}")
    return found[0]


def _lines(trial: Trial, camera: Camera, centre: Centre) -> Iterator[str]:
    """What came, and what is to be set otherwise."""
    if trial.first is None:
        yield "没有画面 no picture"
        return
    size = "×".join(map(str, trial.size or ()))
    yield f"{trial.pictures} 张画面 pictures {size}，首张 first after {trial.first:.1f} s，残缺 broken {trial.broken}"
    if trial.interval is not None:
        longest = trial.longest or trial.interval
        yield f"画面间隔 between pictures: {trial.interval:.2f} s (最长 longest {longest:.2f} s)"
        fresh = centre.presence.fresh
        if longest > fresh / 2:
            yield (
                f"  ! 间隔过长：有效期 {fresh:g} s；缩短关键帧间隔，关闭智能编码 · too long for pictures that are good for"
                f" {fresh:g} s: shorten the keyframe interval, switch smart coding off"
            )
    if trial.clock_offset is None:
        yield "时钟 clock: 未知 unknown"
    else:
        ahead = trial.clock_offset
        yield f"时钟 clock: {ahead:+.1f} s ({'快 ahead' if ahead > 0 else '慢 behind'})"
        limit = (centre.rules.blind or BlindSettings()).camera_clock
        if abs(ahead) >= limit:
            yield f"  ! 时钟不准（限 {limit:g} s）：请校时 (NTP) · its clock is wrong (limit {limit:g} s): set it, best by NTP"
