"""A real RTSP server on loopback for tests: GStreamer's, as Debian packages it, in a process that can be killed."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests.rtsp.clips import MOVING, clip

DEBIANS_PYTHON = "/usr/bin/python3"
"""The one that Debian's bindings belong to, whatever runs the tests."""
PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
READY_SECONDS = 20.0
_SERVE = Path(__file__).with_name("serve.py")


class NoRtsp(Exception):
    """Why no server can be started here; one sentence."""


@cache
def require_rtsp() -> None:
    """Raises:
    NoRtsp: Debian's packages are missing.
    """
    probe = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "missing = [n for n in ('appsrc', 'rtph264pay', 'matroskademux') if not Gst.ElementFactory.find(n)];"
        "raise SystemExit(' '.join(missing) or 0)"
    )
    try:
        done = subprocess.run([DEBIANS_PYTHON, "-c", probe], capture_output=True, text=True, timeout=60)
    except OSError as error:
        raise NoRtsp(f"{DEBIANS_PYTHON} cannot be run: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise NoRtsp(f"GStreamer's RTSP server is missing (Debian: apt install {PACKAGES}): {last}")


class RtspServer:
    """A server that lives as long as the ``with`` block, always on the same port.

    A stream is one clip in a loop, sent in real time; all who watch it, under whatever name, share one sender.

    Args:
        folder: for what it says (``output.log``); a temporary one by default.
        login: (user, password) that everybody has to know.
        digest: the login is asked for by digest, not basic.
        certificate: PEM file with certificate and key: the server speaks ``rtsps`` only.

    Raises:
        NoRtsp: Debian's packages are missing.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        login: tuple[str, str] | None = None,
        digest: bool = True,
        certificate: Path | None = None,
    ) -> None:
        require_rtsp()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="rtsp-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._login, self._digest, self._certificate = login, digest, certificate
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._streams: dict[str, dict[str, Any]] = {}
        self._process: subprocess.Popen[str] | None = None
        self._paused = False

    def url(self, name: str, *, userinfo: str | None = None) -> str:
        """Address of a stream, with the login in it; ``userinfo=""`` leaves it out."""
        if userinfo is None:
            userinfo = f"{':'.join(quote(part, safe='') for part in self._login)}@" if self._login else ""
        return f"rtsp{'s' if self._certificate else ''}://{userinfo}127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time that the running server has taken."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    # -- streams -------------------------------------------------------------------------------------------------------

    def publish(
        self,
        name: str,
        *,
        size: tuple[int, int] = (640, 360),
        fps: float = 25,
        gop: int = 50,
        codec: str = "h264",
        source: str | Path = MOVING,
        seconds: float = 10,
        bitrate: str | None = None,
        mtu: int = 1400,
    ) -> str:
        """Serves a clip (:func:`tests.rtsp.clips.clip`) under a name; returns its address.

        Args:
            mtu: of the RTP packets; large ones make the server cheaper.
        """
        made = clip(size=size, fps=fps, gop=gop, codec=codec, source=source, seconds=seconds, bitrate=bitrate)
        return self._add(name, {"do": "publish", "clip": str(made), "fps": fps, "mtu": mtu})

    def alias(self, name: str, of: str) -> str:
        """A further name of a stream, at hardly any cost; returns its address."""
        return self._add(name, {"do": "alias", "of": of})

    def withdraw(self, name: str) -> None:
        """One camera goes: whoever watches it is hung up on, and the name is not found any more."""
        self._streams.pop(name)
        self._ask({"do": "withdraw", "name": name})

    def clients(self) -> int:
        """Connections open now."""
        return int(self._ask({"do": "clients"}))

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, on the port it had and with the streams it had."""
        assert self._process is None, "the server runs"
        command = [DEBIANS_PYTHON, str(_SERVE), "--port", str(self.port)]
        if self._login is not None:
            command += ["--user", self._login[0], "--password", self._login[1]]
        if self._digest:
            command.append("--digest")
        if self._certificate is not None:
            command += ["--certificate", str(self._certificate)]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
            )
        self._answer()
        for name, stream in self._streams.items():
            self._ask({"name": name} | stream)

    def kill(self) -> None:
        """SIGKILL: as if the power had gone. Nothing happens if it does not run."""
        process, self._process, self._paused = self._process, None, False
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()

    def pause(self) -> None:
        """SIGSTOP: connections stay and new ones are accepted by the kernel, but nobody answers."""
        assert self._process is not None, "the server does not run"
        self._process.send_signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(signal.SIGCONT)
        self._paused = False

    # -- inside --------------------------------------------------------------------------------------------------------

    def _add(self, name: str, stream: dict[str, Any]) -> str:
        if self._process is not None:
            self._ask({"name": name} | stream)
        self._streams[name] = stream
        return self.url(name)

    def _ask(self, command: Mapping[str, Any]) -> Any:
        assert self._process is not None, "the server does not run"
        assert self._process.stdin is not None
        assert not self._paused, "the server is paused"
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        give_up = time.monotonic() + READY_SECONDS
        # One line for each question: what has been read cannot hold a second one.
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, give_up - time.monotonic()))
        line = self._process.stdout.readline() if ready else ""
        said = json.loads(line) if line else {"error": self._last_words()}
        if "error" in said:
            raise AssertionError(f"RTSP server: {said['error']}")
        return said["answer"]

    def _last_words(self) -> str:
        return (self.folder / "output.log").read_text("utf-8", "replace")[-2000:] or "no answer"


if __name__ == "__main__":
    # By hand: python -m tests.rtsp.server [name …] serves the moving test picture until a key is pressed.
    with RtspServer() as by_hand:
        for stream_name in sys.argv[1:] or ["camera"]:
            sys.stdout.write(by_hand.publish(stream_name) + "\n")
        sys.stdout.flush()
        sys.stdin.readline()
