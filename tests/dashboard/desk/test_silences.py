"""The page of silences: who sees it, who may begin, change and end one, and what is refused with everything kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from alerts import silences
from alerts.silence import Wanted
from dashboard.catalogue import EN, ZH
from dashboard.desk.accounts import Account, write_account
from dashboard.desk.hands import Hands
from dashboard.desk.silences_page import DAYS
from mingjing.desk.silencing import DeskSilences
from tests.dashboard.desk.conftest import HALL, HASH, Browser, Still
from tests.store.making import CENTRE

pytestmark = pytest.mark.postgres

HANDS = Hands(silences=DeskSilences())
FORM = {
    "rule": "absence.*", "severity": "", "place": "window:A07", "person": "", "item": "", "case": "",
    "start": "2026-11-20T09:30", "end": "2026-11-20T18:00", "days": "working", "hours": "12:00-13:30", "reason": "柜台改造",
}  # fmt: skip


@pytest.fixture
def come(visit: Callable[..., Browser]) -> Callable[[str], Browser]:
    def open_it(name: str) -> Browser:
        browser = visit(name, hands=HANDS)
        assert browser.get("/silences").status_code == (403 if name.startswith("window") else 200)
        return browser

    return open_it


def test_an_inspector_begins_changes_and_ends_one(
    come: Callable[[str], Browser], db: psycopg.Connection, clock: Still
) -> None:
    page = come("inspector")
    assert "目前没有静默" in page.page
    assert page.post("/silences", **FORM).status_code == 303
    page.get("/silences")
    for words in (
        "空岗",
        "A07 食品许可",
        "11-20 18:00",
        "工作日 12:00-13:30",
        "柜台改造",
        "人4",
        "时段外",
    ):
        assert words in page.page, words
    one = silences.active(db, CENTRE, clock.at)[0]
    assert (one.author, one.match) == ("p4", {"rule": ("absence.*",), "window": ("A07",)})

    page.get(f"/silences?edit={one.silence_id}")
    assert 'value="2026-11-20T18:00"' in page.page
    changed = page.post(
        "/silences", **(FORM | {"reason": "改到下周", "replaces": one.silence_id, "days": "", "hours": ""})
    )
    assert changed.headers["location"].endswith("done=changed")
    two = silences.active(db, CENTRE, clock.at)[0]
    assert two.reason == "改到下周"
    assert two.silence_id != one.silence_id

    page.get("/silences")
    assert "生效中" in page.page
    clock.later(minutes=5)
    assert page.post("/silences/end", silence=two.silence_id).status_code == 303
    page.get("/silences?done=ended")
    assert "静默已结束" in page.page
    assert "已结束的 2 条" in page.page
    rows = db.execute("select kind, body from evidence where kind like 'silence.%' order by seq").fetchall()
    assert [(kind, json.loads(body)["payload"]["person"]) for kind, body in rows] == [
        ("silence.began", "p4"), ("silence.ended", "p4"), ("silence.began", "p4"), ("silence.ended", "p4"),
    ]  # fmt: skip
    page.get("/silences")
    assert page.post("/silences/end", silence=two.silence_id).status_code == 409


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": ""}, "desk_silence_bad_reason"),
        ({"end": "2026-11-20T09:00"}, "desk_silence_bad_end"),
        ({"end": "2027-01-20T09:00"}, "desk_silence_bad_end"),
        ({"end": "soon"}, "desk_silence_bad_end"),
        ({"start": ""}, "desk_silence_bad_start"),
        ({"hours": "18-8"}, "desk_silence_bad_hours"),
        ({"rule": ""}, "desk_silence_bad_rule"),
        ({"rule": "absense.*"}, "desk_silence_bad_rule"),
        ({"place": "window:Z99"}, "desk_silence_bad_window"),
        ({"place": "planet:Z99"}, "desk_silence_bad_window"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_written(
    come: Callable[[str], Browser], db: psycopg.Connection, clock: Still, changes: dict[str, str], words: str
) -> None:
    page = come("inspector")
    answer = page.post("/silences", **(FORM | changes))
    assert answer.status_code == 400
    assert ZH[words] in page.page
    for name in ("case", "hours", "reason"):
        assert (FORM | changes)[name] in page.page
    assert silences.every(db, CENTRE) == []


def test_a_party_does_not_silence_his_own_window(
    visit: Callable[..., Browser], db: psycopg.Connection, accounts_file: Path
) -> None:
    """An inspector's account whose person is also a window's leader."""
    write_account(accounts_file, Account("boss", "inspector", HASH, "p3"))
    page = visit("boss", hands=HANDS)
    page.get("/silences")
    assert page.post("/silences", **FORM).status_code == 403
    assert ZH["desk_silence_own"] in page.page
    assert silences.every(db, CENTRE) == []


def test_others_look_or_do_not_even_look(come: Callable[[str], Browser], db: psycopg.Connection) -> None:
    for name in ("director", "viewer"):
        page = come(name)
        assert "新增静默" not in page.page
        page.get("/")
        assert page.post("/silences", token=page.token, **FORM).status_code == 403
    window = come("window7")
    assert "静默" not in window.get("/").text
    assert silences.every(db, CENTRE) == []


def test_a_number_that_is_none_is_refused(come: Callable[[str], Browser]) -> None:
    page = come("inspector")
    for number in ("", "x", "9" * 30):
        assert page.post("/silences/end", silence=number).status_code == 400
        page.get("/silences")
    assert page.post("/silences/end", silence=4711).status_code == 409


def test_what_the_form_cannot_show_is_not_offered_to_be_changed(
    come: Callable[[str], Browser], db: psycopg.Connection, clock: Still
) -> None:
    for windows in (("A07",), ("A07", "A08")):
        wanted = Wanted({"window": windows}, "x", clock.at, clock.at + timedelta(hours=1))
        made = silences.create(db, HALL, wanted, author="p4", now=clock.at)
        page = come("inspector")
        assert (f"edit={made.silence_id}" in page.page) is (len(windows) == 1)


def test_it_counts_what_it_keeps(
    come: Callable[[str], Browser], db: psycopg.Connection, clock: Still
) -> None:
    page = come("inspector")
    page.post("/silences", **(FORM | {"days": "", "hours": ""}))
    number = silences.active(db, CENTRE, clock.at)[0].silence_id
    db.execute(
        "insert into outbox (idempotency_key, centre, person, phone, channel, template, state, reason, detail, next_try_at,"
        " give_up_at, created_at, held_until) values ('k', %s, 'p1', '', 'sms', 'finding.red', 'held', 'silenced', %s, now(),"
        " now(), now(), %s)",
        [CENTRE, json.dumps({"silence": number}), clock.at + timedelta(hours=1)],
    )
    page.get("/silences")
    assert "暂缓 1 条通知" in page.page


def test_every_word_it_makes_up_is_there() -> None:
    wanted = {
        *(f"desk_day_{day}" for day in DAYS),
        *(f"desk_silence_{done}" for done in ("begun", "ended", "changed", "held", "resting", "coming")),
        *(
            f"desk_silence_head_{key}"
            for key in ("state", "match", "start", "end", "hours", "reason", "author")
        ),
    }
    assert wanted <= set(ZH)
    assert wanted <= set(EN)
