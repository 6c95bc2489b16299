"""The page as Dash components: a skeleton without words, and the parts that are pushed into it.

A part is the id of a component and the properties it gets. Parts are what the server sends and the browser hands to
``dash_clientside.set_props``, so the picture has one author, in Python; the script in the page only carries.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime

from dash import dcc, html
from dash.development.base_component import Component
from plotly.utils import PlotlyJSONEncoder

from dashboard.catalogue import browser_words
from dashboard.view import FindingRow, Lamp, Tile, WallView

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


def skeleton(windows: int, build: str, zone: str) -> Component:
    """The layout Dash serves. Holds no words: the parts follow within milliseconds, in the screen's language.

    Args:
        windows: number of tiles.
        build: what the page was made from; the script reloads the page when the server says another one.
        zone: IANA name of the centre's time zone, for the clock.
    """
    columns = grid_columns(windows)
    rows = max(1, math.ceil(windows / columns))
    return html.Div(
        id="wall",
        className="wall connecting",
        **{
            "data-build": build,
            "data-zone": zone,
            "data-words": json.dumps(browser_words(), ensure_ascii=False),
        },
        children=[
            html.Header(
                className="head",
                children=[
                    html.Div(id="name", className="name"),
                    html.Div(id="lamps", className="lamps"),
                    html.Div(
                        className="now",
                        children=[
                            html.Div(
                                className="now-side",
                                children=[
                                    html.Div(id="badge", className="badge-row"),
                                    html.Div(id="alive", className="alive"),
                                ],
                            ),
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
            ),
            html.Div(id="totals", className="totals"),
            html.Div(id="band", className="band", role="status"),
            html.Main(
                className="body",
                children=[
                    html.Div(
                        id="grid",
                        className=f"grid {density(windows)}",
                        style={"--cols": columns, "--rows": rows},
                        children=[
                            html.Div(
                                id=f"tile-{index}", className="tile light-grey", role="button", tabIndex=0
                            )
                            for index in range(windows)
                        ],
                    ),
                    html.Aside(id="list", className="list"),
                ],
            ),
            html.Footer(id="foot", className="foot"),
            html.Div(id="panel", className="panel", children=[]),
            html.Div(id="lost", className="lost", role="alert"),
            dcc.Store(id="picked"),
        ],
    )


def lamp_icon(shape: str, light: str) -> Component:
    return html.Span(className=f"icon shape-{shape} tint-{light}", **{"aria-hidden": "true"})


def epoch(at: datetime | None) -> str:
    """Milliseconds, as the script counts them; empty for none."""
    return "" if at is None else str(int(at.timestamp() * 1000))


def tile_props(tile: Tile, view: WallView, now: datetime) -> dict[str, object]:
    """One tile: light by shape, word, place and colour; why; since when; how old the data are."""
    light, words = tile.light, view.words
    meta: list[Component] = []
    if light.since is not None:
        meta.append(html.Span(words("since", at=words.moment(light.since, now)), className="since"))
    if light.seen_at is not None:
        meta.append(html.Span(className="age", **{"data-seen": epoch(light.seen_at)}))
    more = [html.Span(words("reason_more", n=light.more), className="more")] if light.more else []
    return {
        "className": f"tile light-{light.light}",
        "data-window": tile.window,
        "title": f"{tile.window} {tile.name}",
        "children": [
            html.Div(
                className="tile-top",
                children=[
                    lamp_icon(light.shape, light.light),
                    html.Span(light.word, className="tile-word"),
                    html.Span(tile.window, className="tile-id"),
                ],
            ),
            html.Div(tile.name, className="tile-name"),
            html.Div([html.Span(light.reason), *more], className="tile-reason"),
            html.Div(meta, className="tile-meta"),
        ],
    }


def name_props(view: WallView) -> dict[str, object]:
    words = view.words
    return {
        "children": [
            html.Div(view.centre, className="name-centre"),
            html.Div(words("subtitle"), className="name-sub"),
        ],
        "title": words("title", centre=view.centre),
    }


def badge_props(view: WallView) -> dict[str, object]:
    words = view.words
    other = "en" if words.language == "zh" else "zh"
    demo = [html.Span(words("demo", speed=f"{view.speed:g}"), className="badge")] if view.speed != 1 else []
    return {"children": [*demo, html.A(words("switch"), href=f"?lang={other}", className="switch")]}


def lamps_props(view: WallView) -> dict[str, object]:
    """The answer to "what is wrong now": how many windows show which light."""

    def lamp(entry: Lamp) -> Component:
        idle = "" if entry.count else " idle"
        return html.Div(
            className=f"lamp lamp-{entry.light}{idle}",
            children=[
                lamp_icon(entry.shape, entry.light),
                html.Span(str(entry.count), className="lamp-count"),
                html.Span(entry.word, className="lamp-word"),
            ],
        )

    return {"children": [lamp(entry) for entry in view.lamps]}


def totals_props(view: WallView) -> dict[str, object]:
    words = view.words

    def cell(name: str, value: int) -> Component:
        loud = " loud" if value and name in ("overdue", "yellow", "red", "dead") else ""
        return html.Div(
            className=f"total total-{name}{loud}",
            children=[
                html.Span(words(f"total_{name}"), className="total-label"),
                html.Span(f"{value:,}", className="total-value"),
            ],
        )

    head = html.Div(words("today"), className="totals-head")
    return {"children": [head, *(cell(name, value) for name, value in view.totals)]}


def list_props(view: WallView) -> dict[str, object]:
    words = view.words

    def row(entry: FindingRow) -> Component:
        state = "done" if entry.acknowledged else "todo"
        return html.Div(
            className=f"finding light-{entry.light}",
            role="button",
            tabIndex=0,
            **{"data-finding": entry.finding_id, "data-window": entry.window},
            children=[
                html.Div(
                    className="finding-top",
                    children=[
                        lamp_icon(
                            {"red": "octagon", "yellow": "triangle"}.get(entry.light, "triangle-hollow"),
                            entry.light,
                        ),
                        html.Span(entry.word, className="finding-word"),
                        html.Span(entry.window, className="finding-window"),
                        html.Span(entry.since, className="finding-since"),
                    ],
                ),
                html.Div(entry.text, className="finding-text"),
                html.Div(
                    className="finding-who",
                    children=[
                        html.Span(f"{entry.who} · {entry.act}", className="finding-act"),
                        html.Span(entry.state, className=f"finding-state {state}"),
                    ],
                ),
            ],
        )

    rows: list[Component] = [row(entry) for entry in view.findings]
    if not rows:
        rows = [html.Div(words("findings_none"), className="list-none")]
    left = view.findings_total - len(view.findings)
    title = [
        html.Span(words("findings"), className="list-name"),
        html.Span(str(view.findings_total), className="list-count"),
    ]
    if left > 0:
        title.append(html.Span(words("findings_more", n=left), className="list-more"))
    return {"children": [html.Div(title, className="list-title"), html.Div(rows, className="list-rows")]}


def foot_props(view: WallView) -> dict[str, object]:
    words = view.words
    legend = [
        html.Span([lamp_icon(entry.shape, entry.light), entry.word], className="legend-entry")
        for entry in view.legend
    ]
    health = [
        html.Span(
            [html.Span(className=f"pulse {'well' if entry.well else 'ill'}"), entry.text],
            className=f"health {'well' if entry.well else 'ill'}",
        )
        for entry in view.health
    ]
    method = [html.Span(view.method, className="method")] if view.method else []
    return {
        "children": [
            html.Div(legend, className="legend"),
            html.Div([*method, *health], className="sources"),
        ]
    }


class PartsWriter:
    """Turns views of one language into parts as JSON texts, keeping the texts of tiles that did not change."""

    def __init__(self) -> None:
        self._tiles: dict[int, tuple[object, str]] = {}

    def write(self, view: WallView, now: datetime) -> dict[str, str]:
        """``{id: JSON of its properties}``."""
        parts: dict[str, dict[str, object]] = {
            "name": name_props(view),
            "badge": badge_props(view),
            "lamps": lamps_props(view),
            "totals": totals_props(view),
            "list": list_props(view),
            "foot": foot_props(view),
        }
        texts = {part: dump(props) for part, props in parts.items()}
        day = now.astimezone(view.words.zone).date()
        for index, tile in enumerate(view.tiles):
            key = (tile, day)
            known = self._tiles.get(index)
            if known is None or known[0] != key:
                known = (key, dump(tile_props(tile, view, now)))
                self._tiles[index] = known
            texts[f"tile-{index}"] = known[1]
        return texts


def dump(props: object) -> str:
    """JSON of properties that hold components."""
    return json.dumps(props, cls=PlotlyJSONEncoder, ensure_ascii=False, separators=(",", ":"))


def message(head: dict[str, object], parts: Iterable[tuple[str, str]]) -> str:
    """One message to a browser: ``head`` and the changed parts under ``set``, without parsing them again."""
    changed = ",".join(f"{json.dumps(part)}:{text}" for part, text in parts)
    return f'{json.dumps(head)[:-1]},"set":{{{changed}}}}}'


__all__ = ["COLUMNS", "PartsWriter", "density", "dump", "grid_columns", "message", "skeleton"]
