"""The pages of calibrations on this machine only, for an operator's browser."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import typer

from domain.errors import SettingsError

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The pages are one file each: nothing else is fetched, nothing runs.
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE = """:root { font-size: clamp(16px, 0.94vw, 34px); color: #1b2430; background: #eef1f5 }
body { font: 1rem/1.7 "Noto Sans CJK SC", system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }
h1 { font-size: 1.7rem } a { color: #14508c } small { color: #5a6675; font-weight: 400 }
table { border-collapse: collapse; width: 100%; background: #fff }
td { padding: .6rem 1.2rem; border-bottom: 1px solid #d6dde6; white-space: nowrap } td:last-child { width: 99%; white-space: normal }"""


def make_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder's pages, on the loopback address; 0 takes any free port.

    Raises:
        SettingsError: the port cannot be had.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "mingjing", ""
        timeout = 10.0

        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0]
            found = answer(folder, self.path) if host in ("127.0.0.1", "localhost") else None
            self.send_response(200 if found else 404)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            blob = (found or "<!doctype html>没有这一页 · there is no such page").encode()
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        def log_message(self, format: str, *args: object) -> None:
            """A line for each page says nothing."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise SettingsError(f"--port {port}: cannot be used ({error.strerror})") from None
    server.daemon_threads = True
    return server


def answer(folder: Path, path: str) -> str | None:
    """The page at a path: the list at ``/``, else a page of the folder by its name; None where there is none."""
    name = unquote(path.partition("?")[0]).removeprefix("/").removeprefix("calibration/")
    pages = {page.stem: page for page in sorted(folder.glob("*.html"))}
    if name in ("", "calibration"):
        rows = "".join(
            f'<tr><td><a href="/calibration/{quote(stem)}">{escape(stem)}</a></td><td>{_made(page):%Y-%m-%d %H:%M}</td>'
            f"<td>{_verdict(page)}</td></tr>"
            for stem, page in pages.items()
        )
        empty = "<p>还没有校准页面：先运行 mingjing camera calibrate · none yet</p>"
        return (
            f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>校准</title><style>{_STYLE}</style>'
            f"<h1>摄像机校准 <small>Calibration of cameras</small></h1>{f'<table>{rows}</table>' if rows else empty}</html>"
        )
    try:
        return pages[name].read_text("utf-8") if name in pages else None
    except OSError:
        return None


def _made(page: Path) -> datetime:
    return datetime.fromtimestamp(page.stat().st_mtime).astimezone()


def _verdict(page: Path) -> str:
    """The first badge of a page: what it says of the camera as a whole."""
    found = re.search(r'<span class="badge [a-z]+">([^<]*)</span>', page.read_text("utf-8", errors="replace"))
    return found[1] if found else ""


def serve_pages(folder: Path, port: int) -> None:
    """Serves until Ctrl-C."""
    with make_server(folder, port) as server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo()
