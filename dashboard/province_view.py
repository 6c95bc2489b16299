"""The wall of all centres in words, as parts for the screens. Cards are the worst first; the map below never moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from dashboard.catalogue import LANGUAGES
from dashboard.layout import (
    Props,
    attributes,
    epoch,
    foot_skeleton,
    grid_columns,
    head_parts_of,
    head_skeleton,
    totals_parts,
    totals_skeleton,
    written,
)
from dashboard.lights import LIGHTS, SHAPES, LightSettings
from dashboard.province import CentreFacts, CentreLight, ProvinceSnapshot, judge_centre, weight
from dashboard.view import TOTALS, Health, Lamp, health_of
from dashboard.words import Words
from domain.centres import Centres
from domain.divisions import prefecture, province_name, short_name

#: Up to so many centres every one has a card and there is no map.
ALL_CARDS = 20
#: Cards above the map.
CARDS = 8
#: Columns of the map, and centres beside each other in one of them.
COLUMNS, PER_ROW = 4, 4
#: Lights that are worth a card above the map.
TROUBLED = ("red", "yellow", "notice", "grey")


def slots(centres: int) -> int:
    """Cards for so many centres."""
    return centres if centres <= ALL_CARDS else CARDS


def centre_path(code: str) -> str:
    """Where the wall of a centre is, from the root of the server."""
    return f"/centre/{quote(code, safe='')}/"


def blank_facts(centres: Centres) -> tuple[CentreFacts, ...]:
    """What is known before anything is read: names and places."""
    return tuple(
        CentreFacts(
            code,
            short_name(centre.centre.name, code),
            prefecture(code),
            len(centre.windows),
            watched=len({post.window for camera in centre.cameras for post in camera.posts}),
            rules_silent=None,
        )
        for code, centre in centres.items()
    )


def groups_of(centres: Sequence[CentreFacts]) -> list[tuple[str, str, list[int]]]:
    """(code, name, positions) of each prefecture in order of first appearance; its own centre gives it the name."""
    found: dict[str, list[int]] = {}
    for index, centre in enumerate(centres):
        found.setdefault(centre.group, []).append(index)
    rows = []
    for code, members in found.items():
        own = next((centres[i].name for i in members if centres[i].code[4:6] == "00"), code)
        rows.append((code, own if code else "", members))
    return rows


def columns_of(sizes: Sequence[int], columns: int = COLUMNS) -> tuple[list[list[int]], int]:
    """Deals regions, in their order, into columns so that the longest column is short; every centre must have its place.

    Args:
        sizes: centres of each region.

    Returns:
        Positions of the regions in each column, and the rows of the longest.
    """
    heights = [-(-size // PER_ROW) for size in sizes]
    for most in range(max(heights, default=1), sum(heights) + 1):
        dealt: list[list[int]] = [[]]
        used = 0
        for index, height in enumerate(heights):
            if used + height > most and dealt[-1]:
                dealt.append([])
                used = 0
            dealt[-1].append(index)
            used += height
        if len(dealt) <= columns:
            return dealt, most
    return [list(range(len(sizes)))], sum(heights)


def province_skeleton(centres: Sequence[CentreFacts], build: str, zone: str, words: str) -> Component:
    """The layout: head, figures, cards, map; without words, like the wall of one centre."""
    mapped = len(centres) > ALL_CARDS
    cards = slots(len(centres))
    columns = 4 if mapped else grid_columns(cards)
    size = "above" if mapped else "alone" if cards <= 8 else "alone many"
    body: list[Component] = [
        html.Div(
            [*map(_card, range(cards)), html.Div(id="cards-none", className="cards-none")],
            id="grid",
            className=f"cards {size}",
            style={"--cols": columns, "--rows": max(1, -(-cards // columns))},
        )
    ]
    if mapped:
        body += [
            html.Div(
                [
                    html.Span(id="map-title", className="map-title"),
                    html.Span(id="map-more", className="map-more"),
                ],
                className="map-head",
            ),
            _map_skeleton(groups_of(centres)),
        ]
    return html.Div(
        id="wall",
        className="wall province connecting",
        **attributes(
            {"data-build": build, "data-zone": zone, "data-words": words, "data-line": "/wall/live"}
        ),
        children=[
            head_skeleton(),
            totals_skeleton_pair(),
            html.Div(id="band", className="band", role="status"),
            html.Main(body, className="body province-body"),
            foot_skeleton(),
            html.Div(id="panel", className="panel", children=[]),
            html.Div(id="lost", className="lost", role="alert"),
        ],
    )


def totals_skeleton_pair() -> Component:
    from dashboard.layout import AT_PRESENT, TODAY

    return html.Div(
        [totals_skeleton("today", TODAY), totals_skeleton("at_present", AT_PRESENT)], className="totals"
    )


def _card(index: int) -> Component:
    parts = ("word", "count", "group", "name", "what", "rest", "ill")
    children: list[Component] = [
        html.Span(id=f"card-{index}-{part}", className=f"card-{part}{' mark' if part == 'word' else ''}")
        for part in parts
    ]
    children.append(html.Span(id=f"card-{index}-age", className="card-age tile-age"))
    return html.A(children, id=f"card-{index}", className="card empty", href="#")


def _map_skeleton(groups: Sequence[tuple[str, str, list[int]]]) -> Component:
    dealt, rows = columns_of([len(members) for _, _, members in groups])
    columns = [html.Div([_region(groups[i]) for i in column], className="map-column") for column in dealt]
    return html.Div(columns, className="map", style={"--mrows": rows})


def _region(group: tuple[str, str, list[int]]) -> Component:
    code, _, members = group
    chips = [
        html.A(
            [
                html.Span(id=f"chip-{index}-name", className="chip-name mark"),
                html.Span(id=f"chip-{index}-count", className="chip-count"),
            ],
            id=f"chip-{index}",
            className="chip light-grey",
            href="#",
        )
        for index in members
    ]
    return html.Div(chips, id=f"region-{code or 'other'}", className="region")


class ProvincePainter:
    """Makes the parts of every language.

    Args:
        centres: order and number of the chips.
        speed: of the system's clock.
    """

    def __init__(self, centres: Centres, speed: float) -> None:
        self._blank = blank_facts(centres)
        self._zone = centres.first.zone
        groups = groups_of(self._blank)
        # A prefecture with its counties carries its own name, several of them that of their province.
        own = groups[0][1] if len(groups) == 1 and groups[0][1] != groups[0][0] else ""
        self._province = own or province_name(centres)
        silent = max(centre.rules.sources.camera_silent for centre in centres.values())
        self._settings = LightSettings(camera_silent=timedelta(minutes=silent), speed=speed)

    def paint(
        self, snapshot: ProvinceSnapshot | None, now: datetime, blind: timedelta | None
    ) -> dict[str, dict[str, str]]:
        """Parts by language; see :meth:`dashboard.painting.WallPainter.paint`."""
        if snapshot is None:
            snapshot = ProvinceSnapshot(now, 0.0, self._blank)
        return {
            language: written(self._parts(snapshot, now, blind, Words(language, self._zone)))
            for language in LANGUAGES
        }

    def _parts(
        self, snapshot: ProvinceSnapshot, now: datetime, blind: timedelta | None, words: Words
    ) -> dict[str, Props]:
        lights = [
            judge_centre(
                facts, now=now, words=words, settings=self._settings, beats=snapshot.beats, blind=blind
            )
            for facts in snapshot.centres
        ]
        count = len(lights)
        title = (
            words("province_title", province=self._province)
            if self._province
            else words("province_title_plain")
        )
        counts = Counter(each.light.light for each in lights)
        parts: dict[str, Props] = head_parts_of(
            words,
            name=title,
            heading=words("centres", n=count),
            lamps=[Lamp(name, SHAPES[name], words(f"light_{name}"), counts[name]) for name in LIGHTS],
            speed=self._settings.speed,
        )
        parts |= totals_parts(words, [(name, getattr(snapshot.totals, name)) for name in TOTALS])
        order = sorted(
            range(count), key=lambda index: weight(snapshot.centres[index], lights[index].light.light)
        )
        parts |= self._cards(snapshot, lights, order, words, now)
        parts |= self._map(snapshot, lights, words)
        parts |= self._foot(snapshot, words)
        return parts

    def _cards(
        self,
        snapshot: ProvinceSnapshot,
        lights: Sequence[CentreLight],
        order: Sequence[int],
        words: Words,
        now: datetime,
    ) -> dict[str, Props]:
        mapped = len(order) > ALL_CARDS
        wanted = [i for i in order if not mapped or lights[i].light.light in TROUBLED]
        regions = {code: name for code, name, _ in groups_of(snapshot.centres)}
        parts: dict[str, Props] = {}
        for slot in range(slots(len(order))):
            if slot < len(wanted):
                facts = snapshot.centres[wanted[slot]]
                region = regions[facts.group]
                place = f"{region} {facts.code}" if region != facts.name else facts.code
                parts |= _card_parts(slot, facts, lights[wanted[slot]], words, place.strip())
            else:
                parts[f"card-{slot}"] = {"className": "card empty", "href": "#"}
        parts["cards-none"] = {"children": "" if wanted else words("centres_well")}
        if mapped:
            left = len(wanted) - CARDS
            parts["map-title"] = {"children": words("centres_all")}
            parts["map-more"] = {"children": words("centres_more", n=left) if left > 0 else ""}
        return parts

    def _map(
        self, snapshot: ProvinceSnapshot, lights: Sequence[CentreLight], words: Words
    ) -> dict[str, Props]:
        if len(lights) <= ALL_CARDS:
            return {}
        parts: dict[str, Props] = {}
        for code, name, _ in groups_of(snapshot.centres):
            parts[f"region-{code or 'other'}"] = {"title": name or words("group_other")}
        for index, (facts, each) in enumerate(zip(snapshot.centres, lights, strict=True)):
            more = (" ill" if each.ill else "") + (" seat" if facts.code[4:6] == "00" else "")
            more += " long" if len(facts.name) > 4 else " four" if len(facts.name) == 4 else ""
            parts[f"chip-{index}"] = {
                "className": f"chip light-{each.light.light}{more}",
                "href": _link(facts.code, words),
                "title": f"{facts.name}: {each.light.word} {each.light.reason}".strip(),
                "data-centre": facts.code,
            }
            parts[f"chip-{index}-name"] = {"children": facts.name}
            parts[f"chip-{index}-count"] = {"children": str(each.count) if each.count else ""}
        return parts

    def _foot(self, snapshot: ProvinceSnapshot, words: Words) -> dict[str, Props]:
        parts: dict[str, Props] = {
            f"legend-{light}": {"children": words(f"province_{light}")} for light in LIGHTS
        }
        note = words("centre_files", n=snapshot.problems) if snapshot.problems else ""
        parts["method"] = {"children": note, "className": "method" if note else "method empty"}
        limit = self._settings.process_silent
        stopped = sum(c.rules_silent is None or c.rules_silent > limit for c in snapshot.centres)
        for health in health_of(snapshot.beats, words, self._settings):
            if health.role == "rules":
                text = (
                    words("rules_some", n=stopped) if stopped else words("role_ok", role=words("role_rules"))
                )
                health = Health("rules", text, not stopped)
            state = "well" if health.well else "ill"
            parts[f"health-{health.role}"] = {"children": health.text, "className": f"health {state}"}
        return parts


def _link(code: str, words: Words) -> str:
    return centre_path(code) + ("" if words.language == LANGUAGES[0] else f"?lang={words.language}")


def _card_parts(
    slot: int, facts: CentreFacts, each: CentreLight, words: Words, place: str
) -> dict[str, Props]:
    light = each.light
    ill = each.ill if light.light not in ("grey",) or each.ill != light.reason else ""
    return {
        f"card-{slot}": {
            "className": f"card light-{light.light}",
            "href": _link(facts.code, words),
            "data-centre": facts.code,
        },
        f"card-{slot}-word": {"children": light.word},
        f"card-{slot}-count": {"children": str(each.count) if each.count and light.light != "grey" else ""},
        f"card-{slot}-group": {"children": place},
        f"card-{slot}-name": {"children": facts.name},
        f"card-{slot}-what": {"children": light.reason},
        f"card-{slot}-rest": {"children": each.rest},
        f"card-{slot}-ill": {"children": ill},
        f"card-{slot}-age": {"data-seen": epoch(light.seen_at)},
    }


__all__ = [
    "ALL_CARDS", "CARDS", "ProvincePainter", "blank_facts", "centre_path", "groups_of", "province_skeleton", "slots",
]  # fmt: skip
