"""The list of findings: what is to be done, until when, filtered as an inspector asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import get_args

from starlette.responses import Response

from dashboard.desk.markup import Markup, Node, table, tag
from dashboard.desk.page import choice, chosen, clock_words, entry, frame, joined, note, rule_words, severity
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from dashboard.lights import finding_text
from dashboard.source import finding_facts
from dashboard.words import Words
from domain.finding_clocks import FindingSettings, late_before
from domain.finding_life import ENDS, LifeState
from domain.findings import SEVERITIES
from domain.rule_names import NAMES
from store.connection import Connection
from store.finding_life import FindingLife
from store.finding_list import Place, Waiting, Wanted, count_waiting, read_page
from store.roster import windows_at

#: Findings on a page.
ROWS = 50
VIEWS = ("pending", "late", "appealed", "rectified", "all")
#: Letters of what an inspector said that stand in the list.
SENTENCE = 60
#: Rules that inspectors open themselves.
MANUAL = (
    "manual.attitude", "manual.notice", "manual.fees", "manual.absence", "manual.truthfulness", "manual.procedure",
    "manual.other",
)  # fmt: skip


def findings(visit: Visit, connection: Connection) -> Response:
    """``/``."""
    query, words = visit.query, visit.words
    view = chosen(query, "view", VIEWS, "pending")
    basis = _concerned(visit, connection)
    settings = visit.centre.findings or FindingSettings()
    border = late_before(visit.centre.working_time, settings.answer_within, visit.now)
    # A notice is a reminder and asks for no answer: it stands among all, and in no list of what is to be done.
    asked = [each for each in SEVERITIES if each in settings.answers_for]
    try:
        wanted = _wanted(visit, basis)
        after = _place(query.get("after", ""))
    except ValueError:
        return frame(
            visit, words("desk_findings"), note(words("desk_bad_date"), "refused"), way="/", status=400
        )
    if view != "all":
        wanted = replace(wanted, severities=wanted.severities or asked)
    if view == "late":
        wanted = replace(wanted, late_before=border)
    elif view != "all":
        wanted = replace(wanted, life=view)
    oldest = _order(query, view) == "oldest"
    waiting = count_waiting(
        connection, visit.centre.centre.id, replace(basis, severities=asked, late_before=border)
    )
    page = read_page(connection, visit.centre, wanted, after=after, oldest_first=oldest, limit=ROWS)
    kept = {key: value for key, value in query.items() if key not in ("after", "lang", "centre")}
    ways: list[Node] = []
    if after is not None:
        ways.append(tag("a", words("desk_first_page"), href=visit.link("/", **{**kept, "after": None})))
    if page.following is not None:
        mark = f"{page.following.issued_at.isoformat()}~{page.following.finding_id}"
        ways.append(
            tag("a", words("desk_next_page"), href=visit.link("/", **{**kept, "after": mark}), rel="next")
        )
    return frame(
        visit,
        words("desk_findings"),
        _views(visit, view, waiting),
        _filters(visit, view),
        _table(visit, page.rows) if page.rows else tag("p", words("desk_none"), class_="empty"),
        tag("p", joined(ways, " · "), class_="pages") if ways else None,
        way="/",
    )


def _order(query: Mapping[str, str], view: str) -> str:
    """What is to be done stands with the most urgent first; what has been, with the newest."""
    return chosen(query, "order", ("newest", "oldest"), "newest" if view == "all" else "oldest")


def _concerned(visit: Visit, connection: Connection) -> Wanted:
    """What this account may see at all."""
    if visit.account.sees_all:
        return Wanted()
    windows = windows_at(connection, visit.centre, visit.account.person, visit.now)
    return Wanted(windows=sorted(windows), staff=visit.account.person or None)


def _wanted(visit: Visit, basis: Wanted) -> Wanted:
    """
    Raises:
        ValueError: a date is none.
    """
    query, centre = visit.query, visit.centre
    windows: set[str] | None = None if basis.windows is None else set(basis.windows)
    staff = basis.staff

    def narrow(found: set[str] | frozenset[str]) -> None:
        nonlocal windows
        windows = set(found) if windows is None else windows & found

    if query.get("department"):
        narrow({each.id for each in centre.windows if each.department == query["department"]})
        staff = None
    if query.get("window"):
        narrow({query["window"]})
        staff = None
    if query.get("person"):
        narrow(visit.windows_of(query["person"]))
        staff = query["person"] if basis.staff in (None, query["person"]) else None
    rule, severity_wanted = query.get("rule", ""), chosen(query, "severity", SEVERITIES)
    return Wanted(
        life=chosen(query, "life", get_args(LifeState)) or None,
        cause=chosen(query, "cause", ("open", "closed", "revoked")) or None,
        severities=[severity_wanted] if severity_wanted else None,
        rule=rule[:64] or None,
        windows=None if windows is None else sorted(windows),
        staff=staff,
        since=_day(visit, query.get("since", "")),
        until=_day(visit, query.get("until", ""), 1),
        case=query.get("case", "").strip()[:128] or None,
    )


def _day(visit: Visit, text: str, more: int = 0) -> datetime | None:
    if not text:
        return None
    return datetime.combine(date.fromisoformat(text) + timedelta(days=more), time(), visit.centre.zone)


def _place(text: str) -> Place | None:
    at, _, finding = text.partition("~")
    if not finding:
        return None
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError("a moment without its offset")
    return Place(moment, finding)


def _views(visit: Visit, view: str, waiting: Waiting) -> Markup:
    numbers: dict[str, int | None] = {
        "pending": waiting.pending, "late": waiting.late, "appealed": waiting.appealed, "rectified": waiting.rectified,
        "all": None,
    }  # fmt: skip
    words = visit.words
    entries = [
        tag(
            "a",
            words(f"desk_view_{name}"),
            tag("b", numbers[name]) if numbers[name] is not None else None,
            href=visit.link("/", view=name),
            aria_current="true" if name == view else None,
            class_=f"view {'loud' if name in ('late', 'appealed') and numbers[name] else ''}".strip(),
        )
        for name in VIEWS
    ]
    return tag("nav", entries, class_="views", aria_label=words("desk_views"))


def _filters(visit: Visit, view: str) -> Markup:
    query, words, centre = visit.query, visit.words, visit.centre
    every = ("", words("desk_every"))
    own = visit.own_windows
    windows = [each for each in centre.windows if visit.account.sees_all or each.id in own]
    families = sorted({rule.partition(".")[0] for rule in (*NAMES, *MANUAL)})
    rules = [(f"{family}.", words("desk_family", name=family_words(family, visit))) for family in families]
    rules += [(rule, rule_words(rule, words)) for rule in (*NAMES, *MANUAL)]
    fields: list[Node] = [
        tag("input", type="hidden", name="view", value=view),
        tag("input", type="hidden", name="centre", value=centre.centre.id) if visit.centres.several else None,
        choice(
            "severity",
            words("desk_severity"),
            [every, *((name, words(f"light_{name}")) for name in reversed(SEVERITIES))],
            query.get("severity", ""),
        ),
    ]
    if view == "all":
        fields.append(
            choice(
                "life",
                words("life_state"),
                [every, *((name, words(f"life_{name}")) for name in get_args(LifeState))],
                query.get("life", ""),
            )
        )
    fields += [
        choice("rule", words("detail_rule"), [every, *rules], query.get("rule", "")),
        choice(
            "department",
            words("desk_department"),
            [every, *visit.departments.items()],
            query.get("department", ""),
        ),
        choice(
            "window",
            words("desk_window"),
            [every, *((each.id, visit.window_name(each.id)) for each in windows)],
            query.get("window", ""),
        ),
        choice(
            "person",
            words("desk_person"),
            [every, *((each.id, each.name) for each in centre.people)],
            query.get("person", ""),
        )
        if visit.account.sees_all
        else None,
        entry("since", words("desk_from"), query.get("since", ""), type_="date"),
        entry("until", words("desk_to"), query.get("until", ""), type_="date"),
        entry("case", words("detail_case"), query.get("case", ""), maxlength=128, size=14),
        choice(
            "order",
            words("desk_order"),
            [("newest", words("desk_newest")), ("oldest", words("desk_oldest"))],
            _order(query, view),
        ),
        tag("button", words("desk_filter"), type="submit"),
        tag("a", words("desk_clear"), href=visit.link("/", view=view)),
    ]
    return tag("form", fields, method="get", action=visit.link("/").partition("?")[0], class_="filters")


def family_words(family: str, visit: Visit) -> str:
    key = f"desk_family_{family}"
    return visit.words(key) if visit.words.has(key) else family


def _table(visit: Visit, rows: tuple[FindingLife, ...]) -> Markup:
    words = visit.words
    head = (
        "desk_severity",
        "desk_finding",
        "desk_about",
        "desk_window",
        "desk_issued",
        "life_state",
        "desk_clocks",
    )
    return table([words(key) for key in head], [_row(visit, each) for each in rows], class_="findings")


def _row(visit: Visit, found: FindingLife) -> Markup:
    words, row, now = visit.words, found.finding, visit.now
    item = visit.centre.item_by_code.get(row.item or "")
    late = any(each.is_late(now) for each in found.awaited)
    cells: list[Node] = [
        severity(row.severity, words),
        tag("a", rule_words(row.rule, words), href=visit.link(f"/finding/{row.finding_id}")),
        joined(
            [
                tag("span", row.case, class_="code") if row.case else sentence(visit, found),
                tag("small", item.name) if item is not None and item.name else None,
            ],
            tag("br"),
        ),
        joined([visit.window_name(row.window), tag("small", visit.department_name(row.window))], tag("br")),
        moment_words(row.issued_at, words),
        joined([words(f"life_{found.life.state}"), cause_words(found, words)], tag("br")),
        clocks(visit, found),
    ]
    return tag("tr", [tag("td", cell) for cell in cells], class_="late" if late else None)


def sentence(visit: Visit, found: FindingLife) -> str:
    """A finding in one line; of what has ended: how long it was when it ended."""
    row = found.finding
    if found.is_manual:
        said = str(row.explain.get("text") or "").partition("\n")[0]
        return said if len(said) <= SENTENCE else f"{said[: SENTENCE - 1]}…"
    return finding_text(finding_facts(row), visit.words, row.closed_at or row.revoked_at or visit.now)


def cause_words(found: FindingLife, words: Words) -> Markup | None:
    """What the rules say of the cause, where it is over."""
    state = found.finding.state
    if state == "open" or found.life.state in ENDS:
        return None
    return tag("small", words(f"desk_cause_{state}"))


def clocks(visit: Visit, found: FindingLife) -> Node:
    """What is awaited until when, and until when it can be contested."""
    words, now = visit.words, visit.now
    settings = visit.centre.findings or FindingSettings()
    asks = found.finding.severity in settings.answers_for or found.life.state not in ("open", "acknowledged")
    parts: list[Node] = [clock_words(each, words, now) for each in found.awaited if asks]
    if not asks and found.awaited:
        parts.append(tag("span", words("desk_no_answer"), class_="clock soft"))
    if found.life.state in ("open", "acknowledged", "answered") and not found.life.appealed and found.awaited:
        until = found.appeal_until
        if until >= now:
            text = words("desk_appeal_until", at=words.moment(until, now), span=words.span(until - now))
        else:
            text = words("desk_appeal_over", at=words.moment(until, now))
        parts.append(tag("span", text, class_="clock soft"))
    return joined(parts, tag("br")) if parts else tag("span", words("desk_nothing_awaited"), class_="soft")


__all__ = ["MANUAL", "ROWS", "VIEWS", "clocks", "findings", "sentence"]
