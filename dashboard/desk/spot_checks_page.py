"""Spot checks (抽查): today's looks without any name, each answered by a person, and how good the automatic findings are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from dashboard.desk.hands import Row
from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import HEADERS, choice, entry, form, frame, no_figure, note, section
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from domain.errors import InputError, StoreError
from store import spot_checks as kept
from store.connection import Connection

log = logging.getLogger(__name__)

ANSWERS = ("present", "absent", "unclear")
MOST_DAYS = 92


def checks(visit: Visit, connection: Connection, band: Node = None, status: int = 200) -> Response:
    """``/checks``. The day's plan is for inspectors: who knows when somebody comes is at his seat."""
    words = visit.words
    if not visit.account.sees_all:
        return frame(
            visit,
            words("desk_checks"),
            note(words("desk_refused_role"), "refused"),
            way="/checks",
            status=403,
        )
    code = visit.centre.centre.id
    parts: list[Node] = []
    if visit.account.is_inspector:
        today = visit.now.astimezone(visit.centre.zone).date()
        begin = datetime.combine(today, time(), visit.centre.zone)
        rows = kept.checks_of_day(connection, code, begin, begin + timedelta(days=1))
        parts += [
            section(words("desk_checks_today", day=today.isoformat()), _today(visit, rows)),
            _new_plan(visit, today),
        ]
    else:
        parts.append(tag("p", words("desk_checks_blind"), class_="soft"))
    plans = kept.plans(connection, code)
    parts.append(section(words("desk_plans"), _plans(visit, plans)))
    return frame(visit, words("desk_checks"), band, *parts, way="/checks", status=status)


def _today(visit: Visit, rows: list[kept.CheckRow]) -> Markup:
    words = visit.words
    if not rows:
        return tag("p", words("desk_no_checks"), class_="empty")
    lines = []
    for row in rows:
        if row.at > visit.now:
            state: Node = tag(
                "span", words("desk_check_ahead", span=words.span(row.at - visit.now)), class_="soft"
            )
        elif row.answer is None:
            state = _answer_form(visit, row.check_id)
        else:
            said = words(f"desk_answer_{row.answer}")
            minutes = "" if row.minutes is None else words("desk_empty_for", n=f"{row.minutes:g}")
            by = visit.person(row.person)
            again = tag(
                "details",
                tag("summary", words("desk_correct")),
                _answer_form(visit, row.check_id, again=True),
            )
            state = [tag("b", said), f" {minutes} ", tag("small", by), again]
        lines.append((f"{row.at.astimezone(visit.centre.zone):%H:%M}", _window(visit, row.window), state))
    return table([words("desk_when"), words("desk_window"), words("desk_seen")], lines, class_="checks")


def _window(visit: Visit, window: str) -> Node:
    """The window and its name, and no person's."""
    return visit.window_name(window)


def _answer_form(visit: Visit, check: str, *, again: bool = False) -> Markup:
    words = visit.words
    marks = [
        tag(
            "label",
            tag("input", type="radio", name="answer", value=each, required=True),
            words(f"desk_answer_{each}"),
            class_="mark",
        )
        for each in ANSWERS
    ]
    return form(
        visit,
        "/checks/answer",
        tag("input", type="hidden", name="check", value=check),
        tag("input", type="hidden", name="again", value="1") if again else None,
        tag("fieldset", tag("legend", words("desk_seen"), class_="unseen"), marks),
        entry("minutes", words("desk_empty_minutes"), type_="number", min=0, max=600, step="any", size=5),
        entry("note", words("desk_note"), maxlength=400),
        tag("button", words("desk_answer_send"), type="submit"),
        class_="line",
    )


def _new_plan(visit: Visit, today: date) -> Markup | None:
    if visit.hands.plan is None:
        return None
    words = visit.words
    return section(
        words("desk_new_plan"),
        tag("p", words("desk_new_plan_what"), class_="soft"),
        form(
            visit,
            "/checks/plan",
            entry(
                "first",
                words("desk_from"),
                (today + timedelta(days=1)).isoformat(),
                type_="date",
                required=True,
            ),
            entry(
                "last", words("desk_to"), (today + timedelta(days=5)).isoformat(), type_="date", required=True
            ),
            choice("quota", words("desk_quota"), [(str(n), str(n)) for n in (1, 2, 3, 5)], "1"),
            tag("button", words("desk_draw"), type="submit"),
            class_="filters",
        ),
    )


def _plans(visit: Visit, plans: list[kept.Plan]) -> Markup:
    words = visit.words
    if not plans:
        return tag("p", words("desk_no_plans"), class_="empty")
    today = visit.now.astimezone(visit.centre.zone).date()
    lines = [
        (
            tag("a", plan.plan_id, href=visit.link(f"/checks/plan/{plan.plan_id}"), class_="code"),
            f"{plan.first_day} – {plan.last_day}",
            plan.quota,
            visit.person(plan.made_by),
            moment_words(plan.made_at, words),
            # Whoever knows the seed knows the moments.
            tag("span", plan.seed, class_="code") if plan.last_day < today else words("desk_seed_later"),
        )
        for plan in plans
    ]
    keys = ("desk_plan", "desk_days", "desk_quota", "desk_made_by", "desk_made_at", "desk_seed")
    return table([words(key) for key in keys], lines)


def answer(visit: Visit, connection: Connection) -> Response:
    """``POST /checks/answer``."""
    words, sent = visit.words, visit.form
    if not visit.account.is_inspector or not visit.account.person:
        return frame(
            visit,
            words("desk_checks"),
            note(words("desk_refused_role"), "refused"),
            way="/checks",
            status=403,
        )
    try:
        minutes = float(sent["minutes"]) if sent.get("minutes") else None
    except ValueError:
        minutes = -1.0
    if sent.get("answer") not in ANSWERS or (minutes is not None and not 0 <= minutes <= 600):
        return checks(visit, connection, note(words("desk_no_form"), "refused"), 400)
    check = sent.get("check", "")
    try:
        kept.answer_check(
            connection, check, sent["answer"], person=visit.account.person, now=visit.now, minutes=minutes,
            note=sent.get("note", "").strip()[:400], again=sent.get("again") == "1",
            centre=visit.centre.centre.id,
        )  # fmt: skip
    except (InputError, StoreError) as refused:
        log.info("desk: spot check %s by %s refused: %s", check[:64], visit.account.name, refused)
        return checks(visit, connection, note(words("desk_check_refused"), "refused"), 409)
    return RedirectResponse(visit.link("/checks"), 303, HEADERS)


def make_plan(visit: Visit, connection: Connection) -> Response:
    """``POST /checks/plan``: drawn by a seed that nobody chooses."""
    words, sent, plan = visit.words, visit.form, visit.hands.plan
    if not visit.account.is_inspector or not visit.account.person or plan is None:
        return frame(
            visit,
            words("desk_checks"),
            note(words("desk_refused_role"), "refused"),
            way="/checks",
            status=403,
        )
    try:
        first, last = date.fromisoformat(sent.get("first", "")), date.fromisoformat(sent.get("last", ""))
        quota = int(sent.get("quota", ""))
    except ValueError:
        return checks(visit, connection, note(words("desk_bad_date"), "refused"), 400)
    today = visit.now.astimezone(visit.centre.zone).date()
    if first < today or not 0 <= (last - first).days <= MOST_DAYS or not 1 <= quota <= 10:
        return checks(visit, connection, note(words("desk_bad_span", n=MOST_DAYS), "refused"), 400)
    code = plan(
        connection, visit.centre, first, last, quota=quota, person=visit.account.person, now=visit.now
    )
    log.info("desk: plan %s of spot checks by %s", code, visit.account.name)
    return RedirectResponse(visit.link("/checks"), 303, HEADERS)


def quality(visit: Visit, connection: Connection) -> Response:
    """``/checks/plan/{id}``: precision and recall, with their intervals."""
    words, code = visit.words, visit.query["id"]
    ask = visit.hands.quality
    if not visit.account.sees_all or ask is None:
        return frame(
            visit,
            words("desk_checks"),
            note(words("desk_refused_role"), "refused"),
            way="/checks",
            status=403,
        )
    try:
        found = ask(connection, visit.centre, code)
    except (InputError, StoreError):
        return frame(
            visit, words("desk_checks"), note(words("desk_no_plan"), "refused"), way="/checks", status=404
        )
    keys = (
        "desk_of",
        "desk_planned",
        "desk_usable",
        "desk_unanswered",
        "desk_unobserved",
        "desk_covered",
        "desk_precision",
        "desk_recall",
    )
    lines = [
        (
            words(f"desk_quality_{name}"),
            row["planned"],
            row["usable"],
            row["unanswered"],
            row["blind"],
            no_figure(words) if row["covered"] is None else f"{row['covered']:.0%}",
            _estimate(row["precision"], visit),
            _estimate(row["recall"], visit),
        )
        for name, row in found.items()
    ]
    return frame(
        visit,
        words("desk_quality", plan=code),
        table([words(key) for key in keys], lines, class_="quality"),
        tag("p", words("desk_quality_what"), class_="soft"),
        way="/checks",
    )


def _estimate(found: Row | Mapping[str, Any], visit: Visit) -> Node:
    """The weighed value with its interval, the bare numbers with theirs."""
    words = visit.words
    if found["value"] is None:
        return no_figure(words)
    (low, high), (least, most) = found["interval"], found["exact"]
    bare = words(
        "desk_bare", good=found["good"], sample=found["sample"], low=f"{least:.0%}", high=f"{most:.0%}"
    )
    return [tag("b", f"{found['value']:.1%}"), f" ({low:.1%}–{high:.1%})", tag("br"), tag("small", bare)]


__all__ = ["answer", "checks", "make_plan", "quality"]
