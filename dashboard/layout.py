"""The page as Dash components: a skeleton without words, and the parts that are pushed into it.

A part is the id of a component and the properties it gets; the browser hands parts to ``dash_clientside.set_props``. So
the picture has one author, in Python, and the script in the page only carries.

Parts are texts and class names, never components: replacing components costs Dash's renderer about 4 ms each, 2.5 s for
60 tiles, against 0.15 s for new texts in components that stay (measured in Chromium, 2 busy cores).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from dashboard.catalogue import browser_words
from dashboard.lights import LIGHTS, SHAPES
from dashboard.view import FINDING_ROWS, FOOT_ROLES, FindingRow, Lamp, Tile, WallView
from dashboard.words import Words

#: Columns by number of windows, from trials at 1920×1080: the tile's text is as large as its rows allow.
COLUMNS = (
    (4, 2),
    (6, 3),
    (9, 3),
    (12, 4),
    (16, 4),
    (20, 5),
    (24, 6),
    (30, 6),
    (36, 6),
    (42, 7),
    (49, 7),
    (64, 8),
)

#: What counts up since midnight, and what is so at this moment: never in one row without saying which.
TODAY = ("received", "accepted", "closed", "messages")
AT_PRESENT = ("open", "overdue", "notice", "yellow", "red", "dead")
#: Figures that take a colour when they are not zero.
LOUD = ("overdue", "yellow", "red", "dead")

Props = dict[str, object]


def grid_columns(windows: int) -> int:
    """Number of columns for so many tiles; above the table, about as many columns as rows."""
    for most, columns in COLUMNS:
        if windows <= most:
            return columns
    return math.ceil(math.sqrt(windows))


def density(windows: int) -> str:
    """The class that sets the sizes of letters in the tiles."""
    for most, name in ((6, "huge"), (12, "big"), (24, "medium"), (36, "small"), (64, "dense")):
        if windows <= most:
            return name
    return "crowded"


def attributes(values: Mapping[str, str]) -> dict[str, Any]:
    """``data-…`` and ``aria-…`` attributes, which Dash takes as wildcards that no signature names."""
    return dict(values)


def lamp_icon(light: str) -> Component:
    return html.Span(className=icon_class(light), **attributes({"aria-hidden": "true"}))


def icon_class(light: str) -> str:
    return f"icon shape-{SHAPES.get(light, 'bar')} tint-{light}"  # type: ignore[call-overload]


# -- the skeleton ------------------------------------------------------------------------------------------------------


def skeleton(windows: int, build: str, zone: str, *, line: str = "/wall/live", up: str = "") -> Component:
    """The layout Dash serves. Holds no words: the parts follow within milliseconds, in the screen's language.

    Args:
        windows: number of tiles.
        build: what the page was made from; the script reloads the page when the server says another one.
        zone: IANA name of the centre's time zone, for the clock.
        line: path of the WebSocket.
        up: address of the wall of all centres; empty where there is none.
    """
    columns = grid_columns(windows)
    rows = max(1, math.ceil(windows / columns))
    words = json.dumps(browser_words(), ensure_ascii=False)
    return html.Div(
        id="wall",
        className="wall connecting",
        **attributes({"data-build": build, "data-zone": zone, "data-words": words, "data-line": line}),
        children=[
            head_skeleton(up),
            html.Div(
                [totals_skeleton("today", TODAY), totals_skeleton("at_present", AT_PRESENT)],
                className="totals",
            ),
            html.Div(id="band", className="band", role="status"),
            html.Main(
                className="body",
                children=[
                    html.Div(
                        [_tile(index) for index in range(windows)],
                        id="grid",
                        className=f"grid {density(windows)}",
                        style={"--cols": columns, "--rows": rows},
                    ),
                    _list(),
                ],
            ),
            foot_skeleton(),
            html.Div(id="panel", className="panel", children=[]),
            html.Div(id="lost", className="lost", role="alert"),
            dcc.Store(id="picked"),
        ],
    )


def head_skeleton(up: str = "") -> Component:
    lamps = [
        html.Div(
            id=f"lamp-{light}",
            className="lamp idle",
            children=[
                lamp_icon(light),
                html.Span(id=f"lamp-{light}-count", className="lamp-count"),
                html.Span(id=f"lamp-{light}-word", className="lamp-word"),
            ],
        )
        for light in LIGHTS
    ]
    badges = [
        html.Span(id="badge", className="badge"),
        html.A(id="desk", className="switch", href="/desk/"),
        html.A(id="switch", className="switch", href="?"),
    ]
    if up:
        badges.insert(0, html.A("⌂", id="up", className="switch up", href=up))
    return html.Header(
        className="head",
        children=[
            html.Div(
                className="name",
                children=[
                    html.Div(id="name", className="name-centre"),
                    html.Div(id="subtitle", className="name-sub"),
                ],
            ),
            html.Div([html.Span(id="lamps-head", className="lamps-head"), *lamps], className="lamps"),
            html.Div(
                className="now",
                children=[
                    html.Div([html.Div(badges, className="badges"), html.Div(id="alive", className="alive")]),
                    html.Div(
                        className="clock",
                        children=[
                            html.Div(id="clock-time", className="clock-time"),
                            html.Div(id="clock-date", className="clock-date"),
                        ],
                    ),
                ],
            ),
        ],
    )


def totals_skeleton(group: str, names: Sequence[str]) -> Component:
    cells = [
        html.Div(
            className="total",
            children=[
                html.Span(id=f"total-{name}-label", className="total-label"),
                html.Span(id=f"total-{name}", className="total-value"),
            ],
        )
        for name in names
    ]
    head = html.Div(id=f"totals-{group}", className="totals-head")
    return html.Div([head, *cells], className="totals-group", style={"flex": len(cells)})


def _tile(index: int) -> Component:
    return html.Div(
        id=f"tile-{index}",
        className="tile light-grey",
        role="button",
        tabIndex=0,
        children=[
            html.Div(id=f"tile-{index}-{part}", className=f"tile-{part}")
            for part in ("word", "id", "name", "reason", "load", "since", "age")
        ],
    )


def _list() -> Component:
    rows = [
        html.Div(
            id=f"row-{index}",
            className="finding empty",
            role="button",
            tabIndex=0,
            children=[
                html.Div(id=f"row-{index}-{part}", className=f"finding-{part}")
                for part in ("word", "window", "since", "text", "who", "act", "state")
            ],
        )
        for index in range(FINDING_ROWS)
    ]
    title = [html.Span(id=f"list-{part}", className=f"list-{part}") for part in ("name", "count", "more")]
    return html.Aside(
        className="list",
        children=[
            html.Div(title, className="list-title"),
            html.Div([*rows, html.Div(id="list-none", className="list-none")], className="list-rows"),
        ],
    )


def foot_skeleton() -> Component:
    legend = [
        html.Span([lamp_icon(light), html.Span(id=f"legend-{light}")], className="legend-entry")
        for light in LIGHTS
    ]
    health = [html.Span(id=f"health-{role}", className="health") for role in FOOT_ROLES]
    return html.Footer(
        className="foot",
        children=[
            html.Div(legend, className="legend"),
            html.Div([html.Span(id="method", className="method"), *health], className="sources"),
        ],
    )


# -- the parts ---------------------------------------------------------------------------------------------------------


def epoch(at: datetime | None) -> str:
    """Milliseconds, as the script counts them; empty for none."""
    return "" if at is None else str(int(at.timestamp() * 1000))


def tile_parts(index: int, tile: Tile, view: WallView, now: datetime) -> dict[str, Props]:
    """One tile: light by shape, word, place and colour; why; since when; how old the data are."""
    light, words = tile.light, view.words
    load = tile.load if light.light == "green" else ""
    if light.more:
        load = words("reason_more", n=light.more)
    return {
        f"tile-{index}": {
            "className": f"tile light-{light.light}",
            "data-window": tile.window,
            "title": f"{tile.window} {tile.name}",
        },
        f"tile-{index}-word": {"children": light.word},
        f"tile-{index}-id": {"children": tile.window},
        f"tile-{index}-name": {"children": tile.name},
        f"tile-{index}-reason": {"children": light.reason},
        f"tile-{index}-load": {"children": load},
        f"tile-{index}-since": {
            "children": words("since", at=words.day_or_time(light.since, now)) if light.since else ""
        },
        # The text of the age is the script's: it must go on growing when the server is gone.
        f"tile-{index}-age": {"data-seen": epoch(light.seen_at)},
    }


def row_parts(index: int, row: FindingRow | None) -> dict[str, Props]:
    """One line of the list of findings; None empties it."""
    if row is None:
        return {f"row-{index}": {"className": "finding empty", "data-finding": "", "data-window": ""}}
    state = "done" if row.acknowledged else "todo"
    return {
        f"row-{index}": {
            "className": f"finding light-{row.light} {state}",
            "data-finding": row.finding_id,
            "data-window": row.window,
        },
        f"row-{index}-word": {"children": row.word},
        f"row-{index}-window": {"children": row.window},
        f"row-{index}-since": {"children": row.since},
        f"row-{index}-text": {"children": row.text},
        f"row-{index}-who": {"children": row.who},
        f"row-{index}-act": {"children": row.act},
        f"row-{index}-state": {"children": row.state},
    }


def head_parts(view: WallView) -> dict[str, Props]:
    heading = view.words("windows", n=len(view.tiles))
    parts = head_parts_of(view.words, name=view.centre, heading=heading, lamps=view.lamps, speed=view.speed)
    return parts | totals_parts(view.words, view.totals)


def head_parts_of(
    words: Words, *, name: str, heading: str, lamps: Iterable[Lamp], speed: float
) -> dict[str, Props]:
    """The head: whose wall, how many of which light."""
    other = "en" if words.language == "zh" else "zh"
    demo = words("demo", speed=f"{speed:g}") if speed != 1 else ""
    parts: dict[str, Props] = {
        "name": {"children": name, "title": words("title", centre=name)},
        "subtitle": {"children": words("subtitle")},
        "badge": {"children": demo, "className": "badge" if demo else "badge empty"},
        "desk": {"children": words("desk_link"), "href": f"/desk/?lang={words.language}"},
        "switch": {"children": words("switch"), "href": f"?lang={other}"},
        "lamps-head": {"children": heading},
    }
    for lamp in lamps:
        idle = "" if lamp.count else " idle"
        parts[f"lamp-{lamp.light}"] = {"className": f"lamp lamp-{lamp.light}{idle}"}
        parts[f"lamp-{lamp.light}-count"] = {"children": str(lamp.count)}
        parts[f"lamp-{lamp.light}-word"] = {"children": lamp.word}
    return parts


def totals_parts(words: Words, totals: Iterable[tuple[str, int]]) -> dict[str, Props]:
    """The figures of the day and of now."""
    parts: dict[str, Props] = {
        f"totals-{group}": {"children": words(group)} for group in ("today", "at_present")
    }
    for name, value in totals:
        loud = f" loud-{name}" if value and name in LOUD else ""
        parts[f"total-{name}-label"] = {"children": words(f"total_{name}")}
        parts[f"total-{name}"] = {"children": f"{value:,}", "className": f"total-value{loud}"}
    return parts


def list_parts(view: WallView) -> dict[str, Props]:
    words = view.words
    left = view.findings_total - len(view.findings)
    more = words("findings_more", n=left) if left > 0 else ""
    none = "" if view.findings else words("findings_none")
    if view.doubt:
        more, none = words("findings_doubt", reason=view.doubt), "" if view.findings else view.doubt
    parts: dict[str, Props] = {
        "list-name": {"children": words("findings")},
        "list-count": {"children": str(view.findings_total)},
        "list-more": {"children": more},
        "list-none": {"children": none},
    }
    for index in range(FINDING_ROWS):
        parts |= row_parts(index, view.findings[index] if index < len(view.findings) else None)
    return parts


def foot_parts(view: WallView) -> dict[str, Props]:
    parts: dict[str, Props] = {f"legend-{lamp.light}": {"children": lamp.word} for lamp in view.legend}
    parts["method"] = {"children": view.method, "className": "method" if view.method else "method empty"}
    for health in view.health:
        state = "well" if health.well else "ill"
        parts[f"health-{health.role}"] = {"children": health.text, "className": f"health {state}"}
    return parts


class PartsWriter:
    """Turns views of one language into parts as JSON texts, keeping the texts of tiles that did not change."""

    def __init__(self) -> None:
        self._tiles: dict[int, tuple[object, dict[str, str]]] = {}

    def write(self, view: WallView, now: datetime) -> dict[str, str]:
        """``{id: JSON of its properties}``."""
        texts = written(head_parts(view)) | written(list_parts(view)) | written(foot_parts(view))
        day = now.astimezone(view.words.zone).date()  # "since" names the day where it is another one
        for index, tile in enumerate(view.tiles):
            key = (tile, day)
            known = self._tiles.get(index)
            if known is None or known[0] != key:
                known = (key, written(tile_parts(index, tile, view, now)))
                self._tiles[index] = known
            texts |= known[1]
        return texts


def written(parts: Mapping[str, Props]) -> dict[str, str]:
    return {
        part: json.dumps(props, ensure_ascii=False, separators=(",", ":")) for part, props in parts.items()
    }


def message(head: Mapping[str, object], parts: Iterable[tuple[str, str]]) -> str:
    """One message to a browser: ``head`` and the changed parts under ``set``, without parsing them again."""
    changed = ",".join(f"{json.dumps(part)}:{text}" for part, text in parts)
    return f'{json.dumps(head)[:-1]},"set":{{{changed}}}}}'


__all__ = [
    "AT_PRESENT", "COLUMNS", "LOUD", "TODAY", "PartsWriter", "attributes", "density", "epoch", "foot_skeleton",
    "grid_columns", "head_parts_of", "head_skeleton", "lamp_icon", "message", "skeleton", "tile_parts", "totals_parts",
    "totals_skeleton", "written",
]  # fmt: skip
