"""The panel that answers "why": a finding's ``explain`` as a table a person can check with a calendar and a pencil."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.catalogue import Words
from dashboard.facts import Detail, FindingFacts
from dashboard.layout import lamp_icon
from dashboard.lights import SHAPES, camera_text, finding_text, rule_family
from dashboard.view import person_name
from domain.centre import Centre, Window

#: Keys of ``explain`` that have a line or a column of their own; whatever else it holds is listed as it is.
KNOWN = {
    "start",
    "limit",
    "unit",
    "counted",
    "days",
    "excluded",
    "extensions",
    "calendar",
    "calendar_version",
}


def panel(detail: Detail | None, centre: Centre, words: Words, now: datetime) -> list[Component]:
    """Children of the panel. ``detail`` None: reading failed."""
    close = html.Button("×", className="panel-close", title=words("close"), **{"aria-label": words("close")})
    if detail is None:
        return [close, html.P(words("detail_failed"), className="panel-note")]
    if detail.window is None and not detail.findings:
        return [close, html.P(words("detail_missing"), className="panel-note")]
    window_id = detail.window.window if detail.window else detail.findings[0].window
    window = next((window for window in centre.windows if window.id == window_id), None)
    head = [
        html.H2([window_id or "", " ", html.Span(window.name if window else "", className="panel-name")]),
        html.P(_department(centre, window), className="panel-department"),
        _people(centre, window, words),
    ]
    if detail.window is not None and detail.window.presence == "unknown":
        head.append(html.P(camera_text(detail.window.reason, words), className="panel-note"))
    findings = [
        finding_section(finding, detail, centre, words, now)
        for finding in sorted(detail.findings, key=lambda finding: finding.weight)
    ]
    if not findings:
        findings = [html.P(words("detail_none"), className="panel-note")]
    return [close, html.Div([*head, *findings], className="panel-body")]


def _department(centre: Centre, window: Window | None) -> str:
    wanted = window.department if window else None
    return next((department.name for department in centre.departments if department.id == wanted), "")


def _people(centre: Centre, window: Window | None, words: Words) -> Component:
    people = {person.id: person for person in centre.people}
    entries = []
    for role in ("handler", "superior", "leader"):
        name = person_name(centre, window, role)
        if name:
            person = people.get(getattr(window, role, None) or "")
            title = f" {person.title}" if person and person.title else ""
            mark = f"（{words('invented')}）" if person and person.invented else ""
            entries.append(html.Div([html.Dt(words(f"detail_{role}")), html.Dd(f"{name}{title}{mark}")]))
    return html.Dl(entries, className="facts")


def finding_section(
    finding: FindingFacts, detail: Detail, centre: Centre, words: Words, now: datetime
) -> Component:
    """One finding: the sentence, the facts, the days."""
    word = words(f"light_{finding.severity}")
    item = next((item.name for item in centre.items if item.code == finding.item), "")
    family = rule_family(finding.rule)
    rule = words(f"rule_{family}") if words.has(f"rule_{family}") else finding.rule
    acknowledged = ""
    if finding.acknowledged_at is not None:
        acknowledged = f"{_moment(finding.acknowledged_at, words)} {finding.acknowledged_by or ''}".strip()
    facts = [
        ("detail_rule", f"{rule}（{finding.rule}）"),
        ("detail_case", finding.case or ""),
        ("detail_item", f"{finding.item or ''} {item}".strip()),
        ("detail_opened", _moment(finding.opened_at, words)),
        ("detail_due", _moment(finding.due_at, words)),
        *explain_facts(finding.explain, words),
        ("detail_acknowledged", acknowledged),
    ]
    rows = [
        html.Div([html.Dt(words(key) if words.has(key) else key), html.Dd(value)])
        for key, value in facts
        if value
    ]
    days = day_rows(finding.explain, finding.due_at, words)
    body: list[Component] = [
        html.H3(
            [lamp_icon(SHAPES[finding.severity], finding.severity), words("why", word=word)],
            className=f"panel-why light-{finding.severity}",
        ),
        html.P(finding_text(finding, words, now, detail.window), className="panel-sentence"),
        html.Dl(rows, className="facts"),
    ]
    if finding.provisional:
        body.append(html.P(words("detail_provisional"), className="panel-note"))
    if days:
        header = html.Tr(
            [html.Th(words("detail_day")), html.Th(words("detail_count")), html.Th(words("detail_remark"))]
        )
        lines = [
            html.Tr([html.Td(day), html.Td(count), html.Td(remark)], className=kind)
            for day, count, remark, kind in days
        ]
        body += [
            html.H4(words("detail_days")),
            html.Table([html.Thead(header), html.Tbody(lines)], className="days"),
        ]
    return html.Section(body, className="panel-finding")


def explain_facts(explain: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """The scalar parts of ``explain``; keys this page does not know are shown under their own name."""
    facts: list[tuple[str, str]] = []
    if explain.get("start"):
        facts.append(("detail_start", _text(explain["start"], words)))
    limit = explain.get("limit")
    if limit:
        facts.append(("detail_limit", limit_text(limit, explain.get("unit"), words)))
    extensions = explain.get("extensions")
    if extensions:
        facts.append(("detail_extensions", "；".join(_text(entry, words) for entry in _listed(extensions))))
    excluded = explain.get("excluded")
    if excluded:
        facts.append(("detail_excluded", "；".join(_span_text(entry, words) for entry in _listed(excluded))))
    calendar = explain.get("calendar_version") or explain.get("calendar")
    if calendar:
        facts.append(("detail_calendar", _text(calendar, words)))
    facts += [
        (key, _text(value, words))
        for key, value in explain.items()
        if key not in KNOWN and not isinstance(value, (list, dict)) and value is not None
    ]
    return facts


def limit_text(limit: object, unit: object, words: Words) -> str:
    if isinstance(limit, Mapping):
        limit, unit = limit.get("days"), limit.get("unit", unit)
    if isinstance(limit, int):
        name = f"unit_{unit}"
        return words("detail_limit_days", n=limit, unit=words(name) if words.has(name) else unit or "")
    return _text(limit, words)


def _ground(code: object, words: Words) -> str:
    key = f"ground_{code}"
    return words(key) if words.has(key) else str(code or "")


def _span_text(entry: object, words: Words) -> str:
    if not isinstance(entry, Mapping):
        return _text(entry, words)
    begin, end = (
        (entry.get(key) for key in ("from", "to"))
        if "from" in entry
        else (entry.get("since"), entry.get("until"))
    )
    return f"{_text(begin, words)} – {_text(end, words)} {_ground(entry.get('ground'), words)}".strip()


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def excluded_dates(explain: Mapping[str, Any]) -> dict[str, str]:
    """Dates that the explanation names as excluded, with their ground."""
    found: dict[str, str] = {}
    for entry in _listed(explain.get("excluded") or []):
        if isinstance(entry, Mapping):
            dates = entry.get("dates") or ([entry["date"]] if "date" in entry else [])
            for day in dates:
                found[str(day)] = str(entry.get("ground") or "")
        elif isinstance(entry, str):
            found[entry[:10]] = ""
    return found


def day_rows(
    explain: Mapping[str, Any], due_at: datetime | None, words: Words
) -> list[tuple[str, str, str, str]]:
    """(date, number, remark, class) for every date from the start to the last counted one.

    Dates between counted ones that are neither counted nor excluded are rest days: written out, because "where did the
    weekend go" is the first question anybody asks.
    """
    counted = explain.get("counted") or explain.get("days") or explain.get("counted_days")
    if not isinstance(counted, list) or not counted:
        return []
    days = [str(day.get("date") if isinstance(day, Mapping) else day)[:10] for day in counted]
    excluded = excluded_dates(explain)
    numbers = {day: number for number, day in enumerate(days, 1)}
    start = str(explain.get("start") or "")[:10]
    due = due_at.astimezone(words.zone).date().isoformat() if due_at else ""
    try:
        first = date.fromisoformat(start or days[0]).toordinal()
        last = date.fromisoformat(days[-1]).toordinal()
    except ValueError:
        return [(day, str(number), "", "counted") for day, number in numbers.items()]
    rows = []
    for ordinal in range(first, min(last, first + 800) + 1):
        day = date.fromordinal(ordinal)
        text = day.isoformat()
        label = f"{text} {words(f'weekday_{day.weekday()}')}"
        if text in numbers:
            remark = words("day_due") if text == due else words("day_counted")
            rows.append((label, str(numbers[text]), remark, "due" if text == due else "counted"))
        elif text in excluded:
            rows.append(
                (label, "–", words("day_excluded", ground=_ground(excluded[text], words)), "excluded")
            )
        else:
            remark = words("day_first") if text == start else words("day_rest")
            rows.append((label, "–", remark, "rest"))
    return rows


def _moment(at: datetime | None, words: Words) -> str:
    return "" if at is None else f"{at.astimezone(words.zone):%Y-%m-%d %H:%M}"


def _text(value: object, words: Words) -> str:
    """Moments in the centre's time, everything else as it is."""
    if isinstance(value, datetime):
        return _moment(value, words)
    if isinstance(value, str):
        if len(value) > 10 and "T" in value:
            try:
                return _moment(datetime.fromisoformat(value), words)
            except ValueError:
                return value
        return value
    if isinstance(value, Mapping):
        return "，".join(f"{key} {_text(part, words)}" for key, part in value.items() if part is not None)
    if isinstance(value, Iterable):
        return "，".join(_text(part, words) for part in value)
    return "" if value is None else str(value)


__all__ = ["day_rows", "excluded_dates", "explain_facts", "finding_section", "limit_text", "panel"]
