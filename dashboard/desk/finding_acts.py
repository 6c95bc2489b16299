"""Clicks on a finding: checked against the state at their moment; one that comes too late is told what happened meanwhile."""

from __future__ import annotations

import logging
from typing import cast

from starlette.responses import RedirectResponse, Response

from dashboard.desk.finding_page import act_words, read_seen, show
from dashboard.desk.markup import Node, tag
from dashboard.desk.page import HEADERS, frame, note
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from domain.errors import StepRefusedError
from domain.finding_life import STEPS, LifeStep
from store.connection import Connection
from store.finding_life import read_life, take_step

log = logging.getLogger(__name__)

#: Refusals that are about the person; the others are about the moment.
_NOT_YOU = frozenset(("role", "own_cause"))


def act(visit: Visit, connection: Connection) -> Response:
    """``POST /finding/{id}/act``: ``step``, ``saw`` (the number that the page showed) and ``text``."""
    code, form, words = visit.query["id"], visit.form, visit.words
    name, text = form.get("step", ""), form.get("text", "")
    saw = form.get("saw", "")
    if name not in STEPS or not saw.isascii() or not saw.isdigit():
        return show(visit, connection, code, note(words("desk_no_form"), "refused"), status=400)
    step = cast("LifeStep", name)
    if read_seen(visit, connection, code) is None:
        return frame(
            visit, words("desk_findings"), note(words("desk_no_finding"), "refused"), way="/", status=404
        )
    if not visit.account.may(step):
        log.warning("desk: %s may not %s finding %s", visit.account.name, step, code)
        return show(visit, connection, code, note(words("desk_refused_role"), "refused"), status=403)
    try:
        take_step(
            connection, visit.centre, code, step,
            person=visit.account.person, now=visit.now, text=text, saw=int(saw), tell=visit.hands.tell(visit.centre),
        )  # fmt: skip
    except StepRefusedError as refused:
        log.info("desk: %s of %s by %s refused: %s", step, code, visit.account.name, refused.code)
        status = 403 if refused.code in _NOT_YOU else 409
        band = note(_refusal(visit, connection, refused, code, int(saw)), "refused")
        return show(visit, connection, code, band, status=status, written=(name, text))
    log.info("desk: %s of %s by %s", step, code, visit.account.name)
    # A look at the answer is a look of its own; reloading it does nothing twice.
    return RedirectResponse(visit.link(f"/finding/{code}", done=name), 303, HEADERS)


def _refusal(visit: Visit, connection: Connection, refused: StepRefusedError, code: str, saw: int) -> Node:
    words = visit.words
    key = f"desk_refused_{refused.code}"
    sentence = words(key) if words.has(key) else str(refused)
    if refused.code != "stale":
        return sentence
    news = [each for each in read_life(connection, visit.centre, code).life.acts if each.number > saw]
    lines = []
    for each in news:
        who = words("act_by_rules") if each.person is None else visit.person(each.person)
        text = str(each.detail.get("text") or "")
        lines.append(
            tag(
                "li",
                words(
                    "desk_meanwhile", at=moment_words(each.at, words), who=who, what=act_words(each, visit)
                ),
                f" {text}",
            )
        )
    return [sentence, tag("ul", lines)]


__all__ = ["act"]
