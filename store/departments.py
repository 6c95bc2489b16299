"""Which department each window belongs to, and belonged to: kept when a centre file is taken into use."""

from __future__ import annotations

from datetime import datetime

from domain.centre import Centre
from store.connection import Connection


def keep_departments(connection: Connection, centre: Centre, now: datetime) -> int:
    """Writes what the centre file says where it differs from what is known; how many windows changed hands.

    Observations are written with the department of their time (:mod:`store.observations`).
    """
    pairs = [(window.id, window.department) for window in centre.windows if window.department is not None]
    windows, departments = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    code = centre.centre.id
    with connection.transaction():
        # Several processes may do this at once.
        connection.execute("lock table window_department in share row exclusive mode")
        ended = connection.execute(
            "update window_department d set until = greatest(%s, since) where centre = %s and until is null and not exists ("
            "  select from unnest(%s::text[], %s::text[]) as u (w, p) where u.w = d.window_id and u.p = d.department)",
            [now, code, windows, departments],
        )
        begun = connection.execute(
            "insert into window_department (centre, window_id, department, since)"
            " select %s, w, p, %s from unnest(%s::text[], %s::text[]) as u (w, p) where not exists ("
            "   select from window_department d where d.centre = %s and d.window_id = w and d.until is null)"
            " on conflict (centre, window_id, since) do update set department = excluded.department, until = null",
            [code, now, windows, departments, code],
        )
    return max(ended.rowcount, begun.rowcount)


__all__ = ["keep_departments"]
