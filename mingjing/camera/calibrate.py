"""``mingjing camera calibrate``: what the system sees and has learned of a camera's posts, and whether that is good enough."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from camera_adapters.addresses import masked, scheme_of
from camera_adapters.factory import is_simulated, look_period, open_source
from camera_adapters.media import Media
from camera_adapters.references import CameraMemory, empty_pictures
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.references import Kept
from domain.centre import Camera, Centre
from domain.centre import Post as DomainPost
from domain.clock import Clock
from domain.errors import MediaError, SettingsError
from mingjing.camera.calibration import CameraReport, Truth, calibrate
from mingjing.camera.calibration_page import render
from mingjing.camera.calibration_text import as_text
from mingjing.models import choose_net
from mingjing.posts_file import read_posts
from mingjing.settings import Settings

REFUSED = 4
"""Exit status when a post cannot be seen well enough."""
_LOOK_EVERY = 0.5
FOLDER = "calibration"


@dataclass(frozen=True)
class Subject:
    """What is calibrated: a camera of a centre, or a recording with its posts."""

    name: str
    camera: Camera
    posts: list[Post]
    truths: list[Truth]
    given: list[list[Picture]]
    fresh: float | None
    centre: Centre | None = None


def calibrate_command(
    camera: Annotated[
        str | None,
        typer.Argument(
            help="中心文件中的摄像机，或录像 · camera of the centre file, or a recording", show_default=False
        ),
    ] = None,
    posts: Annotated[
        Path | None, typer.Option("--posts", help="录像的岗位文件 · posts file of a recording (JSON)")
    ] = None,
    recording: Annotated[
        str | None,
        typer.Option("--recording", help="用该摄像机的录像代替实时画面 · a recording of the camera"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=2, max=86400, help="观察秒数 · seconds to look for")] = 60.0,
    empty: Annotated[
        list[str] | None,
        typer.Option("--empty", help="无人时段，秒，如 0-5 · seconds with nobody at any post, like 0-5"),
    ] = None,
    method: Annotated[str, typer.Option(help="auto, detector, correlation")] = "auto",
    centre: Annotated[
        Path | None,
        typer.Option("--centre", help="中心文件 · centre file (default: that of the data folder)"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="网页文件 · where to write the page")] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="采用：存为该摄像机的无人画面与阈值 · keep references and thresholds"),
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="在本机浏览器查看，直到 Ctrl-C · serve the pages on this machine")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8070,
    data: Annotated[
        Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
    ] = None,
) -> None:
    """校准：看得清哪些岗位，学到了什么 · What a camera sees and has learned, and how often it would be wrong."""
    from mingjing.clocks import make_clock
    from mingjing.settings import load_settings

    settings = load_settings(data=data, centre=centre)
    folder = settings.data / FOLDER
    if camera is None:
        if not serve:
            raise SettingsError("name a camera or a recording (or --serve to look at the pages made before)")
        from mingjing.camera.calibration_server import serve_pages

        serve_pages(folder, port)
        return
    clock = make_clock(settings)
    spans = tuple(_span(text) for text in empty or ())
    if posts is not None:
        subject = _recorded(camera, posts, spans)
        address: str | None = camera
        if accept:
            raise SettingsError(
                "--accept: name a camera of the centre file (with --recording FILE for a recording of it)"
            )
    else:
        subject = _of_centre(camera, settings, spans)
        address = recording
    wanted = method if subject.centre is None or method != "auto" else subject.centre.presence.method
    choice = choose_net("correlation" if is_simulated(subject.camera) and address is None else wanted)
    if choice.notice:
        typer.echo(f"mingjing: {choice.notice}", err=True)
    report = _look(subject, address, seconds, clock, choice.net)
    typer.echo(as_text(report))
    target = out or folder / f"{_file_name(subject)}.html"
    kept = _accept(subject, report, settings.data, clock) if accept else ()
    page = render(report, subject.camera, clock.now().astimezone(), kept)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Somebody at work is to be seen on it: for whoever calibrates, and nobody else of this machine.
        target.touch(mode=0o600)
        target.write_text(page, "utf-8")
    except OSError as error:
        raise SettingsError(f"{target}: cannot be written ({error.strerror})") from error
    typer.echo(f"{target}")
    if serve:
        from mingjing.camera.calibration_server import serve_pages

        serve_pages(target.parent, port)
    if not report.good:
        raise typer.Exit(REFUSED)


def _recorded(video: str, path: Path, spans: tuple[tuple[float, float], ...]) -> Subject:
    posts = read_posts(path)
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["posts"]
    truths = [
        Truth((*post.empty, *spans), _present(path, index, row.get("present")))
        for index, (post, row) in enumerate(zip(posts, rows, strict=True))
    ]
    drawn = [
        DomainPost.model_construct(name=post.name, window=post.name, polygon=list(post.polygon), public=None)
        for post in posts
    ]
    camera = Camera.model_construct(id="recording", url=video, posts=drawn, blackout=[], evidence=None)
    return Subject(
        masked(Path(video).name if scheme_of(video) == "file" else video), camera, posts, truths, [], None
    )


def _present(path: Path, index: int, value: Any) -> tuple[tuple[float, float], ...] | None:
    """The truth, where the posts file has it."""
    if value is None:
        return None
    try:
        return tuple((float(begin), float(end)) for begin, end in value)
    except (TypeError, ValueError):
        raise MediaError(f"{path}: posts[{index}].present: must be a list of pairs of numbers") from None


def _of_centre(name: str, settings: Settings, spans: tuple[tuple[float, float], ...]) -> Subject:
    from domain.centre_folder import load_centres

    file = settings.centre_file

    code, _, camera_id = name.rpartition("/")
    found = [
        (centre, camera)
        for key, centre in load_centres(file, kept=settings.kept_centres).items()
        for camera in centre.cameras
        if camera.id == camera_id and code in ("", key)
    ]
    if not found:
        raise SettingsError(f"{file}: there is no camera '{name}'; for a recording give its --posts, too")
    if len(found) > 1:
        raise SettingsError(f"{file}: several centres have a camera '{name}': name it as CENTRE/{name}")
    centre, camera = found[0]
    posts = [Post(post.name, tuple(post.polygon)) for post in camera.posts]
    given = [empty_pictures(post.empty, settings.data) for post in camera.posts]
    return Subject(name, camera, posts, [Truth(spans) for _ in posts], given, centre.presence.fresh, centre)


def _look(subject: Subject, address: str | None, seconds: float, clock: Clock, net: Any) -> CameraReport:
    gaps: list[float] = []
    given = subject.given
    if address is not None:
        pictures = _from_media(address, seconds)
    else:
        pictures = _from_camera(subject.camera, seconds, clock, gaps)
        if is_simulated(subject.camera):
            view = open_source(subject.camera, clock).empty_view()  # type: ignore[attr-defined]
            given = [[Picture(view, 0.0)] for _ in subject.posts]
    try:
        return calibrate(
            subject.name,
            subject.posts,
            pictures,
            truths=subject.truths,
            given=given,
            net=net,
            fresh=subject.fresh if address is None else None,
            interval=gaps,
            spacing=_LOOK_EVERY,
        )
    except ValueError as error:
        raise MediaError(f"{subject.name}: {error}") from error


def _from_media(address: str, seconds: float) -> Iterator[Picture]:
    live = scheme_of(address) != "file"
    with closing(Media(address, keyframes_only=live, live=live)) as media:
        for picture in media.pictures():
            t = picture.t - media.start
            if live and t > seconds:
                return
            yield Picture(picture.image, t, picture.keyframe)


def _from_camera(
    camera: Camera,
    seconds: float,
    clock: Clock,
    gaps: list[float],
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Picture]:
    """Live pictures, with the real seconds between them."""
    source = open_source(camera, clock)
    began = monotonic()
    times: list[float] = []
    pace = look_period(camera, clock)
    with closing(source):
        for frame in source.frames():
            times.append(monotonic())
            if len(times) > 1:
                gaps[:] = [later - earlier for earlier, later in pairwise(times)]
            # A drawn camera's time is the house's clock, and runs faster.
            t = len(times) * pace if is_simulated(camera) else times[-1] - began
            yield Picture(frame.image, t, frame.keyframe)
            if monotonic() - began >= seconds:
                return


def _accept(subject: Subject, report: CameraReport, data: Path, clock: Clock) -> tuple[str, ...]:
    """Keeps what was measured for the posts that are not refused; their names."""
    assert subject.centre is not None
    memory = CameraMemory(
        data / "references", subject.centre.centre.id, subject.camera.id, subject.posts, clock
    )
    if report.refused:
        typer.echo("未采用任何内容 · nothing was kept: the camera itself is refused", err=True)
        return ()
    by = getpass.getuser()
    good = [post for post in report.posts if not post.refused]
    for post in good:
        memory.save(post.name, [Kept(grey, "operator", by) for grey in post.references])
    try:
        memory.save_limits({post.name: post.limits for post in good})
    except OSError as error:
        raise SettingsError(f"{memory.folder}: cannot be written ({error.strerror})") from error
    if report.view is not None:
        hidden = [*subject.camera.blackout, *(p.public for p in subject.camera.posts if p.public)]
        memory.save_view(report.view.without(hidden))
    typer.echo(
        f"已采用 · kept: {', '.join(post.name for post in good) or '—'} → {memory.folder}\n"
        "重启 cameras 进程后生效 · in force once the process cameras is restarted"
    )
    return tuple(post.name for post in good)


def _span(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    try:
        span = float(begin), float(end)
    except ValueError:
        raise SettingsError(f"--empty: '{text}' is no span of seconds like 0-5") from None
    if not 0 <= span[0] < span[1]:
        raise SettingsError(f"--empty: '{text}' must be seconds that rise, like 0-5")
    return span


def _file_name(subject: Subject) -> str:
    from camera_adapters.references import safe_name

    code = f"{safe_name(subject.centre.centre.id)}-" if subject.centre else ""
    return f"{code}{safe_name(subject.camera.id if subject.centre else subject.name)}"
