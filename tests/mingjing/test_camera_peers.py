"""Two processes that watch the same camera do not go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain.shares import WHOLE, Share
from mingjing.camera_peers import Beat, Peers, overlapping
from store import Connection, connect
from store.ingest import heartbeat

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        connection.autocommit = True
        yield connection


def turn(db: Connection, peers: Peers, share: Share) -> tuple[str, ...]:
    """One beat, as Heart makes it."""
    peers.look(db)
    heartbeat(db, "cameras", now=NOW, instance="" if share == WHOLE else str(share), detail=peers.detail())
    return peers.rivals


def test_two_of_one_share_notice_each_other_and_that_one_has_gone(
    db: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = Peers(WHOLE), Peers(WHOLE)
    assert turn(db, mine, WHOLE) == ()
    assert turn(db, mine, WHOLE) == ()
    turn(db, other, WHOLE)
    assert turn(db, mine, WHOLE) == ("1/1",)
    assert turn(db, other, WHOLE) == ("1/1",)
    assert "stop one of them" in caplog.text
    turn(db, mine, WHOLE)
    assert turn(db, mine, WHOLE) == ()


def test_a_restart_is_no_second_process(db: Connection) -> None:
    turn(db, Peers(WHOLE), WHOLE)
    again = Peers(WHOLE)
    assert turn(db, again, WHOLE) == ()
    assert turn(db, again, WHOLE) == ()


def test_shares_of_different_splits_meet(db: Connection) -> None:
    half, third = Peers(Share(1, 2)), Peers(Share(2, 3))
    turn(db, half, Share(1, 2))
    assert turn(db, third, Share(2, 3)) == ("1/2",)
    assert turn(db, Peers(Share(2, 2)), Share(2, 2)) == ("2/3",)


def test_shares_of_one_split_do_not() -> None:
    rows = [Beat(f"{n}/4", str(n), 1.0) for n in range(1, 5)]
    assert overlapping(rows) == []
    assert overlapping([*rows, Beat("", "x", 1.0)]) == [("1/1", f"{n}/4") for n in range(1, 5)]
    assert overlapping([*rows, Beat("", "x", 60.0), Beat("nonsense", "y", 1.0)]) == []
    # Whatever has the first remainder of four may have the first of two, never the second.
    assert overlapping([Beat("1/4", "a", 1.0), Beat("2/2", "b", 1.0)]) == []
    assert overlapping([Beat("1/4", "a", 1.0), Beat("1/2", "b", 1.0)]) == [("1/2", "1/4")]
