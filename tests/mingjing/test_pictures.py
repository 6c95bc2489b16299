"""The whole way: a drawn counter, looks, a loop on disk, a finding, its pictures in the store, a bundle; and everything that may break."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from camera_adapters.counter_scene import post_polygons
from camera_adapters.pictures import Keeper
from camera_adapters.pictures_loop import PictureLoop
from camera_adapters.reader import Link
from camera_adapters.runner import CameraRunner, cameras_of
from camera_adapters.simulated import SimulatedSource, Trouble
from domain.centre import Centre
from domain.centres import Centres
from domain.chain import Checker
from domain.clock import FakeClock
from domain.findings import Finding
from mingjing.audit import bundle
from mingjing.audit.exporting import Selection, export
from mingjing.audit.verifying import verify
from mingjing.cli import main
from mingjing.picture_courier import Courier, loop_id
from mingjing.picture_keeping import PictureKeeping, tidy_evidence, with_pictures
from mingjing.settings import Settings
from store import chain
from store.connection import connect
from store.migrate import migrate
from store.observations import write_observations
from store.picture_wants import want_pictures
from store.pictures import look, pictures_of
from streams.rule_loop import RuleLoop
from tests.conftest import ROOT
from tests.fixtures_postgres import with_database

pytestmark = pytest.mark.postgres

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # a Monday, 09:00 in China
LEFT, BACK = 4, 20  # minutes


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def hall(every: float = 10.0) -> Centre:
    posts = [
        {"name": f"p{n}", "window": f"A0{n + 1}", "polygon": polygon}
        for n, polygon in enumerate(post_polygons(2))
    ]
    return Centre.model_validate(
        {
            "centre": {"id": "X", "name": "示范大厅"},
            "windows": [{"id": "A01"}, {"id": "A02"}],
            "cameras": [{"id": "C1", "url": "sim://counter", "every": every, "posts": posts}],
        }
    )


class Script:
    """The clerk of A01 is away for a while; the camera fails once for two minutes."""

    def present(self, window: str, when: datetime) -> bool:
        return window != "A01" or not at(LEFT) <= when < at(BACK)

    def trouble(self, camera: str, when: datetime) -> Trouble | None:
        return None


@dataclass
class House:
    """A hall, its camera machine and its database, with the time in the hand of the test."""

    dsn: str
    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(at(0)))
    centre: Centre = field(default_factory=hall)
    offset: float | None = 2.5

    def __post_init__(self) -> None:
        self.settings = Settings(data=self.folder, database=self.dsn)
        self.db = connect(self.dsn, autocommit=True)
        plan = with_pictures(lambda *_: None, self.centre, self.settings)
        self.loop = RuleLoop(self.dsn, self.centre, self.clock, plan=plan)
        self.start()

    def start(self) -> None:
        """The cameras' process, also anew after a death."""
        watched = cameras_of(Centres.of(self.centre))
        self.pictures = PictureKeeping(self.settings, watched, self.clock, self.dsn)

        def keeper(each, reader):
            reader.source = SimpleNamespace(clock_offset=lambda: self.offset)
            return self.pictures.keeper_of(each, reader)

        self.runner = CameraRunner(
            watched, self.clock, self.publish, wait=lambda _: False, make_script=lambda _: Script(), workers=1,
            make_keeper=keeper,
        )  # fmt: skip
        (self.posting,) = self.runner.postings
        self.posting.reader.link = Link(True)
        self.source = SimulatedSource(
            "C1", ["A01", "A02"], self.clock, Script(), every=10, wait=lambda _: True
        )

    def publish(self, found) -> None:
        write_observations(self.db, found, now=self.clock.now())

    def until(self, minutes: float) -> None:
        """Looks every ten seconds, judges every thirty."""
        while self.clock.now() < at(minutes):
            self.posting.slot.put(next(iter(self.source.frames())))
            self.runner.step(self.runner.shares[0])
            self.pictures.keeper.step()
            self.clock.advance(10)
            if self.clock.now().second % 30 == 0:
                self.loop.tick(self.clock.now())

    def send(self) -> int:
        return self.pictures.courier.round(self.db)

    def finding(self, rule: str = "absence.notice") -> str:
        row = self.db.execute("select finding_id from finding where rule = %s", [rule]).fetchone()
        assert row is not None
        return row[0]

    def close(self) -> None:
        self.loop.close()
        self.db.close()


def made_database(postgres: str, name: str) -> str:
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template template0")
    dsn = with_database(postgres, name)
    migrate(dsn)
    return dsn


@pytest.fixture(scope="module")
def day(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A clerk leaves and comes back; everything is as it should be. For the tests that only read."""
    house = House(made_database(postgres, "mj_pictures_day"), tmp_path_factory.mktemp("day"))
    house.until(LEFT + 15.5)
    assert house.send() > 0, "opened: the beginning"
    house.until(BACK + 2)
    house.send()
    yield house
    house.close()
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("drop database mj_pictures_day with (force)")


def roles(house: House, rule: str = "absence.notice") -> list[tuple[str, int]]:
    found = pictures_of(house.db, house.finding(rule)).pictures
    return [(each.role, round((each.taken_at - NINE).total_seconds() / 60)) for each in found]


def test_the_pictures_around_the_beginning_and_the_end_are_there(day: House) -> None:
    named = [role for role, _ in roles(day)]
    assert named == ["before", "first", *["sample"] * 3, "opened", *["sample"] * 3, "last", "back"]
    minutes = [minute for _, minute in roles(day)]
    assert minutes == sorted(minutes)
    assert minutes[5] == LEFT + 10
    found = pictures_of(day.db, day.finding())
    assert found.missing == ()
    assert found.waiting == 0
    assert found.pictures[0].taken_at < at(LEFT) <= found.pictures[1].taken_at < at(LEFT + 1)
    assert at(BACK - 1) < found.pictures[-2].taken_at < at(BACK) <= found.pictures[-1].taken_at < at(BACK + 1)
    assert {each.clock_offset for each in found.pictures} == {2.5}
    assert [each.state for each in found.pictures] == ["present", *["absent"] * 9, "present"]
    assert [role for role, _ in roles(day, "absence.yellow")][-1] == "back", "each card has its own"


def test_they_show_the_seat_and_no_citizen(day: House) -> None:
    import cv2
    import numpy as np

    finding = day.finding()
    found = pictures_of(day.db, finding).pictures
    shown = look(day.db, finding, who="周督", why="复核", now=day.clock.now(), through="test")
    images = {
        name: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        for name, content in shown.items()
    }
    seat = {each.role: images[each.sha256] for each in found}
    assert {image.shape for image in seat.values()} == {seat["first"].shape}
    height, width, _ = seat["first"].shape
    assert height < 200, "cut to one staff side: the citizens stand below"
    assert width < 200, "and to one window: nothing of the next clerk"

    def difference(one: str, other: str) -> float:
        return float(np.abs(seat[one].astype(int) - seat[other].astype(int)).mean())

    assert difference("first", "before") > 3 * difference("first", "last"), "somebody there, and nobody"


def test_the_chain_holds_and_knows_every_picture(day: House) -> None:
    checker = Checker()
    assert {checker.take(row) for row in chain.read(day.db, "X")} == {None}
    bodies = day.db.execute(
        "select body from evidence where kind = 'picture.linked' and finding_id = %s", [day.finding()]
    )
    told = [picture for (body,) in bodies for picture in json.loads(body)["payload"]["pictures"]]
    assert {each["sha256"] for each in told} == {
        each.sha256 for each in pictures_of(day.db, day.finding()).pictures
    }
    assert {each["clock_offset_ms"] for each in told} == {2500}


def test_asked_again_nothing_is_twice(day: House) -> None:
    before = [
        day.db.execute(f"select count(*) from {table}").fetchone()
        for table in ("finding_picture", "evidence_picture")
    ]
    end = chain.end(day.db, "X").seq
    day.start()
    assert day.send() == 0
    day.db.execute("update picture_wanted set state = 'wanted'")
    assert day.send() > 0
    after = [
        day.db.execute(f"select count(*) from {table}").fetchone()
        for table in ("finding_picture", "evidence_picture")
    ]
    assert after == before
    assert chain.end(day.db, "X").seq == end


def test_a_bundle_brings_them_and_one_byte_changed_anywhere_names_the_picture(day: House) -> None:
    finding = day.finding()
    content = export(day.db, day.centre, Selection(finding=finding), day.clock.now(), by="p4")
    assert verify(content).broken is None
    files = bundle.unpack(content)
    assert isinstance(files, dict)
    names = sorted(each.sha256 for each in pictures_of(day.db, finding).pictures)
    assert sorted(name for name in files if name.startswith("pictures/")) == [
        f"pictures/{name}.jpg" for name in names
    ]
    rows = [json.loads(line) for line in files["chain.jsonl"].splitlines()]
    assert json.loads(rows[-1]["body"])["payload"]["pictures"] == names, "a bundle is a look"
    page = files["report.html"].decode()
    assert page.count("<img ") == 2 * len(names)
    assert re.search(r"首张空岗 2026-11-23 09:04:\d0 C1/p0 识别：无人 摄像机时钟偏差", page)
    assert "摄像机时钟偏差 +2.5 秒" in page
    for name in names:
        path = f"pictures/{name}.jpg"
        begin = content.index(files[path])
        for place in range(0, len(files[path]), 997):
            changed = bytearray(content)
            changed[begin + place] ^= 1
            assert name in str(verify(bytes(changed)).broken)
    name = names[0]
    about = json.loads(files["manifest.json"])["about"]
    kept = {each: body for each, body in files.items() if each not in ("manifest.json", "seal.json")}
    forged = bundle.pack(bundle.seal({**kept, f"pictures/{name}.jpg": b"another"}, about))
    assert f"picture {name}: its bytes are not those that row" in str(verify(forged).broken)
    del kept[f"pictures/{name}.jpg"]
    assert "it is not in the bundle" in str(verify(bundle.pack(bundle.seal(kept, about))).broken)


def run(
    *words: str, data: Path, dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setenv("MINGJING_DATABASE", dsn)
    monkeypatch.setenv("MINGJING_DATA", str(data))
    with pytest.raises(SystemExit) as end:
        main(words)
    told = capsys.readouterr()
    return int(end.value.code or 0), told.out + told.err


def test_on_the_command_line(day: House, tmp_path: Path, capsys, monkeypatch) -> None:
    (day.folder / "centre.yaml").write_text(
        json.dumps(day.centre.model_dump(mode="json", exclude_none=True)), "utf-8"
    )

    def mj(*words: str) -> tuple[int, str]:
        return run(*words, data=day.folder, dsn=day.dsn, capsys=capsys, monkeypatch=monkeypatch)

    finding, out = day.finding(), tmp_path / "out"
    before = chain.end(day.db, "X").seq
    status, text = mj("camera", "pictures", finding)
    assert status == 0
    assert re.search(
        r"2026-11-23 09:04:\d0  C1/p0  首张空岗 first empty  absent  \+2.5 s  [0-9a-f]{64}\n", text
    )
    assert chain.end(day.db, "X").seq == before, "to read the list is no look"
    status, text = mj("camera", "pictures", finding, "--out", str(out), "--who", "周督")
    assert (status, out.exists()) == (2, False)
    assert "why" in text
    assert mj("camera", "pictures", finding, "--who", "周督", "--why", "复核")[0] == 2
    status, text = mj("camera", "pictures", finding, "--out", str(out), "--who", "周督", "--why", "申诉复核")
    assert status == 0
    files = sorted(out.iterdir())
    assert files[0].name.startswith("20261123T090350-C1-p0-before-")
    assert hashlib.sha256(files[0].read_bytes()).hexdigest().startswith(files[0].stem[-12:])
    (row,) = day.db.execute("select body from evidence where seq = %s", [before + 1])
    assert json.loads(row[0])["payload"]["why"] == "申诉复核"
    status, text = mj("camera", "deletions", "--picture", str(files[0]))
    assert f"evidence of {finding}" in text or finding in text
    assert "in the loop" in text
    assert "not known here" in mj("camera", "deletions", "--picture", "0" * 64)[1]
    assert "nothing was deleted" in mj("camera", "deletions")[1]
    assert mj("camera", "deletions", "--picture", str(tmp_path / "none.jpg"))[0] == 2
    assert mj("audit", "check")[0] == 0


# -- what may break --------------------------------------------------------------------------------------------------


@pytest.fixture
def house(database: str, tmp_path: Path) -> Iterator[House]:
    """A camera machine with a morning in its loop, and nothing found yet."""
    made = House(database, tmp_path / "data")
    loop, key = made.pictures.keeper.loop, ("X", "C1")
    for minute in range(45):
        state = "absent" if LEFT <= minute < BACK else "present"
        loop.keep(
            key, NINE.date(), at(minute), f"picture {minute}".encode(), states={"p0": state, "p1": "present"}
        )
    yield made
    made.close()


def absence(closed: float | None = None) -> Finding:
    explain = {"since": at(LEFT).isoformat()}
    if closed is not None:
        explain["ended_by"] = "present"
    return Finding(
        "f1", "absence.notice", "notice", "X", at(LEFT + 10), window="A01", explain=explain,
        closed_at=None if closed is None else at(closed), state="open" if closed is None else "closed",
    )  # fmt: skip


def find(house: House, closed: float | None = BACK, now: float = 45.0) -> None:
    from store.findings import Change, Said, write_said

    house.clock.set(at(now))
    found = absence(closed)
    with house.db.transaction():
        write_said(house.db, [Said("window:A01", [Change("opened", found)])], at(now))
        want_pictures(house.db, house.centre, [(found, "opened")], at(now))
    house.clock.set(at(now + 1))


def test_a_machine_that_was_away_for_hours_still_has_them(house: House, tmp_path: Path) -> None:
    find(house)
    other = Courier(
        house.dsn, Keeper(PictureLoop(tmp_path / "other"), now=house.clock.now), [("X", "C1")], now=house.clock.now,
        keep=timedelta(days=30),
    )  # fmt: skip
    house.clock.advance(60)
    assert other.round(house.db) == 0, "the camera's new machine knows nothing of that time"
    found = pictures_of(house.db, "f1")
    assert {each.reason for each in found.missing} == {"no_loop"}
    assert found.waiting == 2
    house.clock.advance(10)
    assert house.send() == 2, "the old one comes back and is asked at once"
    found = pictures_of(house.db, "f1")
    assert (len(found.pictures), found.missing, found.waiting) == (11, (), 0)


def test_what_is_not_there_has_its_reason_also_after_retention(house: House) -> None:
    loop = house.pictures.keeper.loop
    loop.delete(("X", "C1"), NINE.date(), "disk", at(59), until=at(LEFT + 5))
    find(house)
    house.send()
    found = pictures_of(house.db, "f1")
    assert [(each.role, each.reason) for each in found.missing] == [
        ("before", "deleted_disk"),
    ]
    assert found.pictures[0].taken_at == at(LEFT + 5), "the first of the empty seat that is left"


def test_a_file_that_was_tampered_with_is_not_evidence(house: House) -> None:
    path = next(
        path
        for path in house.folder.glob("pictures/*/*/*/*.jpg")
        if path.read_bytes() == f"picture {LEFT}".encode()
    )
    path.write_bytes(b"somebody else")
    find(house)
    house.send()
    found = pictures_of(house.db, "f1").pictures
    assert [each.taken_at for each in found if each.role == "first"] == [at(LEFT + 1)]
    assert look(house.db, "f1", who="a", why="b", now=at(70), through="test").values()
    names = {hashlib.sha256(f"picture {n}".encode()).hexdigest() for n in range(60)}
    assert {each.sha256 for each in found} <= names


DYING = """
import os, sys
from datetime import datetime, timedelta
from pathlib import Path
from camera_adapters.pictures import Keeper
from camera_adapters.pictures_loop import PictureLoop
from mingjing import picture_courier
from store.connection import connect
dsn, folder, where, now = sys.argv[1], Path(sys.argv[2]), sys.argv[3], datetime.fromisoformat(sys.argv[4])
keeper = Keeper(PictureLoop(folder), now=lambda: now)
courier = picture_courier.Courier(dsn, keeper, [("X", "C1")], now=lambda: now, keep=timedelta(days=30))
real = getattr(picture_courier, where) if where == "answer" else picture_courier.chain.append
def dies(*given, **more):
    real(*given, **more)
    os.kill(os.getpid(), 9)
if where == "answer":
    picture_courier.answer = dies
else:
    picture_courier.chain.append = dies
with connect(dsn, autocommit=True) as connection:
    courier.round(connection)
"""


@pytest.mark.process
@pytest.mark.parametrize("where", ["answer", "append"])
def test_killed_with_9_between_writing_and_linking_nothing_is_lost_and_nothing_twice(
    house: House, where: str
) -> None:
    find(house)
    now = house.clock.now().isoformat()
    words = [sys.executable, "-c", DYING, house.dsn, str(house.settings.pictures_folder), where, now]
    done = subprocess.run(words, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert pictures_of(house.db, "f1").pictures == ()
    house.start()
    assert house.send() == 2
    assert len(pictures_of(house.db, "f1").pictures) == 11
    linked = house.db.execute("select count(*) from evidence where kind = 'picture.linked'").fetchone()
    assert linked == (2,)
    assert {Checker().take(row) for row in chain.read(house.db, "X", 1, 1)} == {None}


def test_a_picture_changed_in_the_database_is_named_by_the_check(house: House, capsys, monkeypatch) -> None:
    find(house)
    house.send()
    words = ("audit", "check")
    assert run(*words, data=house.folder, dsn=house.dsn, capsys=capsys, monkeypatch=monkeypatch)[0] == 0
    house.db.execute(
        "update evidence_picture set content = set_byte(content, 3, get_byte(content, 3) # 1)"
        " where sha256 = (select min(sha256) from evidence_picture)"
    )
    name = min(each.sha256 for each in pictures_of(house.db, "f1").pictures)
    status, text = run(*words, data=house.folder, dsn=house.dsn, capsys=capsys, monkeypatch=monkeypatch)
    assert status == 3
    assert f"picture {name} of finding f1: its bytes are not what its name says" in text
    content = export(house.db, house.centre, Selection(finding="f1"), house.clock.now(), by="p4")
    assert f"picture {name}" in str(verify(content).broken)


def test_without_the_database_pictures_are_kept_and_sent_when_it_is_back(house: House, caplog) -> None:
    find(house)
    stop = threading.Event()
    courier = Courier(
        "host=127.0.0.1 port=1 dbname=x",
        house.pictures.keeper,
        [("X", "C1")],
        now=house.clock.now,
        keep=timedelta(days=30),
    )
    thread = threading.Thread(target=courier.run, args=(stop,), daemon=True)
    thread.start()
    for _ in range(100):
        if "they wait in the loop" in caplog.text:
            break
        thread.join(0.05)
    stop.set()
    thread.join(6)
    assert not thread.is_alive()
    assert "they wait in the loop" in caplog.text
    assert house.send() == 2


# -- deletion --------------------------------------------------------------------------------------------------------


def test_after_its_days_the_loop_is_deleted_with_proof_and_evidence_stays(
    house: House, tmp_path: Path, capsys, monkeypatch
) -> None:
    find(house)
    house.send()
    courier, loop = house.pictures.courier, house.pictures.keeper.loop
    some = loop.read(("X", "C1"), at(0), at(60)).pictures[0]
    house.clock.set(at(0) + timedelta(days=30))
    assert courier.tidy(house.db, [("X", "C1")]) == 0, "30 whole days are kept"
    house.clock.advance(86400)
    assert courier.tidy(house.db, [("X", "C1")]) == 1
    assert not list(house.folder.glob("pictures/*/*/*/*.jpg"))
    body = house.db.execute("select body from evidence where kind = 'picture.deleted'").fetchone()
    assert body is not None
    told = json.loads(body[0])["payload"]
    hashes = next(house.folder.glob("pictures/*/*/deleted/*.hashes")).read_bytes()
    assert (told["reason"], told["pictures"], told["machine"]) == ("age", 45, loop_id(loop.folder))
    assert told["hashes_sha256"] == hashlib.sha256(hashes).hexdigest()
    assert bytes.fromhex(some.sha256) in [hashes[n : n + 32] for n in range(0, len(hashes), 32)]
    assert courier.tidy(house.db, [("X", "C1")]) == 0, "told once"
    assert len(pictures_of(house.db, "f1").pictures) == 11
    assert look(house.db, "f1", who="a", why="b", now=house.clock.now(), through="test")
    (house.folder / "centre.yaml").write_text(
        json.dumps(house.centre.model_dump(mode="json", exclude_none=True)), "utf-8"
    )
    words = ("camera", "deletions")
    assert (
        told["hashes_sha256"]
        in run(*words, data=house.folder, dsn=house.dsn, capsys=capsys, monkeypatch=monkeypatch)[1]
    )
    words = ("camera", "deletions", "--picture", some.sha256)
    said = run(*words, data=house.folder, dsn=house.dsn, capsys=capsys, monkeypatch=monkeypatch)[1]
    assert "was in the loop of X/C1, 2026-11-23" in said


def test_what_a_finding_still_wants_outlives_the_loop(house: House) -> None:
    find(house)
    house.db.execute(
        "update picture_wanted set not_before = 'infinity', tried_by = array[%s]",
        [loop_id(house.settings.pictures_folder)],
    )
    house.clock.set(at(0) + timedelta(days=40))
    house.send()
    assert len(list(house.folder.glob("pictures/*/*/*/*.jpg"))) == 45
    house.db.execute("update picture_wanted set not_before = asked_at")
    house.send()
    house.pictures.courier.tidy(house.db, [("X", "C1")])
    assert not list(house.folder.glob("pictures/*/*/*/*.jpg"))
    assert len(pictures_of(house.db, "f1").pictures) == 11


def test_a_bundle_without_deleted_pictures_still_verifies(house: House) -> None:
    find(house)
    house.send()
    with house.db.transaction():
        chain.append(house.db, "X", [], at(61))
    house.db.execute("update finding set state = 'revoked', revoked_at = %s", [at(61)])
    house.clock.set(at(62) + timedelta(days=185))
    assert tidy_evidence(house.db, house.settings, house.clock) == 11
    content = export(house.db, house.centre, Selection(finding="f1"), house.clock.now(), by="p4")
    assert verify(content).broken is None
    files = bundle.unpack(content)
    assert isinstance(files, dict)
    assert not [name for name in files if name.startswith("pictures/")]
    assert "已删除" in files["report.html"].decode()


@pytest.mark.process
def test_a_small_disk_fills_and_the_oldest_give_way(tmp_path: Path, database: str) -> None:
    """A real one, where this machine lets us mount it; otherwise the fake in the keeper's own tests has to do."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(place)], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine mounts no file systems for us")
    try:
        keeper = Keeper(PictureLoop(place / "pictures"), now=lambda: at(0))
        from camera_adapters.pictures import _Job

        for number in range(60):
            day = (NINE - timedelta(days=9 - number // 6)).date()
            picture = os.urandom(12_000)
            keeper.offer(_Job(("X", "C1"), day, at(number), picture, False, {}))
            keeper.step()
        left = keeper.loop.days(("X", "C1"))
        assert left[-1] == NINE.date(), "the newest are there"
        assert len(left) < 10
        assert keeper.counts.removed["disk"] > 10
        assert keeper.counts.kept > 50
        assert keeper.loop.deletions(("X", "C1"))
    finally:
        subprocess.run(["umount", str(place)], check=False)
