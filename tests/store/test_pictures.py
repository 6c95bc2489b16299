"""Pictures of findings in the store: wanted with the finding, answered once, looked at only on the record, deleted with proof."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.centre import Centre
from domain.chain import Checker
from domain.errors import InputError, StoreError
from domain.findings import Finding
from domain.pictures import Kept, PictureSettings
from store import chain
from store.connection import Connection, connect
from store.findings import Change, Said, write_said
from store.picture_deletions import (
    REVOKED,
    DeletionRow,
    broken_pictures,
    delete_over,
    deletions,
    known_picture,
    note_deletion,
)
from store.picture_wants import (
    GIVE_UP,
    SETTLE,
    Sent,
    answer,
    claim,
    give_up,
    pending_spans,
    postpone,
    want_pictures,
)
from store.pictures import look, pictures_of

pytestmark = pytest.mark.postgres

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HERE = [("X", "C1"), ("X", "C2")]


def post(name: str, window: str) -> dict[str, Any]:
    return {"name": name, "window": window, "polygon": [(0, 0), (1, 0), (1, 1)]}


HALL = Centre.model_validate(
    {
        "centre": {"id": "X"},
        "windows": [{"id": "A01"}, {"id": "A02"}],
        "cameras": [
            {"id": "C1", "url": "/x.mp4", "posts": [post("left", "A01"), post("right", "A02")]},
            {"id": "C2", "url": "/y.mp4", "posts": [post("above", "A01")]},
        ],
    }
)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def absence(number: int = 1, closed: float | None = None, **fields: Any) -> Finding:
    explain: dict[str, Any] = {"window": "A01", "since": at(0).isoformat(), "minutes": 10}
    if closed is not None:
        explain |= {
            "ended_by": "present",
            "absent_until": {"earliest": at(closed - 0.2).isoformat(), "latest": at(closed).isoformat()},
        }
    return Finding(
        f"f{number}", fields.pop("rule", "absence.notice"), "notice", "X", at(10), window=fields.pop("window", "A01"),
        closed_at=None if closed is None else at(closed), state="open" if closed is None else "closed", explain=explain, **fields,
    )  # fmt: skip


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def say(db: Connection, finding: Finding, kind: str = "opened", now: datetime | None = None) -> None:
    """As the rule loop does it: the finding and what it wants in one transaction."""
    moment = now or at(10)
    with db.transaction():
        write_said(db, [Said("window:A01", [Change(kind, finding)])], moment)  # type: ignore[arg-type]
        want_pictures(db, HALL, [(finding, kind)], moment)


def wants(db: Connection) -> list[tuple]:
    return db.execute("select camera, post, part, state from picture_wanted order by 1, 2, 3").fetchall()


def sent(text: str, role: str = "first", minutes: float = 0.1, offset: float | None = -3.25) -> Sent:
    content = text.encode()
    kept = Kept(hashlib.sha256(content).hexdigest(), at(minutes), len(content), {"left": "absent"}, offset)
    return Sent(kept, role, content)  # type: ignore[arg-type]


def reply(db: Connection, pictures, missing=(), now=None, me="m1", cameras=HERE) -> int:
    with db.transaction():
        entries = []
        claimed = claim(db, cameras, me, now or at(11))
        for wanted in claimed:
            entries += answer(db, wanted, pictures, missing, me, now or at(11))
        chain.append(db, "X", entries, now or at(11))
    return len(claimed)


def rows(db: Connection, kind: str) -> list[dict]:
    found = db.execute("select body from evidence where kind = %s order by seq", [kind])
    return [json.loads(body)["payload"] for (body,) in found]


def test_every_post_that_watches_the_window_is_asked_once(db: Connection) -> None:
    say(db, absence())
    say(db, absence(), "amended")
    assert wants(db) == [("C1", "left", "begin", "wanted"), ("C2", "above", "begin", "wanted")]
    say(db, absence(2, rule="time_limit.legal"))
    say(db, absence(3, window=None))
    assert len(wants(db)) == 2, "other findings rest on no picture"


def test_a_camera_that_keeps_none_is_not_asked_and_the_finding_says_so(db: Connection) -> None:
    first, second = HALL.cameras
    silent = HALL.model_copy(
        update={"cameras": [first.model_copy(update={"evidence": PictureSettings(keep="none")}), second]}
    )
    with db.transaction():
        write_said(db, [Said("window:A01", [Change("opened", absence())])], at(10))
        want_pictures(db, silent, [(absence(), "opened")], at(10))
        want_pictures(db, silent, [(absence(), "amended")], at(10))
    assert wants(db) == [("C1", "left", "begin", "cancelled"), ("C2", "above", "begin", "wanted")]
    found = pictures_of(db, "f1")
    assert {(each.camera, each.reason) for each in found.missing} == {("C1", "keep_none")}
    assert found.waiting == 1


def test_the_end_is_asked_for_when_it_is_over_and_what_came_back_is_on_the_disk(db: Connection) -> None:
    say(db, absence())
    reply(db, [sent("a")])
    say(db, absence(closed=20), "closed", at(20))
    assert [row for row in wants(db) if row[2] == "end"] == [
        ("C1", "left", "end", "wanted"),
        ("C2", "above", "end", "wanted"),
    ]
    with db.transaction():
        assert claim(db, HERE, "m1", at(20)) == []
        found = claim(db, HERE, "m1", at(20) + SETTLE)
    assert len(found) == 2
    want = found[0].want
    assert (want.since, want.until, want.over, want.ended_by) == (at(0), at(19.8), at(20), "present")
    assert pending_spans(db, HERE) == [("X", "C1", at(0), at(20)), ("X", "C2", at(0), at(20))]
    say(db, absence(), "reopened", at(21))
    assert {row[3] for row in wants(db) if row[2] == "end"} == {"cancelled"}
    assert {row[3] for row in wants(db) if row[2] == "begin"} == {"answered"}, "not asked again for the same"
    say(db, absence(closed=25), "closed", at(25))
    assert {row[3] for row in wants(db) if row[2] == "end"} == {"wanted"}


def test_a_revoked_finding_asks_for_nothing_any_more(db: Connection) -> None:
    say(db, absence())
    say(db, absence(), "revoked")
    assert {row[3] for row in wants(db)} == {"cancelled"}
    say(db, absence(2))
    db.execute("update finding set state = 'revoked', revoked_at = %s where finding_id = 'f2'", [at(12)])
    with db.transaction():
        assert claim(db, HERE, "m1", at(30)) == [], "revoked by a person"
    give_up(db, at(30))
    assert {row[3] for row in wants(db)} == {"cancelled"}


def test_an_answer_is_one_row_of_the_chain_with_hash_clock_and_role(db: Connection) -> None:
    say(db, absence())
    assert (
        reply(db, [sent("a"), sent("b", "opened", 10, None)], [("before", "unreachable")], cameras=HERE[:1])
        == 1
    )
    found = pictures_of(db, "f1")
    assert [(each.role, each.state, each.clock_offset, each.size) for each in found.pictures] == [
        ("first", "absent", -3.25, 1),
        ("opened", "absent", None, 1),
    ]
    assert [(each.role, each.reason) for each in found.missing] == [("before", "unreachable")]
    assert found.waiting == 1, "the other camera has not answered"
    (told,) = rows(db, "picture.linked")
    assert [each["sha256"] for each in told["pictures"]] == [each.sha256 for each in found.pictures]
    assert [each["clock_offset_ms"] for each in told["pictures"]] == [-3250, None]
    assert told["missing"] == [["before", "unreachable"]]
    checker = Checker()
    assert [checker.take(row) for row in chain.read(db, "X")] == [None]


def test_the_same_answer_again_adds_nothing(db: Connection) -> None:
    say(db, absence())
    reply(db, [sent("a")])
    db.execute("update picture_wanted set state = 'wanted'")
    reply(db, [sent("a")])
    assert len(pictures_of(db, "f1").pictures) == 2  # one of each camera
    assert len(rows(db, "picture.linked")) == 2
    assert db.execute("select count(*) from evidence_picture").fetchone() == (1,), "the same bytes lie once"


def test_a_machine_that_dies_in_its_answer_leaves_nothing_half_done(db: Connection, database: str) -> None:
    say(db, absence())
    with connect(database) as dying:
        wanted = claim(dying, HERE[:1], "m1", at(11))[0]
        answer(dying, wanted, [sent("a")], (), "m1", at(11))
        with db.transaction():
            assert claim(db, HERE[:1], "m1", at(11)) == [], "nobody answers at the same time"
        dying.rollback()
    assert pictures_of(db, "f1").pictures == ()
    assert reply(db, [sent("a")], cameras=HERE[:1]) == 1
    assert len(rows(db, "picture.linked")) == 1


def test_who_knows_nothing_waits_longer_each_time_and_lets_another_machine_try(db: Connection) -> None:
    say(db, absence())
    waits = []
    for _ in range(9):
        now = db.execute("select max(not_before) from picture_wanted").fetchone()[0]  # type: ignore[index]
        with db.transaction():
            for wanted in claim(db, HERE, "m1", now):
                postpone(db, wanted, "no_loop", "m1", now)
        later = db.execute("select max(not_before) from picture_wanted").fetchone()[0]  # type: ignore[index]
        waits.append((later - now).total_seconds() / 60)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert {each.reason for each in pictures_of(db, "f1").missing} == {"no_loop"}, (
        "the finding says so meanwhile"
    )
    with db.transaction():
        assert claim(db, HERE, "m1", at(11)) == []
        found = claim(db, HERE, "m2", at(11))
        assert len(found) == 2, "a machine that comes back is asked at once"
        for wanted in found:
            postpone(db, wanted, "no_loop", "m2", at(11))
    with db.transaction():
        for machine in ("m1", "m2"):
            assert claim(db, HERE, machine, at(11)) == [], "two that know nothing do not ask in turns"
        assert len(claim(db, HERE, "m1", later)) == 2


def test_what_nobody_ever_had_is_given_up_and_the_chain_says_so(db: Connection) -> None:
    say(db, absence())
    assert give_up(db, at(10) + GIVE_UP - timedelta(minutes=1)) == 0
    assert give_up(db, at(11) + GIVE_UP) == 2
    assert {row[3] for row in wants(db)} == {"given_up"}
    assert [each["why"] for each in rows(db, "picture.missing")] == ["given_up"] * 2
    assert give_up(db, at(11) + GIVE_UP) == 0


# -- looks -----------------------------------------------------------------------------------------------------------


def shown(db: Connection) -> Sent:
    picture = sent("a")
    say(db, absence())
    reply(db, [picture])
    return picture


def test_a_look_is_in_the_chain_before_anybody_sees_anything(db: Connection) -> None:
    picture = shown(db)
    assert pictures_of(db, "f1").pictures
    assert rows(db, "picture.looked") == [], "to know that there are some is no look"
    found = look(db, "f1", who="周督", why="申诉复核", now=at(60), through="desk")
    assert found == {picture.kept.sha256: b"a"}
    (told,) = rows(db, "picture.looked")
    assert told == {"person": "周督", "pictures": [picture.kept.sha256], "through": "desk", "why": "申诉复核"}


@pytest.mark.parametrize(("who", "why"), [("", "x"), ("x", " "), ("x" * 501, "x"), ("a\nb", "x")])
def test_nobody_looks_for_no_reason(db: Connection, who: str, why: str) -> None:
    shown(db)
    with pytest.raises(InputError, match="a look at a picture needs"):
        look(db, "f1", who=who, why=why, now=at(60), through="desk")
    assert rows(db, "picture.looked") == []


def test_a_look_is_at_a_findings_own_pictures_only(db: Connection) -> None:
    picture = shown(db)
    say(db, absence(2))
    with pytest.raises(InputError, match="f2 has no picture"):
        look(db, "f2", who="a", why="b", now=at(60), through="desk", sha256=[picture.kept.sha256])
    with pytest.raises(InputError, match="has no picture"):
        look(db, "f1", who="a", why="b", now=at(60), through="desk", sha256=["' or true --"])
    with pytest.raises(StoreError, match="no finding f9"):
        look(db, "f9", who="a", why="b", now=at(60), through="desk")
    assert look(db, "f2", who="a", why="b", now=at(60), through="desk") == {}


def test_without_a_chain_there_is_no_look(db: Connection, database: str) -> None:
    """A row that cannot be written keeps the picture from being shown."""
    shown(db)
    db.execute("alter table evidence add constraint refuse check (kind <> 'picture.looked')")
    with pytest.raises(psycopg.errors.CheckViolation):
        look(db, "f1", who="a", why="b", now=at(60), through="desk")


# -- deletion --------------------------------------------------------------------------------------------------------


def test_pictures_stay_as_long_as_any_finding_needs_them(db: Connection) -> None:
    picture = sent("a")
    for number in (1, 2):
        say(db, absence(number))
        reply(db, [picture])
    revoke = "update finding set state = 'revoked', revoked_at = %s where finding_id = %s"
    db.execute(revoke, [at(100), "f1"])
    assert delete_over(db, at(101) + REVOKED) == 0, "the other finding needs it"
    db.execute(revoke, [at(200), "f2"])
    assert delete_over(db, at(199) + REVOKED) == 0, "whoever was accused may still sue"
    assert delete_over(db, at(201) + REVOKED) == 1
    assert {each.deleted for each in pictures_of(db, "f1").pictures} == {"over"}
    assert look(db, "f1", who="a", why="b", now=at(300) + REVOKED, through="desk") == {}
    gone = rows(db, "picture.deleted")
    assert [each["pictures"] for each in gone] == [[picture.kept.sha256]] * 2, "a row for each finding"
    known = known_picture(db, picture.kept.sha256)
    assert known is not None
    assert (known.findings, known.reason) == (("f1", "f2"), "over")
    assert known_picture(db, "0" * 64) is None
    assert list(broken_pictures(db)) == []
    reply(db, [picture])
    assert {each.deleted for each in pictures_of(db, "f1").pictures} == {"over"}, "deleted once is deleted"


def test_a_closed_life_keeps_its_pictures_unless_a_setting_ends_them(db: Connection) -> None:
    shown(db)
    db.execute("update finding set life = 'closed', updated_at = %s", [at(100)])
    later = at(100) + timedelta(days=4000)
    assert delete_over(db, later) == 0
    assert delete_over(db, later, closed=timedelta(days=5000)) == 0
    assert delete_over(db, later, closed=timedelta(days=3999)) == 1


def test_a_deletion_of_a_loop_is_told_once(db: Connection) -> None:
    gone = DeletionRow("X", "C1", NINE.date(), "age", "ab" * 32, 5, 999, at(0), at(1), at(100))
    assert note_deletion(db, gone, at(100), "m1")
    assert not note_deletion(db, gone, at(100), "m1")
    assert deletions(db, "X") == [gone]
    assert deletions(db, "X", camera="C2") == []
    (told,) = rows(db, "picture.deleted")
    assert (told["hashes_sha256"], told["pictures"], told["reason"]) == ("ab" * 32, 5, "age")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("update evidence_picture set content = 'b'", "its bytes are not what its name says"),
        (
            "update evidence_picture set content = null, deleted_at = now(), deleted_reason = 'over'",
            "and it is not there",
        ),
        ("delete from finding_picture; delete from evidence_picture", "and it is not there"),
    ],
)
def test_a_picture_that_was_changed_or_taken_away_is_named(db: Connection, harm: str, words: str) -> None:
    picture = shown(db)
    assert list(broken_pictures(db)) == []
    db.execute(harm)
    found = list(broken_pictures(db))
    assert words in found[0]
    assert picture.kept.sha256 in found[0]
