"""What the desk is handed: scores, spot checks, messages and bundles out of the rooms that a dashboard does not import."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.desk.accounts import Accounts
from dashboard.desk.desk import Desk
from dashboard.desk.hands import Hands, ScoreTable
from dashboard.desk.sessions import Sessions
from domain.centre import Centre
from domain.centres import Centres
from mingjing.desk.overview import DeskOverview
from mingjing.desk.silencing import DeskSilences
from mingjing.desk.telling import DeskTelling
from store.connection import Connection, open_pool

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from mingjing.context import Context
    from mingjing.settings import Settings

log = logging.getLogger(__name__)

#: Pages that ask the database at the same time; the walls have connections of their own.
READERS = 3
#: Real seconds for which scores are not counted again.
SCORES_KEPT = 300.0
MOST_PERIODS = 12


class ScoreShelf:
    """Scores as they were counted last: a year of a large centre takes longer than a reader likes to wait twice."""

    def __init__(self, centres: Centres, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._centres, self._now = centres, monotonic
        self._kept: dict[tuple[str, str, str], tuple[float, Mapping[str, list[ScoreTable]]]] = {}
        # One count at a time: two of a year side by side would take the memory of both.
        self._lock = threading.Lock()

    def __call__(
        self, connection: Connection, centre: Centre, kind: str, period: str, by: str, now: datetime
    ) -> Sequence[ScoreTable]:
        """
        Raises:
            InputError: there is no such period.
        """
        # Ranks inside a centre need it alone; those of centres and of peers need all.
        code = "" if by in ("centre", "item") or not self._centres.several else centre.centre.id
        key = (code, kind, period)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or self._now() - kept[0] > SCORES_KEPT:
                centres = list(self._centres.values()) if not code else [centre]
                kept = (self._now(), count_scores(connection, centres, kind, period, now))
                self._kept[key] = kept
                while len(self._kept) > MOST_PERIODS:
                    del self._kept[min(self._kept, key=lambda each: self._kept[each][0])]
        tables = kept[1][by]
        if by == "item":  # of every centre there is one
            mine = [each for each in tables if each.places and each.places[0]["centre"] == centre.centre.id]
            return mine if len(self._centres) > 1 else tables
        return tables


def count_scores(
    connection: Connection, centres: Sequence[Centre], kind: str, text: str, now: datetime
) -> dict[str, list[ScoreTable]]:
    """Tables by subject, of one reading.

    Raises:
        InputError: there is no such period.
    """
    from typing import get_args

    from detectors.scores.cards import By
    from detectors.scores.periods import parse_period
    from mingjing.score_words import card_json
    from mingjing.scores import book_of_database, ranked

    period = parse_period(kind, text, centres[0].zone)  # type: ignore[arg-type]
    as_of = min(period.until - timedelta(microseconds=1), now)
    books = [book_of_database(connection, centre, period, as_of) for centre in centres]
    found: dict[str, list[ScoreTable]] = {}
    for by in get_args(By):
        found[by] = [
            ScoreTable(
                title if len(centres) > 1 and title else "",
                [card_json(place) for place in places],
                as_of,
                now,
            )
            for places, title in ranked(books, period, by)
        ]
    return found


def plan(
    connection: Connection, centre: Centre, first: date, last: date, *, quota: int, person: str, now: datetime
) -> str:
    """A plan of spot checks by a seed that nobody chose."""
    import secrets

    from mingjing.spot_check import make_plan

    code, _ = make_plan(
        connection, centre, first, last, seed=secrets.token_hex(8), quota=quota, every=5, windows=None, person=person, now=now
    )  # fmt: skip
    return code


def quality(connection: Connection, centre: Centre, plan_id: str) -> Mapping[str, Mapping[str, Any]]:
    """How good the findings and the seeing are, after a plan's answers."""
    from mingjing.spot_check import quality_json, report

    return {name: quality_json(found) for name, found in report(connection, centre, plan_id).items()}


def bundle(
    connection: Connection, centre: Centre, finding: str, whole_case: bool, now: datetime, by: str
) -> bytes:
    """An inspector's bundle of a finding, or of its case."""
    from mingjing.audit.exporting import Selection, export
    from store import reading

    case = reading.finding(connection, finding).case if whole_case else None
    wanted = Selection(case=case) if case is not None else Selection(finding=finding)
    return export(connection, centre, wanted, now, by=by)


def _secret(settings: Settings) -> bytes:
    """What signs the sessions: out of the secret that all processes of the wall share, and good for nothing else."""
    from alerts.links import load_or_create_secret

    return hmac.new(load_or_create_secret(settings.ack_secret), b"desk", "sha256").digest()


def make_desk(context: Context) -> tuple[Desk, Callable[[], None]]:
    """The desk of a system, and what closes its connections."""
    from alerts.planner import Planner

    settings, links, channel = context.settings, context.links, context.channel
    kinds = context.channel_kinds
    opened: list[ConnectionPool[Connection]] = []
    lock = threading.Lock()

    @contextmanager
    def lend() -> Iterator[Connection]:
        with lock:  # a desk that nobody visits needs no connections
            if not opened:
                opened.append(open_pool(context.dsn, application="mingjing desk", size=READERS))
        with opened[0].connection() as connection:
            connection.autocommit = True
            yield connection

    def close() -> None:
        for pool in opened:
            pool.close(timeout=1)

    def planner(centre: Centre) -> Planner:
        return Planner(centre, links, channel=channel, kinds=kinds)

    hands = Hands(
        tell=planner,
        told=DeskTelling(planner),
        overview=DeskOverview(planner),
        scores=ScoreShelf(context.centres),
        plan=plan,
        quality=quality,
        bundle=bundle,
        silences=DeskSilences(),
    )
    if settings.desk_trusted_header:
        log.warning(
            "desk: whoever sends the header %s is believed; only a proxy may reach this process",
            settings.desk_trusted_header,
        )
    desk = Desk(
        context.centres,
        context.clock,
        lend,
        Accounts(settings.desk_accounts_file),
        Sessions(_secret(settings)),
        hands,
        trusted_header=settings.desk_trusted_header,
        secure=settings.wall_url.startswith("https:"),
    )
    return desk, close


__all__ = ["SCORES_KEPT", "ScoreShelf", "count_scores", "make_desk"]
