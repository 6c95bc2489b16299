"""The RTSP server of :mod:`tests.rtsp.server`, made for Debian's own Python, whose GStreamer it uses.

Clips are read into memory once and sent from there in a loop, without any encoder or demuxer running: what it costs is
what sending costs. Commands come as JSON lines on standard input, each is answered by one line; with its end it ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import gi

for library in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(library, "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PAYLOADERS = {
    "video/x-h264": "rtph264pay config-interval=-1",
    "video/x-h265": "rtph265pay config-interval=-1",
    "image/jpeg": "rtpjpegpay",
}


class Clip:
    """A clip's coded pictures with what a payloader has to know of them."""

    def __init__(self, path: str, fps: float) -> None:
        pipeline = Gst.parse_launch(
            "filesrc name=file ! matroskademux ! appsink name=all sync=false max-buffers=0"
        )
        pipeline.get_by_name("file").set_property("location", path)
        pipeline.set_state(Gst.State.PLAYING)
        self.buffers: list[Any] = []
        while (sample := pipeline.get_by_name("all").emit("pull-sample")) is not None:
            self.caps = sample.get_caps()
            self.buffers.append(sample.get_buffer())
        pipeline.set_state(Gst.State.NULL)
        if not self.buffers:
            raise ValueError(f"{path}: no pictures")
        self.payloader = PAYLOADERS[self.caps.get_structure(0).get_name()]
        self.period = 1 / fps


class Factory(GstRtspServer.RTSPMediaFactory):
    """One clip for all who ask, under however many names."""

    def __init__(self, clip: Clip, mtu: int) -> None:
        super().__init__()
        self.clip, self.mtu = clip, mtu
        self.set_shared(True)
        self.connect("media-configure", self._feed)

    def do_gen_key(self, url: Any) -> str:
        return str(id(self))

    def do_create_element(self, url: Any) -> Any:
        bin_ = Gst.parse_launch(
            f"( appsrc name=source is-live=true do-timestamp=true format=time"
            f" ! {self.clip.payloader} name=pay0 pt=96 mtu={self.mtu} )"
        )
        bin_.get_by_name("source").set_property("caps", self.clip.caps)
        return bin_

    def _feed(self, _: Any, media: Any) -> None:
        source = media.get_element().get_by_name("source")
        began, sent, alive = GLib.get_monotonic_time(), 0, True

        def push() -> bool:
            nonlocal sent
            # As many as are due by now: a timer is late, and lateness must not add up.
            while alive and began + sent * self.clip.period * 1e6 <= GLib.get_monotonic_time():
                buffer = self.clip.buffers[sent % len(self.clip.buffers)].copy()
                buffer.pts = buffer.dts = buffer.duration = Gst.CLOCK_TIME_NONE
                source.emit("push-buffer", buffer)
                sent += 1
            return alive

        def end(_: Any) -> None:
            nonlocal alive
            alive = False

        media.connect("unprepared", end)
        GLib.timeout_add(max(1, int(self.clip.period * 500)), push)


class Main:
    def __init__(self, options: argparse.Namespace) -> None:
        self.loop = GLib.MainLoop()
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(options.port))
        self.server.set_backlog(256)
        self.server.get_session_pool().set_max_sessions(0)
        self.mounts = self.server.get_mount_points()
        self.clips: dict[str, Clip] = {}
        self.factories: dict[str, Factory] = {}
        self.watchers: dict[Any, set[str]] = {}
        self.secured = options.user is not None or options.certificate is not None
        if self.secured:
            self.server.set_auth(self._auth(options))
        self.server.connect("client-connected", self._connected)
        if not self.server.attach(None):
            raise SystemExit(f"port {options.port} cannot be had")

    def _auth(self, options: argparse.Namespace) -> Any:
        auth = GstRtspServer.RTSPAuth()
        if options.certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        if options.user is None:
            auth.set_default_token(token)
        elif options.digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(options.user, options.password, token)
        else:
            basic = GstRtspServer.RTSPAuth.make_basic(options.user, options.password)
            auth.add_basic(basic, token)
        return auth

    def _connected(self, _: Any, client: Any) -> None:
        self.watchers[client] = set()
        client.connect("describe-request", lambda c, context: self.watchers[c].add(context.uri.abspath))
        client.connect("closed", lambda c: self.watchers.pop(c, None))

    # -- commands ----------------------------------------------------------------------------------------------------

    def publish(self, name: str, clip: str, fps: float, mtu: int) -> None:
        key = f"{clip}@{fps}"
        if key not in self.clips:
            self.clips[key] = Clip(clip, fps)
        factory = Factory(self.clips[key], mtu)
        if self.secured:
            factory.add_role_from_structure(
                Gst.Structure.from_string(
                    "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
                )[0]
            )
        self._mount(name, factory)

    def alias(self, name: str, of: str) -> None:
        self._mount(name, self.factories[of])

    def withdraw(self, name: str) -> None:
        """Takes a stream away and hangs up on everybody who watches it."""
        self.mounts.remove_factory(f"/{name}")
        self.factories.pop(name, None)
        for client, paths in list(self.watchers.items()):
            if f"/{name}" in paths:
                client.close()

    def clients(self) -> int:
        return len(self.watchers)

    def _mount(self, name: str, factory: Factory) -> None:
        self.factories[name] = factory
        # The mount points take over one reference with each call.
        self.mounts.add_factory(f"/{name}", factory)

    def on_input(self, channel: Any, condition: Any) -> bool:
        line = sys.stdin.readline()
        if not line:
            self.loop.quit()
            return False
        try:
            command = json.loads(line)
            answer = getattr(self, command.pop("do"))(**command)
            print(json.dumps({"answer": answer}), flush=True)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--digest", action="store_true")
    parser.add_argument("--certificate", help="PEM with certificate and key: TLS")
    options = parser.parse_args()
    Gst.init(None)
    server = Main(options)
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, server.on_input)
    print(json.dumps({"answer": "ready"}), flush=True)
    server.loop.run()


if __name__ == "__main__":
    main()
