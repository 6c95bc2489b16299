"""What was deleted of pictures, and its proof: hashes, counts, reason and moment are rows of the evidence chain.

Of a camera's loop the chain has the SHA-256 of the list of all deleted hashes (32 bytes to a picture, sorted); the list itself stays on the
camera's machine. Of evidence the chain has each hash. So of any picture that turns up one can say whether it was ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.chain import Entry
from store import chain
from store.connection import Connection
from store.pictures import DELETED

#: Pictures of evidence deleted in one transaction.
SLICE = 500
#: How long the pictures of a revoked finding are kept: whoever was accused may want them against us. Six months is the ordinary
#: time to sue (行政诉讼法 art. 46).
REVOKED = timedelta(days=185)


@dataclass(frozen=True, slots=True)
class DeletionRow:
    """What was deleted at once of a camera's day. ``digest`` (hex): SHA-256 of the list of hashes."""

    centre: str
    camera: str
    day: date
    reason: str
    digest: str
    pictures: int
    size: int
    first_at: datetime | None
    last_at: datetime | None
    deleted_at: datetime


def note_deletion(connection: Connection, row: DeletionRow, now: datetime, host: str = "") -> bool:
    """Writes down a deletion in the table and in the chain; False if it is known. A transaction of its own."""
    with connection.transaction():
        done = connection.execute(
            "insert into picture_deletion (centre, camera, day, reason, digest, pictures, bytes, first_at, last_at, deleted_at,"
            " host) values (%s, %s, %s, %s, decode(%s, 'hex'), %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                row.centre, row.camera, row.day, row.reason, row.digest, row.pictures, row.size, row.first_at, row.last_at,
                row.deleted_at, host,
            ],
        )  # fmt: skip
        if not done.rowcount:
            return False
        told = {
            "camera": row.camera, "day": row.day, "reason": row.reason, "hashes_sha256": row.digest, "pictures": row.pictures,
            "bytes": row.size, "first_at": row.first_at, "last_at": row.last_at, "deleted_at": row.deleted_at,
            "machine": host,
        }  # fmt: skip
        chain.append(connection, row.centre, [Entry(DELETED, f"camera:{row.camera}", told)], now)
    return True


def deletions(
    connection: Connection,
    centre: str,
    *,
    camera: str | None = None,
    since: date | None = None,
    limit: int = 200,
) -> list[DeletionRow]:
    """What was deleted of loops, the newest first."""
    rows = connection.execute(
        "select centre, camera, day, reason, encode(digest, 'hex'), pictures, bytes, first_at, last_at, deleted_at"
        " from picture_deletion where centre = %s and camera = coalesce(%s, camera) and day >= coalesce(%s, day)"
        " order by deleted_at desc, camera, day desc limit %s",
        [centre, camera, since, limit],
    )
    return [DeletionRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """A picture of evidence by its hash: of which findings, and whether and why its bytes are gone."""

    findings: tuple[str, ...]
    stored_at: datetime
    deleted_at: datetime | None
    reason: str | None


def known_picture(connection: Connection, sha256: str) -> KnownPicture | None:
    """Whether a picture is, or was, evidence here."""
    row = connection.execute(
        "select stored_at, deleted_at, deleted_reason from evidence_picture where sha256 = decode(%s, 'hex')",
        [sha256],
    ).fetchone()
    if row is None:
        return None
    findings = connection.execute(
        "select distinct finding_id from finding_picture where sha256 = decode(%s, 'hex') order by 1",
        [sha256],
    )
    return KnownPicture(tuple(finding for (finding,) in findings), *row)


def delete_over(
    connection: Connection, now: datetime, *, revoked: timedelta = REVOKED, closed: timedelta | None = None
) -> int:
    """Deletes pictures of which every finding is over; returns how many. A transaction of its own.

    Args:
        revoked: so long after its revocation the pictures of a finding are kept. closed: the same after its life was
            closed; None: as long as the finding, that is for ever.
    """
    with connection.transaction():
        rows = connection.execute(
            # From the few findings that are over to their pictures; a picture that another finding needs stays.
            "with over as (select finding_id from finding where state = 'revoked' and revoked_at <= %(revoked)s"
            "   union all select finding_id from finding where life = 'closed' and updated_at <= %(closed)s::timestamptz),"
            " doomed as (select distinct fp.sha256 from over join finding_picture fp using (finding_id)"
            "   join evidence_picture p using (sha256) where p.content is not null and not exists"
            "   (select 1 from finding_picture other where other.sha256 = fp.sha256"
            "     and other.finding_id not in (select finding_id from over)) limit %(slice)s),"
            " gone as (update evidence_picture p set content = null, deleted_at = %(now)s, deleted_reason = 'over'"
            "   from doomed where p.sha256 = doomed.sha256 returning p.sha256)"
            " select f.centre, f.subject, f.finding_id, array_agg(distinct encode(gone.sha256, 'hex'))"
            " from gone join finding_picture fp using (sha256) join finding f using (finding_id) group by 1, 2, 3 order by 1, 3",
            {
                "revoked": now - revoked, "closed": None if closed is None else now - closed, "now": now, "slice": SLICE,
            },
        ).fetchall()  # fmt: skip
        by_centre: dict[str, list[Entry]] = {}
        for centre, subject, finding, names in rows:
            told = {"pictures": sorted(names), "reason": "over", "deleted_at": now}
            by_centre.setdefault(centre, []).append(Entry(DELETED, subject, told, finding))
        for centre, entries in sorted(by_centre.items()):
            chain.append(connection, centre, entries, now)
    return len({name for *_, names in rows for name in names})


def broken_pictures(connection: Connection) -> Iterable[str]:
    """The stored pictures whose bytes are not what their name says: finding and name, in words."""
    rows = connection.execute(
        "select encode(p.sha256, 'hex'), (select min(finding_id) from finding_picture fp where fp.sha256 = p.sha256)"
        " from evidence_picture p where content is not null and sha256(content) <> p.sha256 order by stored_at limit 20"
    )
    for name, finding in rows:
        yield f"picture {name} of finding {finding}: its bytes are not what its name says"
    missing = connection.execute(
        # What the chain linked is there, or the chain says that it was deleted.
        "select e.finding_id, e.seq, x.p ->> 'sha256' from evidence e"
        " cross join lateral jsonb_array_elements(e.body::jsonb -> 'payload' -> 'pictures') as x (p)"
        " left join evidence_picture p on p.sha256 = decode(x.p ->> 'sha256', 'hex')"
        " where e.kind = 'picture.linked' and p.content is null and not exists (select 1 from evidence d"
        "   where d.finding_id = e.finding_id and d.kind = 'picture.deleted'"
        "     and d.body::jsonb -> 'payload' -> 'pictures' ? (x.p ->> 'sha256')) limit 20"
    )
    for finding, seq, name in missing:
        yield f"picture {name} of finding {finding}: row {seq} knows it, and it is not there"


__all__ = [
    "REVOKED", "DeletionRow", "KnownPicture", "broken_pictures", "delete_over", "deletions", "known_picture", "note_deletion",
]  # fmt: skip
