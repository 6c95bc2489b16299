"""Pictures of findings: which there are, and the one way to see one, which is written down before it is shown.

For screens (the inspectors' desk) and the command line::

    pictures_of(connection, finding_id) -> FindingPictures           # facts only, no pixels: free to show, also on the wall
    look(connection, finding_id, who=…, why=…, now=…, through="desk", sha256=None) -> dict[str, bytes]   # sha256 (hex) → JPEG

``look`` writes a row ``picture.looked`` (who, why, which, through what) into the centre's evidence chain and commits it before it
returns a single byte (L5 art. 16-17: a register of every viewing). ``who`` and ``why`` may not be empty. The connection has to be
outside of a transaction. Pictures are JPEG; whatever may not be kept is black in them. What a picture shows is said by ``role``:
``before`` (last seen), ``first`` (first of the empty seat), ``sample``, ``opened`` (at the opening of the finding), ``last`` (of
the empty seat), ``back``. A role without a picture stands in ``missing`` with its reason; ``waiting`` is what the cameras'
machines have not answered yet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from domain.chain import Entry
from domain.errors import InputError, StoreError
from store import chain
from store.connection import Connection

LOOKED = "picture.looked"
DELETED = "picture.deleted"
#: Characters that a name and a reason may have.
LONGEST = 500


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture of a finding.

    Args:
        state: what the look at this very picture saw of the post: present, absent, unknown; None = not known.
        clock_offset: seconds by which the camera's own clock was ahead of the host's; None = unknown.
        deleted: why it is no longer there; its hash stays. None: it is there.
    """

    sha256: str
    camera: str
    post: str
    role: str
    state: str | None
    taken_at: datetime
    clock_offset: float | None
    size: int
    deleted: str | None = None


@dataclass(frozen=True, slots=True)
class MissingPicture:
    """A picture that was wanted and is not there."""

    camera: str
    post: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class FindingPictures:
    """The pictures of a finding in the order of time, what is missing and why, and how many questions are unanswered."""

    pictures: tuple[PictureRow, ...] = ()
    missing: tuple[MissingPicture, ...] = ()
    waiting: int = 0


def pictures_of(connection: Connection, finding: str) -> FindingPictures:
    """What there is of a finding; empty for one that no picture was ever wanted for."""
    rows = connection.execute(
        "select encode(sha256, 'hex'), camera, post, role, state, taken_at, clock_offset, size, deleted_reason"
        " from finding_picture join evidence_picture using (sha256) where finding_id = %s"
        " order by taken_at, camera, post, role",
        [finding],
    )
    pictures = tuple(PictureRow(*row) for row in rows)
    wants = connection.execute(
        "select camera, post, state, missing from picture_wanted where finding_id = %s order by camera, post, part",
        [finding],
    ).fetchall()
    missing = tuple(
        MissingPicture(camera, post, role, reason) for camera, post, _, all_ in wants for role, reason in all_
    )
    return FindingPictures(pictures, missing, sum(state == "wanted" for _, _, state, _ in wants))


def look(
    connection: Connection,
    finding: str,
    *,
    who: str,
    why: str,
    now: datetime,
    through: str,
    sha256: Collection[str] | None = None,
) -> dict[str, bytes]:
    """The pictures of a finding, or those of them that are asked for; the look is in the chain before they are returned.

    Args:
        through: ``desk``, ``command`` …
        sha256: hexadecimal.

    Raises:
        InputError: nobody looks, or for no reason, or at what is none of the finding's pictures.
        StoreError: there is no such finding.
    """
    for name, text in (("who", who), ("why", why)):
        if not text.strip() or len(text) > LONGEST or not text.isprintable():
            raise InputError(
                f"{name}: a look at a picture needs 1 to {LONGEST} printable characters that say {name}"
            )
    row = connection.execute(
        "select centre, subject from finding where finding_id = %s", [finding]
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no finding {finding}")
    centre, subject = row
    known = {each.sha256 for each in pictures_of(connection, finding).pictures if each.deleted is None}
    wanted = sorted(known if sha256 is None else set(sha256))
    strange = [name for name in wanted if name not in known]
    if strange:
        raise InputError(f"finding {finding} has no picture {strange[0]}")
    if not wanted:
        return {}
    with connection.transaction():
        told = {"person": who.strip(), "pictures": wanted, "through": through, "why": why.strip()}
        chain.append(connection, centre, [Entry(LOOKED, subject, told, finding)], now)
    return _contents(connection, wanted)


def pictures_in(connection: Connection, findings: Collection[str]) -> dict[str, bytes]:
    """The bytes of all pictures of findings, by SHA-256 (hex), for a bundle.

    Not for showing: :func:`look` is. Who makes a bundle writes down himself who looked, in the same transaction.
    """
    rows = connection.execute(
        "select distinct encode(sha256, 'hex') from finding_picture where finding_id = any(%s)",
        [list(findings)],
    )
    return _contents(connection, [name for (name,) in rows])


def _contents(connection: Connection, sha256: Collection[str]) -> dict[str, bytes]:
    rows = connection.execute(
        "select encode(sha256, 'hex'), content from evidence_picture where content is not null"
        " and sha256 in (select decode(name, 'hex') from unnest(%s::text[]) as name)",
        [list(sha256)],
    )
    return {name: bytes(content) for name, content in rows}
