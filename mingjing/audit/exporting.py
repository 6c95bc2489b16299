"""Making a bundle out of a running system: facts, counts, acts, messages, the chain that vouches for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.centre import Centre
from domain.chain import Entry, Head, Row, canonical
from domain.errors import InputError
from domain.events import event_to_json
from domain.findings import Finding, finding_to_json
from mingjing.audit import bundle
from mingjing.audit.page import page
from mingjing.audit.rows import row_line
from mingjing.audit.verifying import Told
from mingjing.why.live import as_finding, centre_of_case, stored_of_case
from store import chain, judging, reading
from store.chain import DayHead
from store.connection import Connection
from store.pictures import pictures_in

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Findings in one bundle; a person reads them.
MOST = 2000


@dataclass(frozen=True, slots=True)
class Selection:
    """What a bundle is about: one of the three."""

    case: str | None = None
    finding: str | None = None
    since: datetime | None = None

    @property
    def text(self) -> str:
        if self.case is not None:
            return f"case {self.case}"
        return f"finding {self.finding}" if self.finding is not None else f"since {self.since}"


@dataclass(slots=True)
class Matter:
    """What was selected."""

    findings: list[Finding] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)

    @property
    def subjects(self) -> list[str]:
        return [f"{kind}:{case}" for case in self.cases for kind in ("case", "manual")]


def export(
    connection: Connection,
    centre: Centre,
    wanted: Selection,
    now: datetime,
    *,
    by: str,
    key: Ed25519PrivateKey | None = None,
    pictures: Sequence[Path] = (),
) -> bytes:
    """A bundle; that it was made, and by whom, is the last row in it.

    Raises:
        InputError: nothing is known of what is wanted, or it is too much for one bundle.
        StoreError: there is no such finding.
    """
    code = centre.centre.id
    matter = _select(connection, code, wanted)
    with connection.transaction():
        # Nothing more is said of these findings until the bundle's own row: else a picture might be linked and left out.
        connection.execute("select 1 from evidence_chain where centre = %s for update", [code])
        pictured = pictures_in(connection, [finding.finding_id for finding in matter.findings])
        # A bundle is a look at every picture in it: which they were stands in the row that says who took it.
        what = {"person": by, "what": wanted.text} | ({"pictures": sorted(pictured)} if pictured else {})
        entry = Entry("evidence.exported", "evidence", what)
        head = chain.append(connection, code, [entry], now)
    assert head is not None
    if key is not None:
        sign_head(connection, head, key, now)
    about = chain.numbers_about(connection, code, matter.subjects, [f.finding_id for f in matter.findings])
    first = min([*about, head.seq])
    disclosed = {*about, head.seq}
    told, lines = Told(), []
    for row in chain.read(connection, code, first, head.seq):
        if row.kind == chain.SETTINGS:
            disclosed.add(row.seq)
        shown = row if row.seq in disclosed else _without_body(row)
        told.take(shown)
        lines.append(row_line(shown, disclosed))
    rows = [_row(finding, told) for finding in matter.findings]
    cases = {case: judging.events_of_cases(connection, code, [case])[case] for case in matter.cases}
    events = [event_to_json(arrival.event) for case in matter.cases for arrival in cases[case]]
    files = {
        bundle.CHAIN: "".join(f"{line}\n" for line in lines).encode(),
        bundle.FINDINGS: canonical(rows).encode(),
        bundle.HEADS: canonical(_heads(connection, code, first)).encode(),
        bundle.EVENTS: "".join(f"{canonical(event)}\n" for event in events).encode(),
        bundle.SETTINGS: canonical(_settings(connection, centre, matter)).encode(),
        bundle.MESSAGES: canonical(_messages(connection, matter)).encode(),
    }
    files |= {bundle.picture_name(name): content for name, content in pictured.items()}
    files |= {f"{bundle.PICTURES}{each.name}": each.read_bytes() for each in pictures}
    facts = {
        "centre": code,
        "name": centre.centre.name,
        "what": wanted.text,
        "made_at": now.astimezone(centre.zone),
    }
    centres = {case: centre_of_case(connection, centre, case) for case in matter.cases}
    events_of = {case: [arrival.event for arrival in arrivals] for case, arrivals in cases.items()}
    files[bundle.PAGE] = page(
        facts,
        rows,
        matter.findings,
        events_of,
        centres,
        centre,
        now,
        {n: bundle.digest(c) for n, c in files.items()},
    ).encode()
    return bundle.pack(bundle.seal(files, {**facts, "made_by": by, "version": version("mingjing")}))


def sign_head(connection: Connection, head: Head, key: Ed25519PrivateKey, now: datetime) -> DayHead:
    """Signs an end and keeps it beside the chain."""
    from mingjing.audit.signing import head_text, raw_key

    day = now.astimezone(UTC).date()
    signature = key.sign(head_text(head, day, now).encode())
    kept = DayHead(head, day, now, signature, raw_key(key.public_key()))
    with connection.transaction():
        chain.keep_head(connection, kept)
    return kept


def _select(connection: Connection, code: str, wanted: Selection) -> Matter:
    if wanted.case is not None:
        known = connection.execute(
            "select 1 from case_state where centre = %s and case_id = %s", [code, wanted.case]
        ).fetchone()
        if known is None:
            raise InputError(f"nothing is known of case {wanted.case} in centre {code}")
        return Matter(stored_of_case(connection, code, wanted.case), [wanted.case])
    if wanted.finding is not None:
        found = as_finding(reading.finding(connection, wanted.finding))
        return Matter([found], [found.case] if found.case is not None else [])
    rows = connection.execute(
        "select finding_id from finding where centre = %s and issued_at >= %s order by issued_at, finding_id limit %s",
        [code, wanted.since, MOST + 1],
    ).fetchall()
    if len(rows) > MOST:
        raise InputError(f"more than {MOST} findings since {wanted.since}: choose a later moment")
    findings = [as_finding(reading.finding(connection, finding)) for (finding,) in rows]
    return Matter(findings, sorted({finding.case for finding in findings if finding.case is not None}))


def _without_body(row: Row) -> Row:
    return Row(row.centre, row.seq, row.at, row.kind, row.body_hash, row.prev_hash, row.hash)


def _row(finding: Finding, told: Told) -> dict[str, Any]:
    row = told.of(finding.finding_id)
    # Older than the chain: what the table says, with no row that vouches for it.
    return row if row["row"] is not None else row | {"facts": finding_to_json(finding, ZoneInfo("UTC"))}


def _heads(connection: Connection, code: str, first: int) -> list[dict[str, Any]]:
    from mingjing.audit.signing import head_row

    return [
        head_row(kept.head, kept.day, kept.signed_at, kept.signature, kept.public_key)
        for kept in chain.heads(connection, code, first)
    ]


def _settings(connection: Connection, centre: Centre, matter: Matter) -> dict[str, Any]:
    kept = {}
    for case in matter.cases:
        row = connection.execute(
            "select settings_id from case_state where centre = %s and case_id = %s", [centre.centre.id, case]
        ).fetchone()
        if row is not None and row[0] is not None and row[0] not in kept:
            kept[row[0]] = judging.load_settings(connection, row[0])
    return {
        "calendar": centre.working_time.version,
        "kept_with_cases": kept,  # each under its SHA-256
        "today": centre.clock_settings() if not kept else None,
    }


def _messages(connection: Connection, matter: Matter) -> list[dict[str, Any]]:
    from alerts.outbox import messages_of

    return messages_of(connection, [finding.finding_id for finding in matter.findings])
