"""The walls of many centres in one process: ``/`` shows all of them, ``/centre/<id>/`` each one as it is alone.

A centre's wall is made when it is first asked for and reads only while somebody looks at it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.catalogue import browser_words
from dashboard.facts import Snapshot, SnapshotSource
from dashboard.hub import Hub, Source
from dashboard.live import LiveLine
from dashboard.painting import WallPainter
from dashboard.province import ProvinceSnapshot
from dashboard.province_view import ProvincePainter, blank_facts, centre_path, province_skeleton
from dashboard.server import SecurityHeaders, fingerprint, make_dash, new_dash, serve_page
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock

#: Real seconds between two readings of a centre's wall, and of all centres: an event in one of 145 wakes all readers.
GAP = 1.0
#: Real seconds without a screen after which a centre's wall reads no more.
LINGER = 60.0


class Corridor:
    """The walls of single centres under ``/centre/<id>/``.

    Args:
        make_source: opens where the snapshots of a centre come from.
    """

    def __init__(
        self,
        centres: Centres,
        clock: Clock,
        make_source: Callable[[Centre], SnapshotSource],
        *,
        gap: float = GAP,
        linger: float = LINGER,
    ) -> None:
        self._centres, self._clock, self._make_source = centres, clock, make_source
        self._gap, self._linger = gap, linger
        self._lock = threading.Lock()
        self._walls: dict[str, ASGIApp] = {}
        self._hubs: dict[str, Hub[Snapshot]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        code = scope["path_params"]["code"]
        wall = self._wall(code) if code in self._centres else PlainTextResponse("no such centre", 404)
        # With the whole path: Dash compares it with its own prefix.
        await wall({**scope, "root_path": scope.get("app_root_path", "")}, receive, send)

    @property
    def reading(self) -> list[str]:
        """Centres whose walls read just now."""
        return [code for code, hub in self._hubs.items() if hub.reads]

    def stop(self) -> None:
        for hub in self._hubs.values():
            hub.stop()

    def _wall(self, code: str) -> ASGIApp:
        with self._lock:
            if code not in self._walls:
                self._walls[code] = self._make(self._centres[code])
            return self._walls[code]

    def _make(self, centre: Centre) -> ASGIApp:
        def source() -> SnapshotSource:
            return self._make_source(centre)

        code = centre.centre.id
        prefix, build = centre_path(code), fingerprint(centre)
        hub: Hub[Snapshot] = Hub(
            WallPainter(centre, self._clock.speed), self._clock, source, gap=self._gap, linger=self._linger
        )
        self._hubs[code] = hub
        page = make_dash(
            centre,
            self._clock,
            source,
            build,
            path=f"/centre/{code}/",
            prefix=prefix,
            line=f"{prefix}live",
            up="/",
        )
        line = LiveLine(hub, build, wake=True)
        routes = [WebSocketRoute("/centre/{code}/live", line.serve), Mount("/", app=page.server)]
        return SecurityHeaders(Starlette(routes=routes), list(page.csp_hashes()))


def create_province(
    centres: Centres,
    clock: Clock,
    make_source: Callable[[], Source[ProvinceSnapshot]],
    make_centre_source: Callable[[Centre], SnapshotSource],
    mounts: Mapping[str, ASGIApp] | None = None,
    *,
    turn: Callable[[], None] = lambda: None,
    gap: float = GAP,
    linger: float = LINGER,
) -> ASGIApp:
    """The walls of several centres; arguments as of :func:`dashboard.server.create_wall`.

    Args:
        make_centre_source: opens where the snapshots of one centre come from.
        gap, linger: see :data:`GAP` and :data:`LINGER`.
    """
    build = fingerprint(*centres.values())
    hub: Hub[ProvinceSnapshot] = Hub(
        ProvincePainter(centres, clock.speed), clock, make_source, gap=gap, turn=turn
    )
    page = new_dash(f"{len(centres)}")
    words = json.dumps(browser_words(), ensure_ascii=False)
    page.layout = province_skeleton(blank_facts(centres), build, centres.first.centre.timezone, words)
    corridor = Corridor(centres, clock, make_centre_source, gap=gap, linger=linger)

    async def to_wall(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/centre/{quote(request.path_params['code'], safe='')}/{query}", 307)

    centre_walls = Starlette(
        routes=[Route("/{code}", to_wall), Mount("/{code}", app=corridor)],
    )
    return serve_page(page, hub, build, {**(mounts or {}), "/centre": centre_walls}, on_stop=corridor.stop)


__all__ = ["GAP", "LINGER", "Corridor", "create_province"]
