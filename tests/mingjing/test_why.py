"""Why there is a card and why there is none: from files and from a system's database."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.centre import Centre
from domain.centre_file import parse_centre
from domain.events import Event, parse_line
from domain.findings import Finding
from mingjing.cli import main
from mingjing.replay import Replay
from mingjing.why.catalogue import SENTENCES
from mingjing.why.live import ask_store
from mingjing.why.reasons import answer_case
from mingjing.why.text import Speaker
from store import chain, judging
from store.connection import connect
from store.findings import Change, Grounds, compare, write_changes
from store.ingest import write_events
from streams.rule_settings import settings_id, settings_of

CENTRE = """
centre: {id: "530502", name: 示例中心}
items:
  - {code: I-1, name: 开办, promised_limit: {days: 3}, legal_limit: {days: 5}, supplement_limit: 5}
  - {code: I-2, name: 无时限}
windows:
  - {id: A07, handler: p1}
people:
  - {id: p1, name: 张三}
"""
CHINA = "+08:00"


def line(number: int, kind: str, at: str, case: str = "K1", item: str | None = "I-1", **data: Any) -> str:
    row = {"event_id": str(number), "kind": kind, "occurred_at": f"2026-11-{at}:00{CHINA}", "source": "s"}
    row |= {"case": case, "data": data} | ({"item": item} if item else {})  # type: ignore[dict-item]
    return json.dumps(row, ensure_ascii=False)


SUSPENDED = [
    line(1, "case.received", "18T09:00"),
    line(2, "case.accepted", "18T10:00"),
    line(3, "case.suspended", "19T10:00", ground="testing", days=1),
    line(4, "case.resumed", "19T15:00"),
]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(command: str, lines: list[str], *options: str, case: str = "K1") -> tuple[int, str]:
        (tmp_path / "c.yaml").write_text(CENTRE, "utf-8")
        (tmp_path / "e.jsonl").write_text("\n".join(lines), "utf-8")
        files = ["--centre", str(tmp_path / "c.yaml"), "--events", str(tmp_path / "e.jsonl")]
        with pytest.raises(SystemExit) as ended:
            main([command, case, *files, *options])
        return int(ended.value.code or 0), capsys.readouterr().out

    return call


def test_the_count_is_what_a_person_finds_on_a_calendar(ask: Callable[..., tuple[int, str]]) -> None:
    status, said = ask("why", SUSPENDED, "--until", f"2026-11-25T09:00:00{CHINA}")
    assert status == 0
    card = said[said.index("黄牌") :].splitlines()
    assert card[0].startswith("黄牌：超承诺时限 time_limit.promised（")
    days = card[card.index("  逐日计算（本发现）：") + 1 :]
    assert [" ".join(day.split()) for day in days] == [
        "2026-11-18 星期三 – 首日不计",
        "2026-11-19 星期四 – 扣除：检测",
        "2026-11-20 星期五 1 计入",
        "2026-11-21 星期六 – 休息日",
        "2026-11-22 星期日 – 休息日",
        "2026-11-23 星期一 2 计入",
        "2026-11-24 星期二 3 到期日",
        "共计 3 天，到期 2026-11-24 17:00:00",
    ]


def test_in_english_too(ask: Callable[..., tuple[int, str]]) -> None:
    _, said = ask("why", SUSPENDED, "--lang", "en", "--until", f"2026-11-25T09:00:00{CHINA}")
    assert "yellow card: " in said
    assert "2026-11-19 Thu    –  excluded: testing" in said
    assert "3 days in all, due 2026-11-24 17:00:00" in said


def test_a_finding_is_found_by_its_id(ask: Callable[..., tuple[int, str]]) -> None:
    until = ["--until", f"2026-11-25T09:00:00{CHINA}"]
    _, said = ask("why", SUSPENDED, *until)
    identity = said.split("time_limit.promised（")[1].split("）")[0]
    _, one = ask("why", SUSPENDED, *until, case=identity)
    assert one.startswith("黄牌")
    assert one.count("逐日计算") == 1


REASONS = {
    "not yet due": (
        SUSPENDED,
        "20T12:00",
        ["promised limit has not passed: 2026-11-24 17:00:00", "notice stands"],
    ),
    "notice ahead": (SUSPENDED[:2], "18T12:00", ["The notice comes only at 2026-11-19 09:00:00"]),
    "paused": (
        [*SUSPENDED[:2], line(5, "case.suspended", "19T10:00", ground="hearing")],
        "29T12:00",
        ["Suspended (hearing) since 2026-11-19 10:00:00 without announced days"],
    ),
    "paused until": (SUSPENDED[:3], "19T12:00", ["announced days last until 2026-11-19 17:00:00"]),
    "in time": (
        [*SUSPENDED, line(5, "case.decided", "20T10:00", result="granted")],
        "25T12:00",
        ["It ended in time: 2026-11-20 10:00:00 (case.decided), not after its deadline 2026-11-24 17:00:00"],
    ),
    "no limit": ([line(1, "case.accepted", "18T10:00", item="I-2")], "25T12:00", ["has neither a legal nor"]),
    "unknown item": ([line(1, "case.accepted", "18T10:00", item="I-9")], "25T12:00", ["has no item I-9"]),
    "no item": ([line(1, "case.accepted", "18T10:00", item=None)], "25T12:00", ["No event names the item"]),
    "not accepted": (SUSPENDED[:1], "19T12:00", ["unanswered at 2026-11-25 17:00:00 it counts as accepted"]),
    "deemed": (SUSPENDED[:1], "30T12:00", ["Nobody answered by 2026-11-25 17:00:00: deemed accepted"]),
    "supplementing": (
        [SUSPENDED[0], line(2, "case.supplement_requested", "19T10:00")],
        "30T12:00",
        ["waits for the applicant"],
    ),
    "refused": (
        [SUSPENDED[0], line(2, "case.refused", "19T10:00")],
        "30T12:00",
        ["ended before it was accepted"],
    ),
    "ahead": (SUSPENDED, "18T09:30", ["an event of a later moment (2026-11-18 10:00:00)"]),
    "passed": (SUSPENDED, "25T12:00", ["has passed: 2026-11-24 17:00:00; there should be a yellow card"]),
    "families": (SUSPENDED, "20T12:00", ["has not turned on: "]),
}


@pytest.mark.parametrize("name", REASONS)
def test_why_there_is_no_card(ask: Callable[..., tuple[int, str]], name: str) -> None:
    lines, until, wanted = REASONS[name]
    _, said = ask("why-not", lines, "--lang", "en", "--until", f"2026-11-{until}:00{CHINA}")
    for each in wanted:
        assert each in said


def test_what_nobody_knows(ask: Callable[..., tuple[int, str]]) -> None:
    assert ask("why", SUSPENDED, case="K9") == (3, "")
    assert ask("why-not", SUSPENDED, case="K9")[0] == 3


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text)} - {None}

    assert SENTENCES["zh"].keys() == SENTENCES["en"].keys()
    for key, text in SENTENCES["zh"].items():
        assert fields(text) == fields(SENTENCES["en"][key]), key


def test_it_agrees_with_the_rules_on_every_case_of_the_contract(shared: Path) -> None:
    """Where the reasons say that a limit has passed there is its card, and nowhere else; the count ends on its due day."""
    folder = shared / "contract/examples/time-limits"
    centre = parse_centre((folder / "centre.yaml").read_text("utf-8"))
    until = datetime.fromisoformat((folder / "until.txt").read_text().strip())
    by_case: dict[str, list[Event]] = {}
    for text in (folder / "events.jsonl").read_text("utf-8").splitlines():
        try:
            event = parse_line(text, **Replay(_only(centre)).centres.checks)
        except Exception:
            continue
        if event.case:
            by_case.setdefault(event.case, []).append(event)
    assert len(by_case) > 10
    passed = 0
    for case, events in by_case.items():
        answer = answer_case(case, events, centre, until)
        open_cards = {
            f.severity for f in answer.findings if f.state == "open" and f.rule.startswith("time_limit")
        }
        due = {r.values["colour"] for r in answer.reasons if r.code == "due_passed"}
        assert due == open_cards - {"notice"}, case
        passed += bool(due)
        for count in answer.counts:
            last = [text for text in Speaker("zh", centre).count(count) if "到期 " in text]
            assert all(f"{count.due_at.astimezone(centre.zone):%Y-%m-%d %H:%M:%S}" in text for text in last)
        assert list(Speaker("en", centre).why(answer))
    assert passed > 2


def _only(centre: Centre) -> Any:
    from domain.centres import Centres

    return Centres.of(centre)


NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


@pytest.mark.postgres
def test_out_of_a_running_system(database: str) -> None:
    """Limits kept with the case, revoked cards with their reason, messages that were not sent; the look is kept."""
    centre = parse_centre(CENTRE)
    events = [replace(parse_line(text), centre="530502", received_at=NOW) for text in SUSPENDED]
    with connect(database, autocommit=True) as db:
        write_events(db, events, centre="530502", now=NOW)
        old = settings_of(centre)
        judging.keep_settings(db, settings_id(old), old, NOW)
        db.execute("update case_state set settings_id = %s", [settings_id(old)])
        promised = next(
            f for f in answer_case("K1", events, centre, NOW).findings if f.rule == "time_limit.promised"
        )
        wrong = Finding("f-wrong", "time_limit.legal", "red", "530502", NOW, case="K1")
        write_changes(db, "case:K1", [Change("opened", promised), Change("opened", wrong)], NOW)
        gone = compare([wrong], [], NOW + timedelta(1), Grounds("e7", "后到", "late"))
        write_changes(db, "case:K1", gone, NOW, revoked_by="e7")
        db.execute(
            "insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, state, reason,"
            " next_try_at, give_up_at, created_at) values ('k', %s, '530502', 'p1', '', 'none', 't', 'skipped',"
            " 'no_phone', now(), now(), now())",
            [promised.finding_id],
        )
        for channel, state in (("sms", "dead"), ("mail", "delivered")):  # p2 was told, by the next channel
            db.execute(
                "insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, state, reason,"
                " next_try_at, give_up_at, created_at) values (%s, %s, '530502', 'p2', '1', %s, 't', %s, 'refused', now(), now(),"
                " now())",
                [channel, promised.finding_id, channel, state],
            )
        today = centre.model_copy(update={"items": []})  # the limits were taken out of the file since
        (found,) = ask_store(db, _only(today), "K1", NOW, by="p9")
        codes = {reason.code for reason in found.more}
        assert {"revoked", "not_told", "due_now"} <= codes
        assert [count.name for count in found.answer.counts] == ["promised", "legal"], (
            "the limits of its start"
        )
        said = "\n".join(Speaker("en", found.centre).why_not(found.answer, found.more))
        assert "no message went to p1: no_phone" in said
        assert "p2" not in said
        assert "revoked at 2026-11-26 09:00:00: 后到 / late" in said
        (looked,) = list(chain.read(db, "530502"))
        assert looked.kind == "evidence.looked"
        assert '"person":"p9"' in (looked.body or "")
        assert ask_store(db, _only(today), "nothing", NOW) == []
