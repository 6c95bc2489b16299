"""Writing observations: raw rows, spans of presence per post, the state of windows and cameras. Repeatable, any order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.centre import Centre
from domain.observations import Observation
from store.aggregates import note_late
from store.blindness import mark_cameras
from store.connection import Connection
from store.incidents import write_incidents
from store.ingest import WriteResult
from store.sources import note_sources
from store.spans import SILENT_AFTER, Span, combine, fold, order

#: (camera, post)
PostKey = tuple[str, str]
#: Posts that belong to each (centre, window), from the centre files: one that never spoke makes its window unknown, not absent.
Posts = Mapping[tuple[str, str], Collection[PostKey]]

#: Reasons that mean: no picture came at all.
NO_PICTURE = ("no_frame", "stale", "restart", "refused", "unauthorised", "unreachable", "undecodable")
#: What comes later than this is kept, but changes no span: the raw rows it would be folded with may be gone.
LATEST = timedelta(days=2)

_SPAN = (
    "since, until, state, reason, seen_at, method, observation_id, observed_at, people, waiting, answer_since"
)


def posts_of(centre: Centre) -> Posts:
    """The posts of each of a centre's windows as its file names them."""
    posts: dict[tuple[str, str], list[PostKey]] = {}
    for camera in centre.cameras:
        for post in camera.posts:
            posts.setdefault((centre.centre.id, post.window), []).append((camera.id, post.name))
    return posts


def write_observations(
    connection: Connection,
    observations: Sequence[Observation],
    *,
    now: datetime,
    posts: Posts | None = None,
    silent_after: Mapping[str, timedelta] | None = None,
) -> WriteResult:
    """Writes a batch in one transaction.

    Args:
        now: the system's moment of receipt.
        posts: which posts each window has; without it those that have spoken.
        silent_after: by centre, the longest time without an observation that does not break a span; default a minute.
    """
    if not observations:
        return WriteResult()
    with connection.transaction():
        fresh = _insert(connection, observations, now)
        note_late(connection, {(row.centre, row.at) for row in fresh}, now)
        note_sources(connection, "camera", _signs_of_life(fresh))
        words = [row for row in fresh if row.kind == "camera.state"]
        _write_cameras(connection, words)
        of_posts: dict[tuple[str, str, str, str], list[Observation]] = {}
        for row in fresh:
            if (
                row.kind != "camera.state"
                and row.window is not None
                and row.post is not None
                and row.at > now - LATEST
            ):
                of_posts.setdefault((row.centre, row.window, row.camera, row.post), []).append(row)
        windows = sorted({key[:2] for key in of_posts})
        if windows:
            # First of all the windows, in order: they are the lock under which their posts' spans change.
            columns = [list(column) for column in zip(*windows, strict=True)]
            connection.execute(
                "insert into window_state (centre, window_id) select * from unnest(%s::text[], %s::text[])"
                " on conflict do nothing",
                columns,
            )
            connection.execute(
                "select 1 from window_state where (centre, window_id) in (select * from unnest(%s::text[], %s::text[]))"
                " order by centre, window_id for update",
                columns,
            )
            changed = {
                key[:2]
                for key in sorted(of_posts)
                if _write_post(
                    connection,
                    key,
                    sorted(of_posts[key], key=order),
                    (silent_after or {}).get(key[0], SILENT_AFTER),
                )
            }
            due = [_write_window(connection, *key, posts, changed=key in changed) for key in windows]
            if any(due):
                connection.execute("select pg_notify('mingjing', 'window')")
        if write_incidents(connection, [row for row in fresh if row.kind == "site.state"]):
            connection.execute("select pg_notify('mingjing', 'source')")
        if mark_cameras(connection, ((row.centre, row.camera) for row in words)):
            connection.execute("select pg_notify('mingjing', 'window')")
    return WriteResult(len(fresh), len(observations) - len(fresh))


def _insert(connection: Connection, observations: Iterable[Observation], now: datetime) -> list[Observation]:
    unique = {(row.centre, row.at, row.observation_id): row for row in reversed(list(observations))}
    ordered = [unique[key] for key in sorted(unique)]
    columns = [
        [getattr(row, name) for row in ordered]
        for name in (
            "centre", "at", "observation_id", "kind", "camera", "window", "post", "state", "reason", "since", "until",
            "score", "looks_expected", "looks_valid", "looks_seen", "method", "people", "waiting", "clock_offset",
        )
    ]  # fmt: skip
    written = connection.execute(
        "insert into observation (centre, at, observation_id, kind, camera, window_id, post, state, reason, since, until,"
        " score, looks_expected, looks_valid, looks_seen, method, people, waiting, clock_offset, received_at,"
        " department)"
        " select u.*, %s::timestamptz, d.department from unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::float8[],"
        " %s::int[], %s::int[], %s::int[], %s::text[], %s::int[], %s::boolean[], %s::float8[])"
        " as u (c, a, o, k, m, w, p, s, r, f, t, e, x, v, n, h, y, b, l)"
        " left join window_department d on d.centre = c and d.window_id = w and d.until is null"
        " on conflict do nothing returning centre, at, observation_id",
        [now, *columns],
    )
    return [unique[row] for row in sorted(written.fetchall())]


def _signs_of_life(observations: Iterable[Observation]) -> dict[tuple[str, str], datetime]:
    """When each camera last gave a picture; a dark or covered one is one, "no picture" is none."""
    signs: dict[tuple[str, str], datetime] = {}
    for row in observations:
        if row.kind == "site.state":
            continue
        if row.state != "unknown" or (row.kind != "camera.state" and row.reason not in NO_PICTURE):
            key = (row.centre, row.camera)
            signs[key] = max(signs.get(key, row.at), row.at)
    return signs


def _write_cameras(connection: Connection, observations: Sequence[Observation]) -> None:
    for row in sorted(observations, key=lambda row: (row.centre, row.camera, *order(row))):
        connection.execute(
            "insert into camera_state as old (centre, camera, state, reason, since, seen_at, clock_offset)"
            " values (%(centre)s, %(camera)s, %(state)s, %(reason)s, %(since)s, %(at)s, %(offset)s)"
            " on conflict (centre, camera) do update set state = excluded.state, reason = excluded.reason,"
            " since = case when (old.state, old.reason) is not distinct from (excluded.state, excluded.reason)"
            "   then old.since else excluded.since end,"
            " clock_offset = coalesce(excluded.clock_offset, old.clock_offset),"
            " seen_at = excluded.seen_at where excluded.seen_at >= coalesce(old.seen_at, '-infinity')",
            {
                "centre": row.centre,
                "camera": row.camera,
                "state": row.state,
                "reason": row.reason,
                "since": row.since or row.at,
                "at": row.at,
                "offset": row.clock_offset,
            },
        )


def _write_post(
    connection: Connection,
    key: tuple[str, str, str, str],
    fresh: Sequence[Observation],
    silent_after: timedelta,
) -> bool:
    """Brings one post's spans up to date. In order it costs one row; out of order the spans after the gap are made anew.

    Returns:
        False if all that happened is that the open span goes on.
    """
    centre, _, camera, post = key
    first = fresh[0]
    before = _last_span(connection, key, first.at)
    if before is not None and before.until is None and first.at > before.seen_at:
        spans = fold(before, fresh, silent_after=silent_after)
        if spans[0] != before:
            connection.execute(
                "update presence_span set until = %s, seen_at = %s"
                " where centre = %s and camera = %s and post = %s and since = %s and observation_id = %s",
                [spans[0].until, spans[0].seen_at, centre, camera, post, before.since, before.observation_id],
            )
        _insert_spans(connection, key, spans[1:])
        return len(spans) > 1
    # Late: fold again from the observation that began the span it falls into; the raw rows are still there.
    start = first.at if before is None else before.observed_at
    previous = _last_span(connection, key, start - timedelta(microseconds=1))
    connection.execute(
        "delete from presence_span where centre = %s and camera = %s and post = %s and observed_at >= %s",
        [centre, camera, post, start if previous is None else previous.observed_at],
    )
    if previous is not None:
        previous = replace(previous, until=None)  # its end is found anew
    rows = connection.execute(
        "select observation_id, kind, centre, camera, at, state, window_id, post, reason, since, until, score,"
        " looks_expected, looks_valid, looks_seen, method, people, waiting from observation"
        " where centre = %s and camera = %s and post = %s and at >= %s and kind <> 'camera.state'"
        " order by at, observation_id",
        [centre, camera, post, start],
    )
    _insert_spans(
        connection, key, fold(previous, (Observation(*row) for row in rows), silent_after=silent_after)
    )
    return True


def _last_span(connection: Connection, key: tuple[str, str, str, str], at: datetime) -> Span | None:
    """The span that began last among those whose first observation is not after ``at``."""
    centre, _, camera, post = key
    row = connection.execute(
        f"select {_SPAN} from presence_span where centre = %s and camera = %s and post = %s and observed_at <= %s"
        " order by observed_at desc, since desc limit 1",
        [centre, camera, post, at],
    ).fetchone()
    return None if row is None else Span(*row)


def _insert_spans(connection: Connection, key: tuple[str, str, str, str], spans: Iterable[Span]) -> None:
    centre, window, camera, post = key
    for span in spans:
        connection.execute(
            f"insert into presence_span (centre, window_id, camera, post, {_SPAN})"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                centre, window, camera, post, span.since, span.until, span.state, span.reason, span.seen_at, span.method,
                span.observation_id, span.observed_at, span.people, span.waiting, span.answer_since,
            ],
        )  # fmt: skip


def _write_window(
    connection: Connection, centre: str, window: str, posts: Posts | None, *, changed: bool
) -> bool:
    """Combines the window's posts. True if the window is to be judged now."""
    rows = connection.execute(
        f"select camera, post, {_SPAN} from presence_span where centre = %s and window_id = %s and until is null",
        [centre, window],
    ).fetchall()
    spans = {(row[0], row[1]): Span(*row[2:]) for row in rows}
    keys = (posts or {}).get((centre, window)) or list(spans)
    now = combine(spans.get(key) for key in keys)
    row = connection.execute(
        "select presence, reason, since, judged_at from window_state where centre = %s and window_id = %s",
        [centre, window],
    ).fetchone()
    presence, reason, since, judged_at = row if row is not None else (None, None, None, None)
    same = (presence, reason) == (now.presence, now.reason) and since is not None
    # While nobody is seen every word counts: what a judge could not say for want of fresh data he can say now. And a late
    # word may change what was, though not what is.
    judge = changed or not same or now.presence != "present" or judged_at is None
    begun = now.since
    if same and since is not None and begun is not None and now.presence == "present":
        # One post may take over from another: somebody has been there since the first.
        begun = min(since, begun)
    connection.execute(
        "update window_state set presence = %(presence)s, reason = %(reason)s, since = %(since)s, seen_at = %(seen_at)s,"
        " method = %(method)s, look_at = case when %(judge)s then '-infinity' else look_at end"
        " where centre = %(centre)s and window_id = %(window)s",
        {
            "presence": now.presence,
            "reason": now.reason,
            "since": begun,
            "seen_at": now.seen_at,
            "method": now.method,
            "judge": judge,
            "centre": centre,
            "window": window,
        },
    )
    return judge
