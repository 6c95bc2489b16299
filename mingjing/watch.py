"""``mingjing watch``: presence at each post of one recording or camera (contract, section 5)."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from camera_adapters.addresses import masked
from camera_adapters.media import Decoded, Media
from detectors.presence.nets.net import PersonNet
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.state import PostState
from detectors.presence.watcher import PostWatcher
from domain.errors import MediaError, SettingsError
from mingjing.models import choose_net
from mingjing.posts_file import read_posts
from mingjing.watch_live import is_live, watch_live

WINDOW = 1.0
"""Seconds a state rests on: it has to follow a change within one."""
LOOK_EVERY = 0.2
"""Longest time between looks, however seldom a line is asked for."""
LONGEST_GAP = 2.0
"""A picture older than this says nothing about now."""
_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class Sample:
    """One output line: what can be said about a post at ``t`` seconds from the start."""

    post: str
    t: float
    state: PostState

    def to_json(self) -> dict[str, Any]:
        state = self.state
        row = {"post": self.post, "t": round(self.t, 3), "state": state.state, "reason": state.reason}
        return row | {"score": round(state.score, 3)}


def watch(
    pictures: Iterable[Decoded],
    posts: Sequence[Post],
    net: PersonNet | None,
    *,
    every: float = 0.5,
    prepare: Callable[[PostWatcher], None] | None = None,
) -> Iterator[Sample]:
    """Yields one sample per post every ``every`` seconds, from 0 to the last picture.

    A sample uses nothing that comes after it. Times are those of the pictures, counted from the first; where they
    stop or run backwards (a looped or broken recording) the time of arrival in the file goes on by one look.

    Args:
        pictures: in the order of showing.
        prepare: called once with the watcher, to hand it pictures of empty posts.
    """
    steps = max(1, math.ceil(every / LOOK_EVERY - _EPSILON))
    period = every / steps
    watcher = PostWatcher(posts, net, window=max(WINDOW, period), period=period, returns=True)
    if prepare:
        prepare(watcher)
    held: Picture | None = None
    looked: Picture | None = None
    tick = 0

    def look(until: float) -> Iterator[Sample]:
        """Everything due before ``until``, with the picture held at that time."""
        nonlocal tick, looked
        while held is not None and tick * period < until - _EPSILON:
            due = tick * period
            if due - held.t > LONGEST_GAP:
                states = watcher.miss(due, "stale")
            elif looked is held:
                states = watcher.repeat(due)
            else:
                looked, states = held, watcher.look(held)
            if tick % steps == 0:
                yield from (Sample(post.name, due, state) for post, state in zip(posts, states, strict=True))
            tick += 1

    for t, picture in _timed(pictures, period):
        yield from look(t)
        if held is not None and held.keyframe and looked is not held:
            watcher.keyframe(held)
        held = Picture(picture.image, t, picture.keyframe)
    if held is not None:
        yield from look(held.t + 2 * _EPSILON)


def _timed(pictures: Iterable[Decoded], period: float) -> Iterator[tuple[float, Decoded]]:
    """Pictures with seconds from the first, never going backwards."""
    offset: float | None = None
    last = -period
    for picture in pictures:
        if offset is None:
            offset = picture.t
        if picture.t - offset < last - _EPSILON:
            offset = picture.t - last - period
        last = max(last, picture.t - offset)
        yield last, picture


def watch_file(
    video: str,
    posts: Sequence[Post],
    net: PersonNet | None,
    *,
    every: float = 0.5,
    stop: threading.Event | None = None,
) -> Iterator[Sample]:
    """Opens a recording and watches it to its end, see :func:`watch`; or a camera, until ``stop`` is set.

    Raises:
        MediaError: missing or undecodable, one sentence.
    """
    if is_live(video):
        yield from _watch_camera(video, posts, net, every, stop or threading.Event())
        return
    media = Media(video, keyframes_only=False, live=False)

    def learn(watcher: PostWatcher) -> None:
        for index, post in enumerate(posts):
            for picture in _pictures_at(video, _moments(post)):
                watcher.learn_empty(picture, index)

    with contextlib.closing(media):
        yield from watch(media.pictures(), posts, net, every=every, prepare=None if net else learn)


def _watch_camera(
    address: str, posts: Sequence[Post], net: PersonNet | None, every: float, stop: threading.Event
) -> Iterator[Sample]:
    steps = max(1, math.ceil(every / LOOK_EVERY - _EPSILON))
    period = every / steps
    watcher = PostWatcher(posts, net, window=max(WINDOW, period), period=period)
    for number, tick in enumerate(watch_live(address, watcher, period=period, stop=stop)):
        if number % steps == 0:
            yield from (
                Sample(post.name, tick.t, state) for post, state in zip(posts, tick.states, strict=True)
            )


def _moments(post: Post) -> list[float]:
    """Up to six moments spread over the spans in which a post is known to be empty."""
    spans = post.empty[:6]
    share = max(1, 6 // max(1, len(spans)))
    return sorted(b + (e - b) * (i + 0.5) / share for b, e in spans for i in range(share))


def _pictures_at(video: str, moments: Sequence[float]) -> Iterator[Picture]:
    for moment in moments:
        with contextlib.closing(Media(video, keyframes_only=False, live=False)) as media:
            media.seek(moment)
            for picture in media.pictures():
                t = picture.t - media.start
                if t >= moment - _EPSILON:
                    yield Picture(picture.image, t, picture.keyframe)
                    break


def watch_command(
    video: Annotated[
        str,
        typer.Argument(
            help="视频文件或摄像机地址 · recording (mp4, mkv, avi, gif) or camera (rtsp, http, onvif …)"
        ),
    ],
    posts: Annotated[Path, typer.Option("--posts", help="岗位文件 · posts file (JSON)")],
    every: Annotated[float, typer.Option(help="采样间隔（秒）· seconds between samples")] = 0.5,
    out: Annotated[
        Path | None, typer.Option("--out", help="输出文件，缺省为标准输出 · output, default: standard output")
    ] = None,
    method: Annotated[str, typer.Option(help="auto, detector, correlation")] = "auto",
) -> None:
    """识别视频中各岗位是否有人 · Presence at each post of a recording or camera, one JSON line per post and sample.

    A recording ends at its end. A camera is watched until a signal; while it fails, its posts are unknown with the reason.
    """
    if not 0.02 <= every <= 3600:
        raise SettingsError(f"--every: must be 0.02 to 3600 seconds, not {every}")
    places = read_posts(posts)
    choice = choose_net(method)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM) if is_live(video) else ():
        signal.signal(number, lambda *_: stop.set())
    samples = watch_file(video, places, choice.net, every=every, stop=stop)
    with contextlib.ExitStack() as stack:
        write: Callable[[str], object] = typer.echo
        first = next(samples, None)  # opens the video: a missing one must not leave an output file behind
        if first is None and stop.is_set():
            return
        if first is None:
            raise MediaError(f"{masked(video)}: not one picture in it could be decoded")
        if choice.notice:
            typer.echo(f"mingjing: {choice.notice}", err=True)
        if out is not None:
            try:
                file = stack.enter_context(out.open("w", encoding="utf-8", buffering=1))
            except OSError as error:
                raise SettingsError(f"--out: {out} cannot be written ({error.strerror})") from error
            write = lambda line: file.write(line + "\n")  # noqa: E731
        write(json.dumps(first.to_json(), ensure_ascii=False))
        for sample in samples:
            write(json.dumps(sample.to_json(), ensure_ascii=False))
