"""A year at a glance: a strip of days for each window or department, and one of them month by month.

Unknown is grey hatching, never a colour: a day on which nothing was seen was neither well nor badly staffed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from starlette.responses import Response

from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import choice, chosen, frame, note, section
from dashboard.desk.visit import Visit
from store import history as past
from store.connection import Connection

Tone = Literal["rest", "unknown", "good", "fair", "poor", "bad"]
#: Share of looks that saw somebody, from which on a day has its colour; ours, no law names one.
GOOD, FAIR, POOR = 0.95, 0.85, 0.70
#: A day seen in less than this share of its looks is unknown.
SEEN = 0.5
#: Width of a day and height of a strip, in the strip's own units.
CELL, ROW = 4, 22
#: Above so many strips equal days are one piece, or the page would have more parts than a browser likes.
MOST_SINGLE = 40


@dataclass(frozen=True, slots=True)
class Day:
    """A cell: its colour and what it says."""

    tone: Tone
    text: str


def history(visit: Visit, connection: Connection) -> Response:
    """``/history?by=window&show=staffed&key=A07``."""
    query, words = visit.query, visit.words
    if not visit.account.sees_all:
        return frame(
            visit,
            words("desk_history"),
            note(words("desk_refused_role"), "refused"),
            way="/history",
            status=403,
        )
    by = chosen(query, "by", ("window", "department"), "window")
    shown = chosen(query, "show", ("staffed", "cards"), "staffed")
    centre = visit.centre
    keys = (
        {each.id: visit.window_name(each.id) for each in centre.windows}
        if by == "window"
        else dict(visit.departments)
    )
    key = chosen(query, "key", keys)
    since, until = past.year_before(centre.working_time, visit.now)
    first, last = centre.working_time.local_date(since), centre.working_time.local_date(until)
    days = [date.fromordinal(ordinal) for ordinal in range(first, last + 1)]
    cells = (
        _staffed(visit, connection, by, days) if shown == "staffed" else _cards(visit, connection, by, days)
    )
    parts: list[Node] = [_form(visit, by, shown, key, keys), _legend(visit, shown)]
    if key:
        found = cells.get(key, {})
        parts.append(_months(visit, days, found))
        if by == "window" and shown == "staffed":
            parts.append(_week(visit, connection, key))
    else:
        parts.append(_strips(visit, by, shown, keys, days, cells))
    return frame(visit, words("desk_history"), *parts, way="/history")


Cells = Mapping[str, Mapping[date, Day]]


def _staffed(visit: Visit, connection: Connection, by: str, days: list[date]) -> Cells:
    centre, words = visit.centre, visit.words
    since, until = past.year_before(centre.working_time, visit.now)
    rows = past.staffed_by_day(
        connection, centre.centre.id, since, until, by="window" if by == "window" else "department"
    )
    found: dict[str, dict[date, Day]] = defaultdict(dict)
    for row in rows:
        assert row.day is not None
        share, coverage = row.staffed, row.coverage
        if share is None or coverage is None or coverage < SEEN:
            text = words("desk_day_thin", share="0%" if not coverage else f"{coverage:.0%}")
            found[row.key][row.day] = Day("unknown" if row.expected else "rest", text if row.expected else "")
            continue
        tone: Tone = (
            "good" if share >= GOOD else "fair" if share >= FAIR else "poor" if share >= POOR else "bad"
        )
        text = words(
            "desk_day_staffed",
            share=f"{share:.1%}",
            seen=row.seen,
            valid=row.valid,
            coverage=f"{coverage:.0%}",
        )
        found[row.key][row.day] = Day(tone, text)
    return found


def _cards(visit: Visit, connection: Connection, by: str, days: list[date]) -> Cells:
    """Cards by day of opening. A day on which no event reached us is unknown, not free of cards."""
    centre, words = visit.centre, visit.words
    code = centre.centre.id
    since, until = past.year_before(centre.working_time, visit.now)
    heard = {row.day for row in past.events_by_day(connection, code, since, until)}
    sums: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for row in past.findings_by_day(connection, code, since, until):
        window = centre.window_by_id.get(row.window)
        key = row.window if by == "window" else (window.department if window is not None else None) or ""
        sums[key, row.day][0] += row.yellow
        sums[key, row.day][1] += row.red
        heard.add(row.day)
    found: dict[str, dict[date, Day]] = defaultdict(dict)
    keys = [each.id for each in centre.windows] if by == "window" else list(visit.departments)
    for key in keys:
        for day in days:
            yellow, red = sums.get((key, day), (0, 0))
            if yellow or red:
                text = words("desk_day_cards", yellow=yellow, red=red)
                found[key][day] = Day("bad" if red else "poor", text)
            elif day in heard:
                found[key][day] = Day("good", words("desk_day_none"))
    return found


def _cell(visit: Visit, cells: Mapping[date, Day], day: date) -> Day:
    """A working day of which nothing is known is unknown; a rest day is one."""
    known = cells.get(day)
    if known is not None:
        return known
    working = visit.centre.working_time.is_working(day.toordinal())
    return Day("unknown", visit.words("desk_day_unknown")) if working else Day("rest", "")


def _form(visit: Visit, by: str, shown: str, key: str, keys: Mapping[str, str]) -> Markup:
    words = visit.words
    return tag(
        "form",
        tag("input", type="hidden", name="centre", value=visit.centre.centre.id)
        if visit.centres.several
        else None,
        choice(
            "by",
            words("desk_by"),
            [(each, words(f"desk_by_{each}")) for each in ("window", "department")],
            by,
        ),
        choice(
            "show",
            words("desk_show_what"),
            [(each, words(f"desk_show_{each}")) for each in ("staffed", "cards")],
            shown,
        ),
        choice("key", words("desk_one"), [("", words("desk_every")), *keys.items()], key),
        tag("button", words("desk_show"), type="submit"),
        method="get",
        action=visit.link("/history").partition("?")[0],
        class_="filters",
    )


def _legend(visit: Visit, shown: str) -> Markup:
    words = visit.words
    tones: tuple[Tone, ...] = ("good", "fair", "poor", "bad", "unknown", "rest")
    if shown == "cards":
        tones = ("good", "poor", "bad", "unknown", "rest")
    texts = {
        "good": f"≥ {GOOD:.0%}", "fair": f"{FAIR:.0%}–{GOOD:.0%}", "poor": f"{POOR:.0%}–{FAIR:.0%}", "bad": f"< {POOR:.0%}",
    }  # fmt: skip
    entries = [
        tag(
            "span",
            tag("i", class_=f"swatch tone-{tone}"),
            texts[tone] if shown == "staffed" and tone in texts else words(f"desk_tone_{shown}_{tone}"),
            class_="legend-entry",
        )
        for tone in tones
    ]
    return tag("p", entries, class_="legend")


def _strips(
    visit: Visit, by: str, shown: str, keys: Mapping[str, str], days: list[date], cells: Cells
) -> Markup:
    """A line a subject, a cell a day; the months stand above. Colours come from classes: no style stands in the page."""
    words = visit.words
    width = len(days) * CELL
    marks = [
        tag("text", words("desk_month_mark", y=day.year, m=day.month), x=number * CELL, y=12)
        for number, day in enumerate(days)
        if day.day == 1
    ]
    rows: list[Node] = [
        tag(
            "tr",
            tag("th", words(f"desk_by_{by}"), scope="col"),
            tag("th", tag("svg", marks, viewBox=f"0 0 {width} 16", class_="marks", aria_hidden="true")),
            tag("th", words("desk_whole_year"), scope="col"),
        )
    ]
    for key, name in keys.items():
        known = cells.get(key, {})
        found = [_cell(visit, known, day) for day in days]
        shapes = [
            tag(
                "g",
                tag("title", _title(days[at], found[at], visit)) if length == 1 else None,
                # Written out: a style sheet's address of the hatching would be looked for in the style sheet.
                _box(at, length, fill="url(#hatch)" if found[at].tone == "unknown" else None),
                class_=f"tone-{found[at].tone}",
            )
            for at, length in _pieces(found, single=len(keys) <= MOST_SINGLE)
        ]
        label = _summary(visit, shown, found)
        picture = tag(
            "svg",
            shapes,
            viewBox=f"0 0 {width} {ROW}",
            preserveAspectRatio="none",
            class_="strip",
            role="img",
            aria_label=f"{name}: {label}",
        )
        link = tag("a", name, href=visit.link("/history", by=by, show=shown, key=key))
        rows.append(
            tag("tr", tag("th", link, scope="row"), tag("td", picture), tag("td", label, class_="sum"))
        )
    return tag("div", _hatch(), tag("table", rows, class_="strips"))


def _box(at: int, length: int, **more: object) -> Markup:
    return tag("rect", x=at * CELL, y=0, width=length * CELL, height=ROW, **more)


def _pieces(cells: list[Day], *, single: bool) -> Iterator[tuple[int, int]]:
    """(first day, number of days) of what is drawn; rest days are left blank."""
    at = 0
    while at < len(cells):
        end = at + 1
        while not single and end < len(cells) and cells[end].tone == cells[at].tone:
            end += 1
        if cells[at].tone != "rest":
            yield at, end - at
        at = end


def _hatch() -> Markup:
    """The pattern of what is unknown, once for the page."""
    line = tag("path", d="M-1 1 L1 -1 M0 4 L4 0 M3 5 L5 3", class_="hatch-line")
    ground = tag("rect", width=4, height=4, class_="hatch-ground")
    pattern = tag("pattern", ground, line, id="hatch", width=4, height=4, patternUnits="userSpaceOnUse")
    return tag("svg", tag("defs", pattern), width=0, height=0, class_="unseen", aria_hidden="true")


def _title(day: date, cell: Day, visit: Visit) -> str:
    return f"{day.isoformat()} {visit.words(f'weekday_{day.weekday()}')} {cell.text}".strip()


def _summary(visit: Visit, shown: str, found: list[Day]) -> str:
    """Days that are known and not good, of those known; unknown ones beside them."""
    known = [each for each in found if each.tone not in ("rest", "unknown")]
    unknown = sum(each.tone == "unknown" for each in found)
    bad = sum(each.tone in ("poor", "bad") for each in known)
    if not known:
        return visit.words("desk_no_figure")
    return visit.words(f"desk_sum_{shown}", bad=bad, known=len(known), unknown=unknown)


def _months(visit: Visit, days: list[date], cells: Mapping[date, Day]) -> Markup:
    """Calendars, as on a wall: every day can be read, also by a screen reader."""
    words = visit.words
    months: dict[tuple[int, int], list[date]] = defaultdict(list)
    for day in days:
        months[day.year, day.month].append(day)
    sheets = []
    for (year, month), group in months.items():
        weeks: dict[int, dict[int, date]] = defaultdict(dict)
        for day in group:
            weeks[(day.toordinal() - 1) // 7][day.weekday()] = day
        lines = []
        for _, week in sorted(weeks.items()):
            boxes = []
            for weekday in range(7):
                if weekday not in week:
                    boxes.append(tag("td"))
                    continue
                cell = _cell(visit, cells, week[weekday])
                title = _title(week[weekday], cell, visit)
                boxes.append(
                    tag(
                        "td",
                        week[weekday].day,
                        tag("span", f" {cell.text}", class_="unseen"),
                        class_=f"tone-{cell.tone}",
                        title=title,
                    )
                )
            lines.append(tag("tr", boxes))
        names = [words(f"desk_weekday_{number}") for number in range(7)]
        sheets.append(table(names, lines, caption=words("desk_month_mark", y=year, m=month), class_="month"))
    return tag("div", sheets, class_="months")


def _week(visit: Visit, connection: Connection, window: str) -> Markup:
    """When in the week a window tends to be empty."""
    words = visit.words
    since, until = past.year_before(visit.centre.working_time, visit.now)
    rows = past.staffed_by_hour(connection, visit.centre.centre.id, window, since, until)
    if not rows:
        return section(words("desk_hours"), tag("p", words("desk_no_figure"), class_="empty"))
    known = {(row.weekday, row.hour): row for row in rows}
    hours = sorted({row.hour for row in rows})
    lines = []
    for weekday in sorted({row.weekday for row in rows}):
        cells: list[Node] = [tag("th", words(f"weekday_{weekday - 1}"), scope="row")]
        for hour in hours:
            row = known.get((weekday, hour))
            if row is None or not row.valid or row.valid < SEEN * row.expected:
                cells.append(
                    tag(
                        "td",
                        words("desk_no_figure") if row is not None else "",
                        class_="tone-unknown" if row else None,
                    )
                )
                continue
            share = row.seen / row.valid
            tone = (
                "good" if share >= GOOD else "fair" if share >= FAIR else "poor" if share >= POOR else "bad"
            )
            cells.append(tag("td", f"{share:.0%}", class_=f"tone-{tone}", title=f"{row.seen}/{row.valid}"))
        lines.append(tag("tr", cells))
    head = ["", *(words("desk_hour", h=hour) for hour in hours)]
    return section(words("desk_hours"), table(head, lines, class_="hours"))


__all__ = ["history"]
