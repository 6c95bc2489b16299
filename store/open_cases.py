"""How many cases are open, by window: differences that triggers write (see the migration), put together now and then."""

from __future__ import annotations

from store.connection import Connection


def gather_open_cases(connection: Connection) -> int:
    """Makes one row of all the differences of each window; returns how many rows there were.

    One statement: whoever counts meanwhile sees all the old rows or the new one.
    """
    return connection.execute(
        "with several as (select centre, window_id from open_case group by centre, window_id"
        "   having count(*) > 1 or sum(number) = 0),"
        " gone as (delete from open_case o using several s"
        "   where o.centre = s.centre and o.window_id = s.window_id returning o.centre, o.window_id, o.number),"
        " kept as (insert into open_case select centre, window_id, sum(number) from gone"
        "   group by centre, window_id having sum(number) <> 0)"
        " select 1 from gone"
    ).rowcount
