"""Short clips coded as cameras code them, made once by ffmpeg and kept in a cache beside no checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

CODERS = {
    # One slice a picture: GStreamer's payloader puts the marker of a picture's end after each slice of a keyframe.
    "h264": [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-tune",
        "zerolatency",
        "-x264-params",
        "sliced-threads=0",
    ],
    "h265": [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-x265-params",
        "log-level=error",
    ],
    "mjpeg": ["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p"],
}
MOVING = "testsrc2"
"""ffmpeg's own moving test picture."""


class NoClip(Exception):
    """Why a clip cannot be made here; one sentence."""


def cache_folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mingjing-tests"
    home.mkdir(parents=True, exist_ok=True)
    return home


def clip(
    *,
    size: tuple[int, int] = (640, 360),
    fps: float = 25,
    gop: int = 50,
    codec: str = "h264",
    source: str | Path = MOVING,
    seconds: float = 10,
    bitrate: str | None = None,
) -> Path:
    """A Matroska file: no B-pictures, a keyframe every ``gop`` pictures and nowhere else.

    Args:
        source: a name or description of lavfi (``testsrc2``, ``color=black``) or a file, played over and over.
        seconds: its length; rounded to whole groups of pictures, so that it can be looped.
        bitrate: as ffmpeg writes it (``4M``); None: what the coder's usual quality takes.

    Raises:
        NoClip: ffmpeg is missing or refused.
    """
    pictures = max(1, round(seconds * fps / gop)) * gop
    if isinstance(source, Path):
        given = ["-stream_loop", "-1", "-i", str(source)]
        mark = f"{source}:{source.stat().st_mtime_ns}"
    else:
        joint = ":" if "=" in source else "="
        given = ["-f", "lavfi", "-i", f"{source}{joint}size={size[0]}x{size[1]}:rate={fps}"]
        mark = source
    coder = [*CODERS[codec], "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0", "-bf", "0"]
    if codec == "h265":
        coder[coder.index("log-level=error")] += f":keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0"
    if bitrate:
        coder += ["-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate]
    command = [
        "-vf", f"scale={size[0]}:{size[1]},fps={fps}", "-an", *coder, "-frames:v", str(pictures), "-f", "matroska",
    ]  # fmt: skip
    name = hashlib.sha256(" ".join([mark, *command]).encode()).hexdigest()[:20]
    made = cache_folder() / f"clip-{codec}-{size[0]}x{size[1]}-{name}.mkv"
    if not made.exists():
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                _make([*given, *command], made)
    return made


def _make(arguments: list[str], made: Path) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise NoClip("ffmpeg is missing, which makes the clips (Debian: apt install ffmpeg)")
    part = made.with_suffix(".part")
    done = subprocess.run(
        [program, "-v", "error", "-nostdin", "-y", *arguments, str(part)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise NoClip(f"ffmpeg made no clip: {done.stderr.strip()[-300:]}")
    part.rename(made)
