"""A finding that an inspector makes: the same life, messages and evidence as those of the rules."""

from __future__ import annotations

import logging
from typing import cast

from starlette.responses import RedirectResponse, Response

from dashboard.desk.findings_page import MANUAL
from dashboard.desk.markup import Node, tag
from dashboard.desk.page import HEADERS, choice, entry, form, frame, note, rule_words, text_area
from dashboard.desk.visit import Visit
from domain.errors import StepRefusedError
from domain.findings import SEVERITIES, Severity
from store.connection import Connection
from store.finding_life import open_manual

log = logging.getLogger(__name__)


def new(visit: Visit, connection: Connection, band: Node = None, status: int = 200) -> Response:
    """``/new``: the form, filled with what was written before."""
    words, sent = visit.words, visit.form
    if not visit.account.is_inspector:
        return frame(
            visit, words("desk_new"), note(words("desk_refused_role"), "refused"), way="/new", status=403
        )
    windows = [
        ("", words("desk_no_window")),
        *((each.id, visit.window_name(each.id)) for each in visit.centre.windows),
    ]
    body = form(
        visit,
        "/new",
        choice(
            "rule",
            words("desk_manual_kind"),
            [(rule, rule_words(rule, words)) for rule in MANUAL],
            sent.get("rule", ""),
        ),
        choice(
            "severity",
            words("desk_severity"),
            [(name, words(f"light_{name}")) for name in SEVERITIES],
            sent.get("severity", "yellow"),
        ),
        choice("window", words("desk_window"), windows, sent.get("window", visit.query.get("window", ""))),
        entry("case", words("detail_case"), sent.get("case", ""), maxlength=128),
        text_area("text", words("desk_manual_text"), sent.get("text", ""), rows=7),
        tag("p", words("desk_manual_note"), class_="soft"),
        tag("button", words("desk_manual_open"), type="submit"),
        class_="tall",
    )
    return frame(visit, words("desk_new"), band, body, way="/new", status=status)


def open_finding(visit: Visit, connection: Connection) -> Response:
    """``POST /new``."""
    words, sent = visit.words, visit.form
    if not visit.account.is_inspector or not visit.account.person:
        return frame(
            visit, words("desk_new"), note(words("desk_refused_role"), "refused"), way="/new", status=403
        )
    if sent.get("rule") not in MANUAL or sent.get("severity") not in SEVERITIES:
        return new(visit, connection, note(words("desk_no_form"), "refused"), 400)
    try:
        found = open_manual(
            connection, visit.centre,
            rule=sent["rule"], severity=cast("Severity", sent["severity"]), person=visit.account.person,
            text=sent.get("text", ""), now=visit.now, case=sent.get("case", "").strip() or None,
            window=sent.get("window") or None, tell=visit.hands.tell(visit.centre),
        )  # fmt: skip
    except StepRefusedError as refused:
        key = f"desk_refused_{refused.code}"
        sentence = words(key) if words.has(key) else str(refused)
        return new(visit, connection, note(sentence, "refused"), 403 if refused.code == "role" else 409)
    code = found.finding.finding_id
    log.info("desk: finding %s opened by %s", code, visit.account.name)
    return RedirectResponse(visit.link(f"/finding/{code}"), 303, HEADERS)


__all__ = ["new", "open_finding"]
