"""The panel that answers "why": a finding's ``explain`` as a table a person can check with a calendar and a pencil."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from dashboard.explaining import day_rows, explain_facts, moment_words
from dashboard.facts import Detail, FindingFacts, LifeFacts, PictureFacts
from dashboard.layout import attributes, lamp_icon
from dashboard.lights import camera_text, finding_text, rule_family
from dashboard.view import person_name
from dashboard.words import Words
from domain.centre import Centre, Window
from domain.rule_names import rule_name


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
    named = rule_name(finding.rule, "en" if words.language == "en" else "zh")
    rule = words(f"rule_{family}") if words.has(f"rule_{family}") else named
    acknowledged = ""
    if finding.acknowledged_at is not None:
        acknowledged = (
            f"{moment_words(finding.acknowledged_at, words)} {finding.acknowledged_by or ''}".strip()
        )
    facts = [
        ("detail_rule", f"{rule} ({finding.rule})"),
        ("detail_case", finding.case or ""),
        ("detail_item", f"{finding.item or ''} {item}".strip()),
        ("detail_opened", moment_words(finding.opened_at, words)),
        ("detail_due", "" if finding.explain.get("deadline") else moment_words(finding.due_at, words)),
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
    if finding.life is not None:
        body += life_section(finding.life, centre, words, now)
    if finding.pictures is not None:
        body += pictures_section(finding.pictures, words)
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
    address = f"/desk/finding/{quote(finding.finding_id, safe='')}?centre={quote(centre.centre.id, safe='')}"
    body.append(html.P(html.A(words("desk_open_here"), href=address), className="panel-note"))
    return html.Section(body, className="panel-finding")


def life_section(life: LifeFacts, centre: Centre, words: Words, now: datetime) -> list[Component]:
    """What was done about a finding, by whom, and what is awaited until when."""
    names = {person.id: person.name for person in centre.people}
    acts = []
    for act in life.acts:
        key = f"{'act' if act.person is None else 'life'}_{act.step}"
        late = words("act_late") if act.detail.get("late") else ""
        remark = " ".join(part for part in (late, str(act.detail.get("text") or "")) if part)
        cells = [
            moment_words(act.at, words),
            words(key) if words.has(key) else act.step,
            words("act_by_rules") if act.person is None else names.get(act.person, act.person),
            remark,
        ]
        acts.append(html.Tr([html.Td(cell) for cell in cells]))
    state = [html.Div([html.Dt(words("life_state")), html.Dd(words(f"life_{life.state}"))])]
    for each in life.awaited:
        until = ""
        if each.due_at is not None:
            at = moment_words(each.due_at, words)
            late = words("await_late", at=at, span=words.span(now - each.due_at))
            until = late if each.is_late(now) else words("await_until", at=at)
        state.append(html.Div([html.Dt(words(f"await_{each.step}")), html.Dd(until)]))
    return [
        html.H4(words("life_title")),
        html.Dl(state, className="facts"),
        html.Table([html.Tbody(acts)], className="days"),
    ]


def pictures_section(pictures: PictureFacts, words: Words) -> list[Component]:
    """How many pictures there are and their hashes; what is missing, and why. No picture: the wall is open to everybody."""
    said = [words("pictures_count", n=len(pictures.sha256))]
    if pictures.waiting:
        said.append(words("pictures_waiting"))
    if pictures.sha256:
        said.append(words("pictures_hashes"))
    rows = [html.Li(name, className="picture-hash") for name in pictures.sha256]
    for camera, post, role, reason in pictures.missing:
        key = f"pictures_why_{reason}"
        why = words(key) if words.has(key) else camera_text(reason, words)
        rows.append(
            html.Li(
                words("pictures_missing", place=f"{camera}/{post}", role=words(f"pictures_{role}"), why=why)
            )
        )
    return [
        html.H4(words("pictures_title")),
        html.P(" ".join(said), className="panel-note"),
        html.Ul(rows, className="pictures"),
    ]


__all__ = ["day_rows", "explain_facts", "finding_section", "life_section", "panel", "pictures_section"]
