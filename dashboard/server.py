"""The wall as one ASGI application and one process: Dash page, line to the screens, health, mounted neighbours."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from dash import Dash, Input, Output
from dash.backends._fastapi import FastAPIDashServer
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.detail import panel
from dashboard.facts import Snapshot, SnapshotSource
from dashboard.hub import Hub
from dashboard.layout import skeleton
from dashboard.live import LiveLine
from dashboard.painting import WallPainter
from dashboard.words import Words
from domain.centre import Centre
from domain.clock import Clock
from domain.errors import SettingsError

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

#: Dash's own page without its tags for other sites and old browsers.
PAGE = """<!DOCTYPE html>
<html>
<head>{%metas%}<title>{%title%}</title>{%favicon%}{%css%}</head>
<body>{%app_entry%}{%config%}{%scripts%}{%renderer%}</body>
</html>"""


def fingerprint(*centres: Centre) -> str:
    """What the page is made from: our code, its assets and the centres. The same after a mere restart."""
    digest = hashlib.sha256()
    for centre in centres:
        digest.update(centre.model_dump_json().encode())
    for path in sorted([*HERE.glob("*.py"), *(HERE / "assets").glob("*")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class PageServer(FastAPIDashServer):
    """Dash's FastAPI back end without what the wall does not need: its WebSocket and the pages that describe the API."""

    websocket_capability = False

    @staticmethod
    def create_app(name: str = "__main__", config: dict[str, Any] | None = None) -> FastAPI:
        return FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


def new_dash(title: str, path: str = "/", prefix: str = "/") -> Dash:
    """A Dash application without a layout.

    Args:
        path: under which requests arrive here, with slashes at both ends. prefix: the same as browsers write it.
    """
    return Dash(
        __name__,
        backend=PageServer,
        assets_folder=str(HERE / "assets"),
        title=title,
        update_title="",
        requests_pathname_prefix=prefix,
        routes_pathname_prefix=path,
        # The init value beats the environment variable DASH_MCP_ENABLED (platform reference 3.5).
        enable_mcp=False,
        use_pages=False,
        include_pages_meta=False,
        index_string=PAGE,
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width"},
            {"name": "robots", "content": "noindex"},
        ],
    )


def make_dash(
    centre: Centre,
    clock: Clock,
    make_source: Callable[[], SnapshotSource],
    build: str,
    *,
    path: str = "/",
    prefix: str = "/",
    line: str = "/wall/live",
    up: str = "",
) -> Dash:
    """The Dash application of one centre: the skeleton, and the callback behind the panel.

    Args:
        line: path of the WebSocket.
        up: address of the wall of all centres; empty where there is none.
    """
    app = new_dash(centre.centre.name or centre.centre.id, path, prefix)
    app.layout = skeleton(len(centre.windows), build, centre.centre.timezone, line=line, up=up)

    @app.callback(
        Output("panel", "children"),
        Output("panel", "className"),
        Input("picked", "data"),
        prevent_initial_call=True,
    )
    async def show_panel(picked: dict[str, Any] | None) -> tuple[Any, str]:
        if not picked:
            return [], "panel"
        words = Words(str(picked.get("lang")), centre.zone)
        try:
            detail = await asyncio.to_thread(_read_detail, make_source, picked, clock.now())
        except Exception as failure:
            log.warning("detail cannot be read: %s", failure)
            detail = None
        return panel(detail, centre, words, clock.now()), "panel shown"

    return app


def _read_detail(make_source: Callable[[], SnapshotSource], picked: Mapping[str, Any], now: datetime) -> Any:
    source = make_source()
    try:
        return source.detail(picked.get("window"), picked.get("finding"), now)
    finally:
        source.close()


class SecurityHeaders:
    """Adds the headers to every answer that has not its own.

    ``style-src`` needs ``'unsafe-inline'``: Dash's css loader writes style tags (plotly/dash 2518).
    """

    def __init__(self, app: ASGIApp, csp_hashes: list[str]) -> None:
        self._app = app
        script = " ".join(["'self'", *csp_hashes])
        policy = (
            f"default-src 'none'; script-src {script}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                present = {name.lower() for name, _ in headers}
                headers += [(name, value) for name, value in self._headers if name not in present]
                # The page must be asked for anew after an upgrade; scripts carry their version in the address.
                page = scope["path"].rpartition("/")[2] in ("", "_dash-layout", "_dash-dependencies")
                if b"cache-control" not in present and page:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_wall(
    centre: Centre,
    clock: Clock,
    make_source: Callable[[], SnapshotSource],
    mounts: Mapping[str, ASGIApp] | None = None,
    *,
    turn: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """The wall of one centre.

    Args:
        make_source: opens where snapshots come from, e.g. ``lambda: StoreSource(dsn, centre, clock)``.
        mounts: other ASGI applications by path, e.g. ``{"/ack": acknowledge_app}``; they come before the page.
        turn: called at each turn of the reader.

    Returns:
        An ASGI application; the reader thread lives between its lifespan's start and end.
    """
    build = fingerprint(centre)
    hub: Hub[Snapshot] = Hub(WallPainter(centre, clock.speed), clock, make_source, turn=turn)
    app = make_dash(centre, clock, make_source, build)
    return serve_page(app, hub, build, mounts or {})


def serve_page(
    app: Dash,
    hub: Hub[Any],
    build: str,
    mounts: Mapping[str, ASGIApp],
    *,
    on_stop: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """A page with its line and its health, around its neighbours; the hub reads for as long as it is served."""
    line = LiveLine(hub, build)

    async def healthz(_: Request) -> JSONResponse:
        """200 while the store answers, 503 while it does not; the reason without addresses or secrets."""
        signal = hub.time_signal(hub.picture)
        well = hub.error is None and hub.picture.number > 0
        body = {
            "status": "ok" if well else "store_unreachable",
            "build": build,
            "screens": hub.screens,
            "data_age_ms": signal["stale"],
            "now": datetime.fromtimestamp(signal["now"] / 1000, UTC).isoformat(),
        }
        return JSONResponse(body, status_code=200 if well else 503, headers={"cache-control": "no-store"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hub.start()
        try:
            yield
        finally:
            await asyncio.to_thread(hub.stop)
            await asyncio.to_thread(on_stop)

    routes: list[Any] = [Route("/healthz", healthz), WebSocketRoute("/wall/live", line.serve)]
    for path, neighbour in mounts.items():
        # The page below would answer for a neighbour's address without its slash.
        routes += [Route(path, RedirectResponse(f"{path}/", 307)), Mount(path, app=neighbour)]
    routes.append(Mount("/", app=app.server))
    outer = Starlette(routes=routes, lifespan=lifespan)
    return SecurityHeaders(outer, list(app.csp_hashes()))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError with one sentence when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(128)
    except OSError as failure:
        sock.close()
        raise SettingsError(
            f"the wall cannot listen on {host}:{port}: {failure.strerror} (MINGJING_WALL_HOST, MINGJING_WALL_PORT)"
        ) from failure
    return sock


def run_wall(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    stop_event: threading.Event | None = None,
    sock: socket.socket | None = None,
) -> None:
    """Serves until SIGTERM, SIGINT or ``stop_event``. One process: the screens hang on one reader.

    Raises:
        SettingsError: the port is taken.
    """
    sock = sock if sock is not None else listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,  # whoever runs the process decides how it logs
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
        ws_max_size=65536,
    )
    server = uvicorn.Server(config)
    done = threading.Event()

    def watch() -> None:
        assert stop_event is not None
        while not done.is_set():
            if stop_event.wait(0.2):
                server.should_exit = True
                return

    if stop_event is not None:
        threading.Thread(target=watch, name="wall-stop", daemon=True).start()
    try:
        server.run(sockets=[sock])
    finally:
        done.set()
        sock.close()


__all__ = [
    "SecurityHeaders", "create_wall", "fingerprint", "listen", "make_dash", "new_dash", "run_wall", "serve_page",
]  # fmt: skip
