"""Silences (静默): whose messages wait, since when, until when and why; begun, changed and ended by inspectors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from starlette.responses import RedirectResponse, Response

from dashboard.desk.hands import Row, SilenceAsked
from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import (
    HEADERS,
    choice,
    chosen,
    entry,
    form,
    frame,
    joined,
    note,
    section,
    severity,
    text_area,
)
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from dashboard.words import Words
from domain.errors import InputError, StepRefusedError
from domain.findings import SEVERITIES
from domain.rule_names import NAMES, rule_name
from store.connection import Connection

log = logging.getLogger(__name__)

PATH = "/silences"
DAYS = ("working", "rest", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: What a silence may ask for, in the order in which the page shows it.
KEYS = ("rule", "severity", "window", "department", "item", "case", "person")
#: Fields of the form, kept when it is refused.
FIELDS = ("rule", "severity", "place", "person", "item", "case", "start", "end", "days", "hours", "reason")
#: How long a new silence is, unless somebody says otherwise.
USUAL = timedelta(hours=2)


def silences(visit: Visit, connection: Connection) -> Response:
    """``/silences``: those in force and to come, those that are over; ``edit`` names one to be changed."""
    done = chosen(visit.query, "done", ("begun", "ended", "changed"))
    return _show(visit, connection, note(visit.words(f"desk_silence_{done}"), "done") if done else None)


def begin(visit: Visit, connection: Connection) -> Response:
    """``POST /silences``: a new one, or with ``replaces`` one in the place of another."""
    words, sent, hands = visit.words, visit.form, visit.hands.silences
    if hands is None or not visit.account.is_inspector:
        log.warning("desk: %s may not begin a silence", visit.account.name)
        return _show(visit, connection, note(words("desk_refused_role"), "refused"), status=403)
    number = sent.get("replaces", "")
    replaces = int(number) if number.isascii() and number.isdigit() else None
    try:
        asked = _asked(visit, sent)
        hands.begin(
            connection, visit.centre, asked, author=visit.account.who, now=visit.now, replaces=replaces
        )
    except StepRefusedError as refused:
        log.info("desk: silence of %s refused: %s", visit.account.name, refused.code)
        return _show(visit, connection, note(words("desk_silence_own"), "refused"), written=sent, status=403)
    except InputError as refused:
        field = str(refused).partition(":")[0]
        log.info("desk: silence of %s refused: %s", visit.account.name, refused)
        key = f"desk_silence_bad_{field}"
        band = note(words(key) if words.has(key) else words("desk_no_form"), "refused")
        return _show(visit, connection, band, written=sent, status=400)
    log.info("desk: silence by %s", visit.account.name)
    done = "begun" if replaces is None else "changed"
    return RedirectResponse(visit.link(PATH, done=done), 303, HEADERS)


def end(visit: Visit, connection: Connection) -> Response:
    """``POST /silences/end``: before its time."""
    words, number, hands = visit.words, visit.form.get("silence", ""), visit.hands.silences
    if hands is None or not visit.account.is_inspector:
        log.warning("desk: %s may not end a silence", visit.account.name)
        return _show(visit, connection, note(words("desk_refused_role"), "refused"), status=403)
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        return _show(visit, connection, note(words("desk_no_form"), "refused"), status=400)
    try:
        hands.end(connection, visit.centre, int(number), by=visit.account.who, now=visit.now)
    except InputError as refused:
        log.info("desk: end of silence %s by %s refused: %s", number, visit.account.name, refused)
        return _show(visit, connection, note(words("desk_silence_is_over"), "refused"), status=409)
    log.info("desk: silence %s ended by %s", number, visit.account.name)
    return RedirectResponse(visit.link(PATH, done="ended"), 303, HEADERS)


def _show(
    visit: Visit,
    connection: Connection,
    band: Node = None,
    *,
    written: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    words, hands = visit.words, visit.hands.silences
    if not visit.account.sees_all or hands is None:
        return frame(
            visit, words("desk_silences"), note(words("desk_refused_role"), "refused"), way=PATH, status=403
        )
    rows = list(hands.every(connection, visit.centre, visit.now))
    now = [row for row in rows if row["state"] != "over"]
    over = [row for row in rows if row["state"] == "over"]
    parts: list[Node] = [
        section(
            words("desk_silences_now"),
            tag("p", words("desk_silences_what"), class_="soft"),
            _table(visit, now) if now else tag("p", words("desk_no_silences"), class_="empty"),
        )
    ]
    if visit.account.is_inspector:
        parts.append(_form(visit, now, written))
    if over:
        summary = tag("summary", words("desk_silences_over", n=len(over)))
        parts.append(
            section(
                words("desk_silences_history"), tag("details", summary, _table(visit, over), class_="chain")
            )
        )
    return frame(visit, words("desk_silences"), band, *parts, way=PATH, status=status)


# ---- the list


def _table(visit: Visit, rows: Iterable[Row]) -> Markup:
    words = visit.words
    acting = visit.account.is_inspector
    lines = []
    for row in rows:
        until: list[Node] = [moment_words(row["ends_at"], words)]
        if row["ended_at"] is not None:
            ended = words(
                "desk_silence_ended_by",
                at=moment_words(row["ended_at"], words),
                who=visit.person(row["ended_by"]),
            )
            until.append(tag("small", ended))
        key = "over_state" if row["state"] == "over" else row["state"]
        state = tag("span", words(f"desk_silence_{key}"), class_=f"silence silence-{row['state']}")
        held = tag("small", words("desk_silence_keeps", n=row["held"])) if row["held"] else None
        line: list[Node] = [
            joined([state, held]),
            match_words(visit, row["match"]),
            moment_words(row["starts_at"], words),
            joined(until),
            recurring_words(words, row["days"], row["hours"]),
            tag("span", row["reason"], class_="text"),
            visit.person(row["author"]),
        ]
        if acting:
            line.append(_acts(visit, row))
        lines.append(line)
    keys = ["state", "match", "start", "end", "hours", "reason", "author"]
    head: list[Node] = [words(f"desk_silence_head_{key}") for key in keys]
    if acting:
        head.append(tag("span", words("desk_act"), class_="unseen"))
    return table(head, lines, class_="silences")


def _acts(visit: Visit, row: Row) -> Node:
    if row["state"] == "over":
        return None
    number = row["silence"]
    stop = form(
        visit,
        f"{PATH}/end",
        tag("input", type="hidden", name="silence", value=number),
        tag("button", visit.words("desk_silence_end"), type="submit"),
        class_="line",
    )
    if not _fits_form(row):
        return stop
    edit = tag("a", visit.words("desk_silence_edit"), href=visit.link(PATH, edit=number) + "#new")
    return [stop, edit]


def _fits_form(row: Row) -> bool:
    """Whether the form can show all of it; one with several values of a kind is made and replaced on the command line."""
    match: Mapping[str, Sequence[str]] = row["match"]
    places = len(match.get("window", ())) + len(match.get("department", ()))
    single = all(len(values) < 2 for key, values in match.items() if key != "case")
    return single and places < 2 and len(row["days"]) < 2


def match_words(visit: Visit, match: Mapping[str, Iterable[str]]) -> Node:
    """What a silence is about, as people call it."""
    words = visit.words
    parts: list[Node] = []
    for key in KEYS:
        for value in match.get(key, ()):
            parts.append(tag("span", _value_words(visit, key, value), class_="chip"))
    return joined(parts) or words("desk_silence_all")


def _value_words(visit: Visit, key: str, value: str) -> Node:
    words = visit.words
    if key == "rule":
        return rules_words(words, value)
    if key == "severity":
        return severity(value, words)
    if key == "window":
        return visit.window_name(value)
    if key == "department":
        return visit.departments.get(value, value)
    if key == "item":
        found = visit.centre.item_by_code.get(value)
        return f"{value} {found.name}".strip() if found is not None else value
    if key == "person":
        return words("desk_silence_to", who=visit.person(value))
    return words("desk_silence_case", case=value)


def rules_words(words: Words, pattern: str) -> str:
    """A pattern of rules by name: one rule, a family, or all."""
    if pattern == "*":
        return words("desk_silence_all_rules")
    family = pattern.removesuffix(".*")
    if pattern != family and words.has(f"desk_family_{family}"):
        return words(f"desk_family_{family}")
    return rule_name(pattern, "en" if words.language == "en" else "zh")


def recurring_words(words: Words, days: Iterable[str], hours: Iterable[str]) -> str:
    """In which hours it holds."""
    named = [words(f"desk_day_{each}") for each in days]
    parts = [words("desk_join").join(named), words("desk_join").join(hours)]
    return " ".join(part for part in parts if part) or words("desk_silence_always")


# ---- the form


def _form(visit: Visit, rows: Iterable[Row], written: Mapping[str, str] | None) -> Markup:
    words = visit.words
    wanted = visit.query.get("edit", "")
    edited = next((row for row in rows if str(row["silence"]) == wanted and _fits_form(row)), None)
    given = dict(written) if written else _fields(visit, edited)
    number = given.get("replaces", "") if written else (str(edited["silence"]) if edited is not None else "")
    centre = visit.centre

    def options(pairs: Iterable[tuple[str, str]], anything: str) -> list[tuple[str, str]]:
        return [("", words(anything)), *pairs]

    places = [
        *(
            (f"department:{each.id}", f"{words('desk_department')} · {each.name}")
            for each in centre.departments
        ),
        *((f"window:{each.id}", visit.window_name(each.id)) for each in centre.windows),
    ]
    days = [(each, words(f"desk_day_{each}")) for each in DAYS]
    title = "desk_silence_change" if number else "desk_silence_new"
    body: list[Node] = [
        tag("input", type="hidden", name="replaces", value=number) if number else None,
        choice("rule", words("desk_silence_rule"), _rules(words), given["rule"], required=True),
        choice(
            "severity",
            words("desk_severity"),
            options([(each, words(f"light_{each}")) for each in SEVERITIES], "desk_any"),
            given["severity"],
        ),
        choice("place", words("desk_silence_place"), options(places, "desk_any"), given["place"]),
        choice(
            "person",
            words("desk_silence_person"),
            options([(each.id, each.name) for each in centre.people], "desk_any"),
            given["person"],
        ),
        choice(
            "item",
            words("detail_item"),
            options([(each.code, f"{each.code} {each.name}".strip()) for each in centre.items], "desk_any"),
            given["item"],
        ),
        entry("case", words("desk_silence_cases"), given["case"], maxlength=400),
        entry("start", words("desk_silence_start"), given["start"], type_="datetime-local", required=True),
        entry("end", words("desk_silence_until"), given["end"], type_="datetime-local", required=True),
        choice("days", words("desk_silence_days"), options(days, "desk_silence_every_day"), given["days"]),
        entry("hours", words("desk_silence_hours"), given["hours"], placeholder="18:00-08:00", maxlength=200),
        text_area("reason", words("desk_silence_reason"), given["reason"], rows=2),
        tag("button", words(title), type="submit"),
        tag("a", words("desk_silence_not"), href=visit.link(PATH)) if number else None,
    ]
    return section(
        tag("span", words(title), id="new"),
        tag("p", words("desk_silence_new_what"), class_="soft"),
        form(visit, PATH, *body, class_="filters wideform"),
        class_="new",
    )


def _rules(words: Words) -> list[tuple[str, str]]:
    """Everything, then each family and its rules."""
    found = [("", words("desk_silence_choose")), ("*", words("desk_silence_all_rules"))]
    families = sorted(
        {name.partition(".")[0] for name in NAMES}, key=lambda each: words(f"desk_family_{each}")
    )
    for family in families:
        named = words(f"desk_family_{family}")
        found.append((f"{family}.*", words("desk_silence_family", family=named)))
        inside = [name for name in NAMES if name.partition(".")[0] == family]
        found += [
            (name, f"{named} · {rule_name(name, 'en' if words.language == 'en' else 'zh')}")
            for name in inside
            if "." in name
        ]
    return found


def _fields(visit: Visit, row: Row | None) -> dict[str, str]:
    """What the form shows first: of a silence to be changed, or of a new one."""
    given = dict.fromkeys(FIELDS, "")
    zone = visit.centre.zone

    def local(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"

    if row is None:
        return given | {"start": local(visit.now), "end": local(visit.now + USUAL)}
    match: Mapping[str, Iterable[str]] = row["match"]
    first = {key: next(iter(match.get(key, ())), "") for key in KEYS}
    place = f"window:{first['window']}" if first["window"] else ""
    if first["department"]:
        place = f"department:{first['department']}"
    return given | {
        "rule": first["rule"] or "*", "severity": first["severity"], "place": place, "person": first["person"],
        "item": first["item"], "case": " ".join(match.get("case", ())), "start": local(row["starts_at"]),
        "end": local(row["ends_at"]), "days": next(iter(row["days"]), ""), "hours": " ".join(row["hours"]),
        "reason": str(row["reason"]),
    }  # fmt: skip


def _asked(visit: Visit, sent: Mapping[str, str]) -> SilenceAsked:
    """
    Raises:
        InputError: a field is none, named before the colon.
    """
    match: dict[str, tuple[str, ...]] = {}
    for key in ("rule", "severity", "person", "item"):
        if sent.get(key):
            match[key] = (sent[key],)
    kind, _, place = sent.get("place", "").partition(":")
    if place:
        if kind not in ("window", "department"):
            raise InputError("window: is no place")
        match[kind] = (place,)
    cases = tuple(sent.get("case", "").replace("，", " ").replace(",", " ").split())
    if cases:
        match["case"] = cases
    if "rule" not in match:
        raise InputError("rule: of what?")
    hours = tuple(sent.get("hours", "").replace("，", " ").replace(",", " ").split())
    days = (sent["days"],) if sent.get("days") else ()
    start, end_ = (_moment(visit, sent.get(name, ""), name) for name in ("start", "end"))
    return SilenceAsked(match, sent.get("reason", "").strip(), start, end_, days, hours)


def _moment(visit: Visit, text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{field}: is no moment") from None
    return moment.replace(tzinfo=visit.centre.zone) if moment.tzinfo is None else moment


__all__ = ["begin", "end", "match_words", "recurring_words", "silences"]
