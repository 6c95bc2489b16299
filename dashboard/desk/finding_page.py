"""One finding: why, who was told, what was done, the rows of the chain; and the buttons that role and state allow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from starlette.responses import Response

from dashboard.desk.findings_page import clocks, sentence
from dashboard.desk.markup import Markup, Node, facts, table, tag
from dashboard.desk.messages_part import messages_part
from dashboard.desk.page import HEADERS, form, frame, joined, note, rule_words, section, severity, text_area
from dashboard.desk.pictures_part import may_look, pictures_part
from dashboard.desk.visit import Visit
from dashboard.explaining import day_rows, explain_facts, moment_words
from domain.chain import Row as ChainRow
from domain.errors import InputError, StepRefusedError, StoreError
from domain.finding_life import STEPS, UNIT, Act, LifeStep, Request, Role, take
from domain.findings import FindingState
from store.connection import Connection
from store.finding_life import FindingLife, read_life
from store.looks import keep_look, rows_about
from store.pictures import look, pictures_of
from store.roster import roles_at

#: In the order of a life.
ORDER: tuple[LifeStep, ...] = ("acknowledge", "answer", "appeal", "uphold", "rectify", "close", "revoke")

#: What of ``explain`` names people.
PEOPLE = frozenset(("on_duty", "clocked_in", "staff", "substitute", "approver"))


def read_seen(visit: Visit, connection: Connection, finding: str) -> FindingLife | None:
    """A finding that this account may see; None: there is none."""
    try:
        found = read_life(connection, visit.centre, finding)
    except StoreError:
        return None
    staff = found.finding.explain.get("staff") if found.finding.case is None else None
    window = found.finding.window
    # Who stands in today for the handler of a window that is not his own was told of it, and has to see it.
    seen = visit.may_see(window, staff) or bool(UNIT & roles_now(visit, connection, window))
    return found if seen else None


def roles_now(visit: Visit, connection: Connection, window: str | None) -> frozenset[Role]:
    """What this account's person is to a finding at a window at this moment."""
    return frozenset(roles_at(connection, visit.centre, window, visit.account.person, visit.now))


def possible(visit: Visit, connection: Connection, found: FindingLife) -> list[LifeStep]:
    """The steps that this account may take now; asked of the rules of a life, so that no button promises what is refused."""
    steps: list[LifeStep] = []
    person = visit.account.person
    roles = roles_now(visit, connection, found.finding.window)
    for step in ORDER:
        if not (visit.account.may(step) and roles & STEPS[step].roles & visit.account.parts):
            continue
        request = Request(
            step, person, roles, visit.now, "…", None, cast("FindingState", found.finding.state), found.is_manual,
            found.appeal_until,
        )  # fmt: skip
        try:
            take(found.life, request)
        except StepRefusedError:
            continue
        steps.append(step)
    return steps


def finding(visit: Visit, connection: Connection) -> Response:
    """``/finding/{id}``. That somebody looked is kept as evidence before he sees it."""
    done = visit.query.get("done", "")
    band = (
        note(visit.words("desk_done", what=visit.words(f"desk_step_{done}")), "done")
        if done in STEPS
        else None
    )
    return show(visit, connection, visit.query["id"], band)


def show(
    visit: Visit,
    connection: Connection,
    code: str,
    band: Node = None,
    *,
    status: int = 200,
    written: tuple[str, str] = ("", ""),
    shown: Mapping[str, bytes] | None = None,
) -> Response:
    """The page of a finding.

    Args:
        shown: pictures whose look is in the chain already.
        band: stands above all else.
        written: step and text of a click that was refused; what was written is not lost.
    """
    words = visit.words
    found = read_seen(visit, connection, code)
    if found is None:
        return frame(
            visit, words("desk_findings"), note(words("desk_no_finding"), "refused"), way="/", status=404
        )
    row, hands = found.finding, visit.hands
    # Before anything is shown; the look is among the rows that are.
    keep_look(
        connection, row.centre, code, row.subject, visit.now,
        person=visit.account.who, what="desk", account=visit.account.name,
    )  # fmt: skip
    rows = rows_about(connection, row.centre, code)
    told = (
        None
        if hands.told is None
        else hands.told(connection, visit.centre, code, visit.now, visit.words.language)
    )
    pictures = pictures_of(connection, code)
    title = tag("span", severity(row.severity, words), " ", rule_words(row.rule, words), class_="title")
    why = [
        tag("p", sentence(visit, found), class_="sentence"),
        facts(_facts(visit, found)),
        _days(visit, row.explain),
    ]
    side = [_standing(visit, found), _buttons(visit, connection, found, written), _downloads(visit, found)]
    return frame(
        visit,
        f"{rule_words(row.rule, words)} · {row.case or visit.window_name(row.window) or row.subject}",
        band,
        tag(
            "div",
            tag("div", section(title, *why), class_="main"),
            tag("div", side, class_="side"),
            class_="two",
        ),
        section(words("life_title"), _timeline(visit, found.life.acts)),
        section(words("desk_messages"), messages_part(visit, told)) if told is not None else None,
        section(words("desk_pictures"), pictures_part(visit, code, pictures, shown or {})),
        section(words("desk_chain"), tag("p", words("desk_chain_what"), class_="soft"), _chain(visit, rows)),
        tag(
            "p",
            words(
                "desk_printed",
                centre=visit.centre.centre.name or row.centre,
                who=visit.person(visit.account.who),
                at=moment_words(visit.now, words),
            ),
            class_="printed",
        ),
        status=status,
    )


def _facts(visit: Visit, found: FindingLife) -> list[tuple[Node, Node]]:
    words, row = visit.words, found.finding
    item = visit.centre.item_by_code.get(row.item or "")
    window = visit.centre.window_by_id.get(row.window or "")
    cause = words(f"desk_cause_{row.state}")
    if row.state == "closed":
        cause = f"{cause} {moment_words(row.closed_at, words)}"
    if row.state == "revoked":
        cause = f"{cause} {moment_words(row.revoked_at, words)} {_reason(row.revoked_reason, visit)}"
    people = [
        f"{words(f'detail_{part}')} {visit.person(code)}"
        for part in ("handler", "superior", "leader")
        if window is not None and (code := getattr(window, part))
    ]
    explain = {key: _named_people(key, value, visit) for key, value in row.explain.items()}
    text, by = (
        explain.pop("text", None) if found.is_manual else None,
        explain.pop("by", None) if found.is_manual else None,
    )
    named = [(words(key) if words.has(key) else key, value) for key, value in explain_facts(explain, words)]
    return [
        (words("desk_number"), tag("span", row.finding_id, class_="code")),
        (words("detail_rule"), f"{rule_words(row.rule, words)} ({row.rule})"),
        (words("detail_case"), row.case or ""),
        (words("detail_item"), joined([row.item or "", item.name if item is not None else ""])),
        (words("desk_window"), visit.window_name(row.window)),
        (words("desk_department"), visit.department_name(row.window)),
        (words("desk_people"), "；".join(people) if words.language == "zh" else "; ".join(people)),
        (words("detail_opened"), moment_words(row.issued_at, words)),
        (words("detail_due"), "" if explain.get("deadline") else moment_words(row.due_at, words)),
        (words("desk_cause"), cause),
        (words("desk_said"), str(text or "")),
        (words("desk_said_by"), visit.person(str(by)) if by else ""),
        *named,
        (words("provisional"), words("detail_provisional") if row.provisional else ""),
    ]  # type: ignore[return-value]


def _named_people(key: str, value: Any, visit: Visit) -> Any:
    """Ids of people as their names; the wall, which is open to everybody, shows the ids."""
    if key not in PEOPLE:
        return value
    return (
        [visit.person(str(each)) for each in value] if isinstance(value, list) else visit.person(str(value))
    )


def _reason(reason: str | None, visit: Visit) -> str:
    """Revocations by the rules say it in both languages, a line each."""
    zh, _, en = (reason or "").partition("\n")
    return en if visit.words.language == "en" and en else zh


def _days(visit: Visit, explain: Mapping[str, Any]) -> Markup | None:
    words = visit.words
    days = day_rows(explain, words)
    if not days:
        return None
    lines = [tag("tr", [tag("td", part) for part in parts], class_=kind) for *parts, kind in days]
    head = (words("detail_day"), words("detail_count"), words("detail_remark"))
    return table(head, lines, caption=words("detail_days"), class_="days")


def _standing(visit: Visit, found: FindingLife) -> Markup:
    words = visit.words
    return section(
        words("life_state"),
        tag("p", words(f"life_{found.life.state}"), class_=f"state state-{found.life.state}"),
        tag("p", clocks(visit, found)),
    )


def _buttons(
    visit: Visit, connection: Connection, found: FindingLife, written: tuple[str, str]
) -> Markup | None:
    words, code = visit.words, found.finding.finding_id
    steps = possible(visit, connection, found)
    if not steps:
        text = words("desk_looks_only") if not visit.account.parts else words("desk_no_step")
        return section(words("desk_act"), tag("p", text, class_="soft"), class_="acts")
    forms = []
    for step in steps:
        body: list[Node] = [
            tag("input", type="hidden", name="step", value=step),
            tag("input", type="hidden", name="saw", value=found.life.number),
        ]
        kept = written[1] if written[0] == step else ""
        if STEPS[step].needs_text:
            body.append(text_area("text", words(f"desk_text_{step}"), kept))
        body.append(tag("button", words(f"desk_step_{step}"), type="submit", class_=f"step-{step}"))
        sent = form(visit, f"/finding/{code}/act", *body)
        if not STEPS[step].needs_text:
            forms.append(sent)
            continue
        summary = tag("summary", words(f"desk_step_{step}"))
        forms.append(tag("details", summary, sent, open=bool(kept) or len(steps) == 1, name="acts"))
    return section(words("desk_act"), forms, class_="acts")


def _downloads(visit: Visit, found: FindingLife) -> Markup | None:
    words, code = visit.words, found.finding.finding_id
    links: list[Node] = [
        tag("button", words("desk_print"), type="button", class_="plain", data_print=True, hidden=True)
    ]
    if visit.hands.bundle is not None and visit.account.sees_people:
        links.append(
            tag("a", words("desk_bundle"), href=visit.link(f"/finding/{code}/bundle"), download=True)
        )
        if found.finding.case:
            address = visit.link(f"/finding/{code}/bundle", whole="case")
            links.append(tag("a", words("desk_bundle_case"), href=address, download=True))
    return section(words("desk_take"), tag("p", joined(links, tag("br"))), class_="take")


def _timeline(visit: Visit, acts: Sequence[Act]) -> Markup:
    words = visit.words
    lines = []
    for act in acts:
        text = str(act.detail.get("text") or act.detail.get(words.language) or "")
        who = visit.person(act.person or act.detail.get("by")) or words("act_by_rules")
        whom = dict.fromkeys(
            visit.person(step["for"])
            for steps in (act.detail.get("acting") or {}).values()
            for step in steps
            if step.get("for")
        )
        if whom:
            who = words("act_for", who=who, whom="/".join(whom))
        late = tag("b", words("act_late"), class_="late") if act.detail.get("late") else None
        lines.append(
            (
                moment_words(act.at, words),
                act_words(act, visit),
                who,
                joined([late, tag("span", text, class_="text")]),
            )
        )
    head = (words("desk_when"), words("desk_step"), words("desk_who"), words("desk_what"))
    return table(head, lines, class_="timeline")


def act_words(act: Act, visit: Visit) -> str:
    """What was done, in a word."""
    key = f"{'act' if act.person is None else 'life'}_{act.step}"
    return visit.words(key) if visit.words.has(key) else act.step


def _chain(visit: Visit, rows: Sequence[ChainRow]) -> Markup:
    words = visit.words
    lines = [
        (
            row.seq,
            moment_words(row.at, words),
            words(f"desk_kind_{row.kind}") if words.has(f"desk_kind_{row.kind}") else row.kind,
            visit.person(_named(row)),
            tag("span", row.hash.hex(), class_="code hash"),
        )
        for row in rows
    ]
    head = (words("desk_row"), words("desk_when"), words("desk_kind"), words("desk_who"), words("desk_hash"))
    return tag(
        "details",
        tag("summary", words("desk_chain_rows", n=len(rows))),
        table(head, lines, class_="chain"),
        class_="chain",
    )


def _named(row: ChainRow) -> str:
    """Of whom a row speaks."""
    try:
        payload = json.loads(row.body or "{}").get("payload") or {}
    except ValueError:
        return ""
    step = payload.get("detail")
    return str(payload.get("person") or (step.get("by") if isinstance(step, dict) else "") or "")


def look_at_pictures(visit: Visit, connection: Connection) -> Response:
    """``POST /finding/{id}/pictures``: ``why``. Who looks, why and at which is in the chain before a picture is shown."""
    words, code = visit.words, visit.query["id"]
    if read_seen(visit, connection, code) is None:
        return frame(
            visit, words("desk_findings"), note(words("desk_no_finding"), "refused"), way="/", status=404
        )
    if not may_look(visit):
        return show(visit, connection, code, note(words("desk_refused_role"), "refused"), status=403)
    try:
        shown = look(
            connection, code, who=visit.account.who, why=visit.form.get("why", ""), now=visit.now, through="desk"
        )  # fmt: skip
    except InputError:
        return show(visit, connection, code, note(words("desk_pictures_no_why"), "refused"), status=400)
    return show(visit, connection, code, note(words("desk_pictures_kept"), "done"), shown=shown)


def bundle(visit: Visit, connection: Connection) -> Response:
    """``/finding/{id}/bundle``: an inspector's bundle, of the finding or with ``whole=case`` of its case."""
    words, code = visit.words, visit.query["id"]
    found = read_seen(visit, connection, code)
    if found is None or visit.hands.bundle is None:
        return frame(
            visit, words("desk_findings"), note(words("desk_no_finding"), "refused"), way="/", status=404
        )
    if not visit.account.sees_people:
        return frame(
            visit, words("desk_findings"), note(words("desk_refused_role"), "refused"), way="/", status=403
        )
    whole = visit.query.get("whole") == "case" and found.finding.case is not None
    made = visit.hands.bundle(connection, visit.centre, code, whole, visit.now, visit.account.who)
    name = f"mingjing-{code}{'-case' if whole else ''}.zip"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made, media_type="application/zip", headers=headers)


__all__ = ["act_words", "bundle", "finding", "look_at_pictures", "possible", "read_seen", "show"]
