"""A backup on disk is whole or not there, and says when it has been changed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import InputError, SettingsError, StoreError
from mingjing.backup import archive
from mingjing.backup.archive import Manifest, list_backups, new_backup, prune, read_manifest, seal, verify
from store.dump import ServerFacts

MOMENT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
MANIFEST = Manifest(MOMENT, "mingjing 0.1.0", ServerFacts(180004, None, 4), {"case-events": {0: 17, 3: 2}})


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed backup whose dump is taken for a good one."""
    monkeypatch.setattr(archive, "check_dump", lambda path, major: 12)
    return make(tmp_path / "to", MOMENT)


def make(to: Path, moment: datetime) -> Path:
    with new_backup(to, moment) as folder:
        (folder / archive.DUMP).write_bytes(b"PGDMP" * 100)
        db = sqlite3.connect(folder / archive.LOG)
        db.execute("create table record (id integer primary key)")
        db.close()
        (folder / archive.CENTRE_FOLDER).mkdir()
        (folder / archive.CENTRE_FOLDER / "a.yaml").write_text("centre: {}\n")
        seal(folder, MANIFEST)
        assert list_backups(to) == [each for each in list_backups(to) if each != folder]
    return list_backups(to)[-1]


def test_it_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    to = tmp_path / "to"

    def on_a_full_disk() -> None:
        with new_backup(to, MOMENT) as folder:
            (folder / archive.DUMP).write_bytes(b"half of it")
            assert list_backups(to) == []
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        on_a_full_disk()
    assert [path.name for path in to.iterdir()] == [".lock"]


def test_what_a_killed_one_left_behind_goes_with_the_next(one: Path) -> None:
    (one.parent / f"{archive.UNFINISHED}mingjing-20261119T010000Z").mkdir()
    make(one.parent, MOMENT + timedelta(hours=1))
    assert len(list_backups(one.parent)) == 2
    assert not list(one.parent.glob(f"{archive.UNFINISHED}*"))


def test_two_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("to").mkdir()
    with open(tmp_path / "to" / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SettingsError, match="another backup"), new_backup(tmp_path / "to", MOMENT):
            pass


def test_a_whole_one_verifies_and_only_its_owner_reads_it(one: Path) -> None:
    assert verify(one) == MANIFEST
    assert one.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in one.rglob("*") if path.is_file())
    # Looking at it has left nothing beside the log.
    assert verify(one) == MANIFEST


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda one: flip(one / archive.DUMP), "database.dump is not what was written"),
        (lambda one: flip(one / archive.LOG), "log.db is not what was written"),
        (lambda one: (one / "centre" / "a.yaml").unlink(), "a.yaml is missing"),
        (lambda one: (one / "extra").write_text("x"), "extra is not in SHA256SUMS"),
        (lambda one: (one / archive.MANIFEST).write_text("{"), "manifest.json is damaged"),
        (lambda one: (one / archive.SUMS).unlink(), "has no SHA256SUMS"),
    ],
)
def test_every_change_is_noticed_by_name(one: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(one)
    with pytest.raises(InputError, match=words):
        verify(one)


def test_a_dump_without_tables_is_none(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "check_dump", lambda path, major: 0)
    with pytest.raises(StoreError, match="no table"):
        verify(one)


def test_the_folder_of_backups_is_not_taken_for_one(one: Path) -> None:
    with pytest.raises(InputError, match=one.name):
        read_manifest(one.parent)


def test_a_newer_format_is_refused(one: Path) -> None:
    text = (one / archive.MANIFEST).read_text().replace('"format": 1', '"format": 2')
    (one / archive.MANIFEST).write_text(text)
    with pytest.raises(InputError, match="newer version"):
        read_manifest(one)


def test_the_newest_are_kept(one: Path) -> None:
    made = [one] + [make(one.parent, MOMENT + timedelta(days=day)) for day in (1, 2)]
    (one.parent / "notes.txt").write_text("not ours")
    assert prune(one.parent, 2) == made[:1]
    assert list_backups(one.parent) == made[1:]
    assert (one.parent / "notes.txt").exists()
    assert prune(one.parent, 0) == made[1:2], "the last one is never removed"


def test_sha256sum_reads_the_sums(one: Path) -> None:
    import shutil
    import subprocess

    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum on this machine")
    assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=one).returncode == 0
    assert os.listdir(one.parent)
