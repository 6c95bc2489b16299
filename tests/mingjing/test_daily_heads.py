"""Heads of the evidence chain, day by day, without anybody thinking of it: caught up, once, signed, whole, and whoever forges is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from domain.chain import Entry
from domain.clock import FakeClock
from mingjing.audit.command import read_heads
from mingjing.audit.heads import DailyHeads
from mingjing.audit.signing import is_signed_by
from store import chain
from store.connection import Connection, connect
from store.metrics import row_families
from store.upkeep import Upkeep

pytestmark = pytest.mark.postgres

CODE, ZONES = "530502", {"530502": ZoneInfo("Asia/Shanghai")}


def at(text: str) -> datetime:
    """ "11-20 23:59" of 2026 in China."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}+08:00").astimezone(UTC)


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def add(db: Connection, *moments: str) -> None:
    for moment in moments:
        with db.transaction():
            chain.append(db, CODE, [Entry("act.answered", "case:1", {"at": moment})], at(moment))


def keep(db: Connection, now: str, folder: Path | None = None, key: Path | None = None) -> int:
    return DailyHeads(FakeClock(at(now)), ZONES, folder, key)(db)


def days(db: Connection) -> list[tuple[str, int]]:
    return [(each.day.isoformat()[5:], each.head.seq) for each in chain.daily_heads(db, CODE)]


def age(db: Connection) -> float:
    (family,) = [each for each in row_families(db) if each.name == "mingjing_audit_head_age_seconds"]
    return float(family.samples[0].value)


def test_the_days_of_the_centre_are_kept_after_its_midnight_and_missed_ones_caught_up(
    db: Connection, tmp_path: Path
) -> None:
    # Half past midnight in China is still the day before in UTC.
    add(db, "11-20 09:00", "11-20 23:59", "11-21 00:30")
    assert keep(db, "11-20 23:59", tmp_path) == 0
    assert keep(db, "11-21 00:05", tmp_path) == 1
    assert days(db) == [("11-20", 2)]
    assert keep(db, "11-21 12:00", tmp_path) == 0
    add(db, "11-24 10:00")
    assert keep(db, "11-25 08:00", tmp_path) == 4
    # On days on which nothing was written the chain ends where it ended before.
    assert days(db)[1:] == [("11-21", 3), ("11-22", 3), ("11-23", 3), ("11-24", 4)]
    assert sorted(path.name for path in (tmp_path / CODE).iterdir()) == [
        f"2026-11-{day}.json" for day in range(20, 25)
    ]
    assert read_heads(tmp_path)[CODE] == {
        each.head.seq: each.head.hash for each in chain.daily_heads(db, CODE)
    }


def test_without_anything_written_there_is_no_head(db: Connection, tmp_path: Path) -> None:
    assert keep(db, "11-21 00:05", tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_two_processes_never_keep_a_day_twice(database: str, db: Connection, tmp_path: Path) -> None:
    add(db, "11-20 09:00")
    heads = DailyHeads(FakeClock(at("11-21 00:05")), ZONES, tmp_path)
    house = Upkeep(database, FakeClock(at("11-21 00:05")), also={"heads": heads})
    with connect(database, autocommit=True) as other:
        house.round(db)
        assert heads(other) == 0
    assert days(db) == [("11-20", 1)]
    # Nor where both have seen that it is missing.
    (made,) = chain.daily_heads(db, CODE)
    assert chain.keep_daily_head(db, made) is False


def test_a_folder_named_later_gets_all_of_them_and_one_that_is_away_is_told_by_the_age(
    db: Connection, tmp_path: Path
) -> None:
    add(db, "11-20 09:00", "11-21 09:00")
    assert keep(db, "11-22 00:05") == 2
    assert keep(db, "11-22 00:10", tmp_path / "share") == 0
    assert len(list((tmp_path / "share" / CODE).iterdir())) == 2
    away = tmp_path / "a file"
    away.write_text("no folder")
    add(db, "11-22 09:00", "11-25 09:00")
    assert keep(db, "11-25 10:00", away) == 0
    assert days(db)[-1] == ("11-21", 2)
    assert age(db) == (at("11-25 09:00") - at("11-22 00:00")).total_seconds()
    assert keep(db, "11-25 10:00", tmp_path / "share") == 3
    assert age(db) == 9 * 3600


def test_signed_where_there_is_a_key(db: Connection, tmp_path: Path) -> None:
    key, file = Ed25519PrivateKey.generate(), tmp_path / "audit.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    add(db, "11-20 09:00")
    assert keep(db, "11-21 00:05", tmp_path / "heads", file) == 1
    row = json.loads((tmp_path / "heads" / CODE / "2026-11-20.json").read_text())
    assert is_signed_by(row, key.public_key())
    # A key that cannot be read keeps nothing unsigned instead.
    add(db, "11-21 09:00")
    assert keep(db, "11-22 00:05", tmp_path / "heads", tmp_path / "no such key") == 0
    file.write_text("nonsense")
    assert keep(db, "11-22 00:05", tmp_path / "heads", file) == 0


def test_killed_between_file_and_database(
    db: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(db, "11-20 09:00")

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chain, "keep_daily_head", killed)
        with pytest.raises(KeyboardInterrupt):
            keep(db, "11-21 00:05", tmp_path)
    written = (tmp_path / CODE / "2026-11-20.json").read_text()
    assert keep(db, "11-21 00:15", tmp_path) == 1
    assert (tmp_path / CODE / "2026-11-20.json").read_text() == written
    assert days(db) == [("11-20", 1)]


def test_a_chain_that_was_written_anew_does_not_fit_the_head_that_left_the_machine(
    db: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(db, "11-20 09:00")
    keep(db, "11-21 00:05", tmp_path)
    db.execute("alter table evidence disable trigger user; alter table evidence_head disable trigger user")
    db.execute("delete from evidence; delete from evidence_head; delete from evidence_chain")
    add(db, "11-20 09:01")
    assert keep(db, "11-21 00:15", tmp_path) == 0
    assert "another hash" in caplog.text
    assert days(db) == []


def test_a_clock_that_was_set_back_makes_no_chain_shorter(db: Connection) -> None:
    add(db, "11-20 09:00", "11-21 09:00", "11-20 23:00")
    assert keep(db, "11-23 00:05") == 3
    assert [seq for _, seq in days(db)] == sorted(seq for _, seq in days(db))
    assert date.fromisoformat(f"2026-{days(db)[-1][0]}") == date(2026, 11, 22)
