"""Which pictures findings ask for, and what the machines of the cameras answer. Every answer is one transaction.

A want is written with the finding. The machine that has the camera's loop claims it, sends the pictures and says what is missing and
why; pictures, links, the row of the chain and the want's new state are there together, or none of them is. So a machine may be killed
at any moment or come back after days: what is still in its loop is sent then, and nothing is sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.centre import Centre
from domain.chain import Entry
from domain.findings import Finding
from domain.pictures import Kept, Part, Role, Want
from store import chain
from store.connection import Connection

#: What has to be there of each part, or has a reason.
ROLES: Mapping[Part, tuple[Role, ...]] = {"begin": ("before", "first", "opened"), "end": ("last", "back")}
LINKED, MISSING = "picture.linked", "picture.missing"
#: Findings that rest on pictures.
RULES = ("absence.", "staffing.short")
#: How long after the end the first picture of somebody back may still be on its way to the disk.
SETTLE = timedelta(seconds=30)
#: Waits between two questions that nobody could answer: doubled from the first to the last.
FIRST_WAIT, LAST_WAIT = timedelta(minutes=1), timedelta(hours=1)
#: A want is given up after so long: no loop is kept longer by default, plus a day.
GIVE_UP = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claimed want. ``subject`` is the finding's."""

    want: Want
    subject: str
    give_up_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture that answers a want: its line in the loop, its role, its bytes."""

    kept: Kept
    role: Role
    content: bytes


def want_pictures(
    connection: Connection,
    centre: Centre,
    changes: Sequence[tuple[Finding, str]],
    now: datetime,
    *,
    give_up: timedelta = GIVE_UP,
) -> None:
    """Writes down what pictures changed findings need; inside the transaction that writes the findings.

    Args:
        changes: each finding as it is now, and ``opened | closed | reopened | revoked | amended``.
    """
    keeping = {
        camera.id for camera in centre.cameras if camera.evidence is None or camera.evidence.keep != "none"
    }
    for finding, change in changes:
        if not finding.rule.startswith(RULES) or finding.window is None:
            continue
        posts = _posts(centre, finding)
        if change == "revoked":
            _cancel(connection, finding.finding_id)
            continue
        if finding.closed_at is None:
            _cancel(connection, finding.finding_id, part="end")
        for camera, post in posts:
            for want in wants_of(finding, camera, post):
                _write(connection, want, now, now + give_up, kept=camera in keeping)


def wants_of(finding: Finding, camera: str, post: str) -> list[Want]:
    """What a finding asks of one post: its beginning, and once it is over its end. Pure."""
    explain = finding.explain
    since = _moment(explain.get("since")) or finding.opened_at
    begin = Want(
        finding.finding_id,
        finding.centre,
        camera,
        post,
        "begin",
        min(since, finding.opened_at),
        finding.opened_at,
    )
    if finding.closed_at is None:
        return [begin]
    between = explain.get("absent_until")
    known: Mapping[str, Any] = between if isinstance(between, Mapping) else {}
    until = _moment(known.get("earliest")) or finding.closed_at
    # Without a word about it the people came back: nothing else ends a shortage of people but closing.
    ended_by = str(explain.get("ended_by") or "present")
    end = Want(
        begin.finding_id, begin.centre, camera, post, "end", begin.since, begin.opened_at,
        min(until, finding.closed_at), finding.closed_at, ended_by,
    )  # fmt: skip
    return [begin, end]


def _posts(centre: Centre, finding: Finding) -> list[tuple[str, str]]:
    """(camera, post) of the finding: of the one it names, else of all that watch its window."""
    named = finding.explain.get("post")
    return [
        (camera.id, post.name)
        for camera in centre.cameras
        for post in camera.posts
        if post.window == finding.window and named in (None, post.name)
    ]


def _write(connection: Connection, want: Want, now: datetime, give_up_at: datetime, *, kept: bool) -> None:
    # Of a camera that keeps none nobody is asked; the finding says so.
    missing = [] if kept else [[role, "keep_none"] for role in ROLES[want.part]]
    connection.execute(
        "insert into picture_wanted as old (finding_id, camera, post, part, centre, since, opened_at, until, over, ended_by,"
        " asked_at, not_before, give_up_at, state, missing)"
        " values (%(finding)s, %(camera)s, %(post)s, %(part)s, %(centre)s, %(since)s, %(opened_at)s, %(until)s, %(over)s,"
        " %(ended_by)s, %(now)s, %(not_before)s, %(give_up_at)s, %(state)s, %(missing)s::jsonb)"
        " on conflict (finding_id, camera, post, part) do update set since = excluded.since, until = excluded.until,"
        " over = excluded.over, ended_by = excluded.ended_by, state = excluded.state, missing = excluded.missing,"
        " asked_at = excluded.asked_at,"
        " not_before = excluded.not_before, give_up_at = excluded.give_up_at, attempts = 0, tried_by = '{}'"
        # The same question again is answered already; one that was cancelled is asked anew.
        " where old.state = 'cancelled' or (old.since, old.until, old.over, old.ended_by)"
        " is distinct from (excluded.since, excluded.until, excluded.over, excluded.ended_by)",
        {
            "finding": want.finding_id, "camera": want.camera, "post": want.post, "part": want.part, "centre": want.centre,
            "since": want.since, "opened_at": want.opened_at, "until": want.until, "over": want.over,
            "ended_by": want.ended_by, "now": now, "not_before": now + SETTLE if want.part == "end" else now,
            "give_up_at": give_up_at, "state": "wanted" if kept else "cancelled", "missing": json.dumps(missing),
        },
    )  # fmt: skip


def _cancel(connection: Connection, finding: str, part: Part | None = None) -> None:
    connection.execute(
        "update picture_wanted set state = 'cancelled', missing = '[]' where finding_id = %s and state = 'wanted'"
        " and part = coalesce(%s, part)",
        [finding, part],
    )


# -- the machine of the cameras ----------------------------------------------------------------------------------------


def claim(
    connection: Connection, cameras: Collection[tuple[str, str]], me: str, now: datetime, limit: int = 10
) -> list[Wanted]:
    """Locks wants for cameras (centre, camera) whose moment has come, for the transaction at hand.

    One that another machine could not answer comes at once; one that we could not, after its wait.
    """
    if not cameras:
        return []
    columns = [list(column) for column in zip(*sorted(cameras), strict=True)]
    rows = connection.execute(
        "select w.finding_id, w.centre, w.camera, w.post, w.part, w.since, w.opened_at, w.until, w.over, w.ended_by,"
        " f.subject, w.give_up_at, w.attempts from picture_wanted w join finding f using (finding_id)"
        " join unnest(%s::text[], %s::text[]) as u (centre, camera) on w.centre = u.centre and w.camera = u.camera"
        " where w.state = 'wanted' and (w.not_before <= %s or (w.tried_by <> '{}' and %s <> all(w.tried_by))) and f.state <> 'revoked'"
        " order by w.asked_at, w.finding_id limit %s for update of w skip locked",
        [*columns, now, me, limit],
    )
    return [Wanted(Want(*row[:10]), *row[10:]) for row in rows]


def answer(
    connection: Connection,
    wanted: Wanted,
    sent: Sequence[Sent],
    missing: Sequence[tuple[Role, str]],
    me: str,
    now: datetime,
) -> list[Entry]:
    """Writes an answer; returns the rows for the chain, which have to be appended last in the same transaction."""
    want = wanted.want
    with connection.cursor() as cursor:
        cursor.executemany(
            # One that was deleted stays deleted: whoever still has it shows it by its hash.
            "insert into evidence_picture (sha256, size, content, stored_at) values (decode(%s, 'hex'), %s, %s, %s)"
            " on conflict do nothing",
            [(each.kept.sha256, len(each.content), each.content, now) for each in sent],
        )
    new = [each for each in sent if _link(connection, want, each, now)]
    connection.execute(
        "update picture_wanted set state = 'answered', missing = %s::jsonb, answered_at = %s, tried_by = array[%s],"
        " attempts = attempts + 1 where finding_id = %s and camera = %s and post = %s and part = %s",
        [json.dumps(missing), now, me, want.finding_id, want.camera, want.post, want.part],
    )
    return [_entry(wanted, new, missing, me)] if new or missing else []


def postpone(connection: Connection, wanted: Wanted, reason: str, me: str, now: datetime) -> None:
    """Nothing is known here of that time: perhaps another machine has it, or this one will."""
    want, wait = wanted.want, min(LAST_WAIT, FIRST_WAIT * 2 ** min(wanted.attempts, 10))
    # Every machine is asked once in a wait; the next wait begins when one comes that has been asked.
    connection.execute(
        "update picture_wanted set missing = %(missing)s::jsonb,"
        " not_before = case when tried_by = '{}' or %(me)s = any(tried_by) then %(later)s else not_before end,"
        " attempts = attempts + case when tried_by = '{}' or %(me)s = any(tried_by) then 1 else 0 end,"
        " tried_by = case when %(me)s = any(tried_by) then array[%(me)s] else tried_by || %(me)s::text end"
        " where finding_id = %(finding)s and camera = %(camera)s and post = %(post)s and part = %(part)s",
        {
            "missing": json.dumps([[role, reason] for role in ROLES[want.part]]), "me": me, "later": now + wait,
            "finding": want.finding_id, "camera": want.camera, "post": want.post, "part": want.part,
        },
    )  # fmt: skip


def give_up(connection: Connection, now: datetime, limit: int = 500) -> int:
    """Ends the questions that nobody answered in time; the finding and its chain say so. A transaction of its own.

    Of a finding that a person revoked nothing is asked any more.
    """
    with connection.transaction():
        connection.execute(
            "update picture_wanted w set state = 'cancelled', missing = '[]' from finding f"
            " where f.finding_id = w.finding_id and w.state = 'wanted' and f.state = 'revoked'"
        )
        rows = connection.execute(
            "update picture_wanted w set state = 'given_up', answered_at = %s from finding f where f.finding_id = w.finding_id"
            " and (w.finding_id, w.camera, w.post, w.part) in (select finding_id, camera, post, part from picture_wanted"
            "   where state = 'wanted' and give_up_at <= %s order by give_up_at limit %s for update skip locked)"
            " returning w.centre, f.subject, w.finding_id, w.camera, w.post, w.part, w.missing",
            [now, now, limit],
        ).fetchall()
        by_centre: dict[str, list[Entry]] = {}
        for centre, subject, finding, camera, post, part, missing in rows:
            told = {"camera": camera, "post": post, "part": part, "missing": missing, "why": "given_up"}
            by_centre.setdefault(centre, []).append(Entry(MISSING, subject, told, finding))
        for centre, entries in sorted(by_centre.items()):
            chain.append(connection, centre, entries, now)
    return len(rows)


def pending_spans(
    connection: Connection, cameras: Collection[tuple[str, str]]
) -> list[tuple[str, str, datetime, datetime]]:
    """(centre, camera, since, until) of what is still wanted of cameras: no loop may lose that."""
    if not cameras:
        return []
    columns = [list(column) for column in zip(*sorted(cameras), strict=True)]
    return connection.execute(
        "select w.centre, w.camera, w.since, coalesce(w.over, w.opened_at) from picture_wanted w"
        " join unnest(%s::text[], %s::text[]) as u (centre, camera) on w.centre = u.centre and w.camera = u.camera"
        " where w.state = 'wanted'",
        columns,
    ).fetchall()


def _link(connection: Connection, want: Want, sent: Sent, now: datetime) -> bool:
    kept = sent.kept
    done = connection.execute(
        "insert into finding_picture (finding_id, camera, post, role, sha256, centre, state, taken_at, clock_offset, linked_at)"
        " values (%s, %s, %s, %s, decode(%s, 'hex'), %s, %s, %s, %s, %s) on conflict do nothing",
        [
            want.finding_id, want.camera, want.post, sent.role, kept.sha256, want.centre, kept.states.get(want.post),
            kept.at, kept.offset, now,
        ],
    )  # fmt: skip
    return bool(done.rowcount)


def _entry(wanted: Wanted, sent: Sequence[Sent], missing: Sequence[tuple[Role, str]], me: str) -> Entry:
    want = wanted.want
    told = {
        "camera": want.camera,
        "post": want.post,
        "part": want.part,
        "machine": me,
        "pictures": [
            {
                "sha256": each.kept.sha256,
                "size": len(each.content),
                "role": each.role,
                "state": each.kept.states.get(want.post),
                "taken_at": each.kept.at,
                # Whole numbers: how a fraction is written differs between programs.
                "clock_offset_ms": None if each.kept.offset is None else round(each.kept.offset * 1000),
            }
            for each in sent
        ],
        "missing": [list(each) for each in missing],
    }
    return Entry(LINKED if sent else MISSING, wanted.subject, told, want.finding_id)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


__all__ = [
    "LINKED", "MISSING", "Sent", "Wanted", "answer", "claim", "give_up", "pending_spans", "postpone", "want_pictures",
    "wants_of",
]  # fmt: skip
