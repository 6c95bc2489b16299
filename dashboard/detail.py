"""The panel that answers "why": a finding's ``explain`` as a table a person can check with a calendar and a pencil."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.facts import Detail, FindingFacts
from dashboard.layout import attributes, lamp_icon
from dashboard.lights import camera_text, finding_text, rule_family
from dashboard.view import person_name
from dashboard.words import Words
from domain.centre import Centre, Window

#: Keys of ``explain`` that have a line or a column of their own, or that only machines need; the rest is listed as it is.
KNOWN = {
    "start", "limit", "stage", "deemed_accepted", "explicit_deadline", "announced_days", "extensions", "extension",
    "extension_days", "excluded", "used_up", "deadline", "deadline_at", "unpublished_years", "calendar", "articles",
    "counted_days", "first_day_out", "due_day", "stands", "started_by", "receipt", "decision", "event_id", "from", "ground",
    "notice_no", "window", "kind",
}  # fmt: skip
#: A panel is for people: over two years of days nobody checks by hand.
MOST_DAYS = 800


def panel(detail: Detail | None, centre: Centre, words: Words, now: datetime) -> list[Component]:
    """Children of the panel. ``detail`` None: reading failed."""
    close = html.Button(
        "×", className="panel-close", title=words("close"), **attributes({"aria-label": words("close")})
    )
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
            invented = person is not None and person.invented and words("invented") not in name
            mark = f" ({words('invented')})" if invented else ""
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
        ("detail_rule", f"{rule} ({finding.rule})"),
        ("detail_case", finding.case or ""),
        ("detail_item", f"{finding.item or ''} {item}".strip()),
        ("detail_opened", _moment(finding.opened_at, words)),
        ("detail_due", "" if finding.explain.get("deadline") else _moment(finding.due_at, words)),
        *explain_facts(finding.explain, words),
        ("detail_acknowledged", acknowledged),
    ]
    rows = [
        html.Div([html.Dt(words(key) if words.has(key) else key), html.Dd(value)])
        for key, value in facts
        if value
    ]
    days = day_rows(finding.explain, words)
    body: list[Component] = [
        html.H3(
            [lamp_icon(finding.severity), words("why", word=word)],
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
    """``explain`` as lines, in the order in which a person counts; what this page does not know stands at the end."""
    facts: list[tuple[str, str]] = []

    def add(key: str, value: str) -> None:
        if value:
            facts.append((key, value))

    add("detail_stage", _text(explain.get("stage"), words))
    if explain.get("deemed_accepted"):
        add("detail_deemed", words("deemed_yes"))
    add("detail_start", _text(explain.get("start"), words))
    limit = explain.get("limit")
    if isinstance(limit, Mapping):
        unit = f"unit_{limit.get('unit')}"
        add(
            "detail_limit",
            words("detail_limit_days", n=limit.get("days"), unit=words(unit) if words.has(unit) else ""),
        )
    add("detail_explicit", _text(explain.get("explicit_deadline"), words))
    add("detail_announced", _text(explain.get("announced_days"), words))
    lines = [
        words("extension_line", at=_text(entry.get("at"), words), n=entry.get("days"))
        for entry in _mappings(explain.get("extensions"))
    ]
    add("detail_extensions", "\n".join(lines))
    for entry in _mappings([explain.get("extension")]):
        add(
            "detail_late_extension",
            words("extension_line", at=_text(entry.get("at"), words), n=entry.get("days")),
        )
    add(
        "detail_excluded",
        "\n".join(_excluded_line(entry, words) for entry in _mappings(explain.get("excluded"))),
    )
    add("detail_used_up", _text(explain.get("used_up"), words))
    at = _text(explain.get("deadline"), words)
    moment = f"moment_{explain.get('deadline_at')}"
    add("detail_moment", words(moment, at=at) if at and words.has(moment) else at)
    add("detail_unpublished", _text(explain.get("unpublished_years"), words))
    add("detail_calendar", _text(explain.get("calendar"), words))
    add("detail_articles", _text(explain.get("articles"), words))
    for key, value in explain.items():
        if key not in KNOWN:
            add(f"detail_{key}" if words.has(f"detail_{key}") else key, _text(value, words))
    return facts


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _ground(code: object, words: Words) -> str:
    key = f"ground_{code}"
    return words(key) if words.has(key) else str(code or "")


def _excluded_line(entry: Mapping[str, Any], words: Words) -> str:
    last = _text(entry.get("to"), words) or words("excluded_open")
    line = words(
        "excluded_line",
        ground=_ground(entry.get("ground"), words),
        first=_text(entry.get("from"), words),
        last=last,
    )
    return f"{line} {entry['notice_no']}" if entry.get("notice_no") else line


def expand(days: Sequence[object]) -> list[date]:
    """Dates as the rules write them: ``2026-11-24``, or above 60 of them runs ``2026-11-24/2026-11-30``."""
    found: list[date] = []
    for entry in days:
        first, _, last = str(entry).partition("/")
        begin = date.fromisoformat(first).toordinal()
        end = date.fromisoformat(last).toordinal() if last else begin
        found += [date.fromordinal(ordinal) for ordinal in range(begin, min(end, begin + MOST_DAYS) + 1)]
    return found[:MOST_DAYS]


def excluded_dates(explain: Mapping[str, Any], last: date) -> dict[date, str]:
    """Each date that a suspension took, with its ground."""
    found: dict[date, str] = {}
    for entry in _mappings(explain.get("excluded")):
        run = entry.get("excluded")
        if isinstance(run, list) and len(run) == 2 and run[0]:
            until = str(run[1] or last.isoformat())
            for day in expand([f"{run[0]}/{until}"]):
                found.setdefault(day, str(entry.get("ground") or ""))
    return found


def day_rows(explain: Mapping[str, Any], words: Words) -> list[tuple[str, str, str, str]]:
    """(date, number, remark, class) of every date from the first day to the due day.

    Dates that neither count nor were excluded are rest days and written out: "where did the weekend go" is the first
    question anybody asks.
    """
    try:
        counted = expand(explain.get("counted_days") or [])
        if not counted:
            return []
        first = date.fromisoformat(str(explain.get("first_day_out") or counted[0])[:10])
        due = date.fromisoformat(str(explain.get("due_day") or counted[-1])[:10])
        excluded = excluded_dates(explain, due)
    except ValueError:
        return []
    numbers = {day: number for number, day in enumerate(counted, 1)}
    rows: list[tuple[str, str, str, str]] = []
    end = max(due, counted[-1]).toordinal()
    for ordinal in range(first.toordinal(), min(end, first.toordinal() + MOST_DAYS) + 1):
        day = date.fromordinal(ordinal)
        label = f"{day.isoformat()} {words(f'weekday_{day.weekday()}')}"
        if day == first and day not in numbers:
            rows.append((label, "–", words("day_first"), "rest"))
        elif day in numbers:
            remark, kind = (words("day_due"), "due") if day == due else (words("day_counted"), "counted")
            rows.append((label, str(numbers[day]), remark, kind))
        elif day in excluded:
            rows.append((label, "–", words("day_excluded", ground=_ground(excluded[day], words)), "excluded"))
        elif day == due:
            rows.append((label, "–", words("day_due"), "due"))
        else:
            rows.append((label, "–", words("day_rest"), "rest"))
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
        return ", ".join(f"{key} {_text(part, words)}" for key, part in value.items() if part is not None)
    if isinstance(value, Iterable):
        return ", ".join(_text(part, words) for part in value)
    return "" if value is None else str(value)


__all__ = ["MOST_DAYS", "day_rows", "excluded_dates", "expand", "explain_facts", "finding_section", "panel"]
