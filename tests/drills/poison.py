"""A poison value in every field of every kind of event, through the door and straight onto every topic.

Each must end as a stored event or as a dead letter with a code and a sentence; the worker never stops, and good
events around them are as if nothing had been.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx

from domain.centre import load_centre
from domain.errors import EventError
from domain.events import KINDS, parse_line
from streams.publisher import open_publisher
from streams.rejections import RAW_LIMIT
from streams.topics import CASE_EVENTS, OBSERVATIONS, REJECTED_LINES
from tests.drills.balance import Balance, take_balance
from tests.drills.system import API_KEY, System
from tests.drills.workload import Row, as_lines, event, events

#: What each kind must say at least, and may say beside (contract, section 1).
DATA: dict[str, Row] = {
    "case.supplement_requested": {"materials": ["身份证"]},
    "case.accepted": {"legal_deadline": "2026-04-01T17:00:00+08:00", "promised_deadline": "2026-03-20T17:00:00+08:00", "type": "即办"},
    "case.refused": {"reason": "不属本中心"},
    "case.stage_started": {"stage": "review"},
    "case.stage_finished": {"stage": "review"},
    "case.suspended": {"ground": "hearing", "days": 3, "notice_no": "听证〔2026〕1号"},
    "case.extended": {"days": 2, "approver": "P2", "reason": "案情复杂"},
    "case.decided": {"result": "granted", "reason": "符合条件"},
    "fee.charged": {"amount": 12.5, "basis": "云价〔2020〕1号"},
    "rating.given": {"level": 1, "channel": "window"},
    "leave.granted": {"from": "2026-03-02", "to": "2026-03-03", "substitute": "P2"},
    "certificate.issued": {"certificate_no": "云（2026）0001号"},
    "case.pre_reviewed": {"result": "passed"},
    "case.closed": {"result": "voided"},
    "complaint.opened": {"complaint": "K-1", "type": "投诉", "unit": "D1"},
    "complaint.assigned": {"complaint": "K-1", "unit": "D1"},
    "complaint.extended": {"complaint": "K-1", "days": 5, "approver": "P2"},
    "commission.started": {
        "commission": "M-1", "intermediary": "测绘公司", "days": 10, "filed_days": 12, "unit": "working_day", "designated": True,
    },
    "commission.delivered": {"commission": "M-1"},
    "commission.cancelled": {"commission": "M-1"},
    "bid.submitted": {
        "tender": "T-1", "bidder": "甲公司", "price": "1000000.50", "ip": "218.1.2.3", "mac": "00:11:22:33:44:55",
        "opens_at": "2026-03-02T09:00:00+08:00", "project_manager": "张三",
    },
    "bid.judged": {"tender": "T-1", "result": "dismissed"},
}  # fmt: skip
TOP = ("event_id", "kind", "occurred_at", "source", "entered_at", "received_at", "centre", "window", "case", "item", "staff", "data")  # fmt: skip

#: Raw JSON of the poison: some of it no encoder would write.
POISON: dict[str, str] = {
    "null": "null",
    "empty text": '""',
    "spaces": '"   "',
    "true": "true",
    "negative": "-1",
    "huge number": "9" * 400,
    "longest number": "9" * 5000,
    "infinity": "1e400",
    "tiny": "1e-400",
    "NaN": "NaN",
    "half a letter": r'"\ud83d"',
    "NUL": r'"a\u0000b"',
    "1 MB of text": '"' + "政" * 349_000 + '"',
    "60 kB of text": '"' + "窗" * 20_000 + '"',
    "longest code": '"' + "𝄞" * 256 + '"',
    "deep": "[" * 3000 + "]" * 3000,
    "list": '["a", 1, null]',
    "object": '{"a": {"b": null}}',
    "year 0": '"0000-01-01T00:00:00Z"',
    "year 10000": '"10000-01-01T00:00:00Z"',
    "year 1": '"0001-01-01T00:00:00+23:59"',
    "no RFC time": '"昨天下午三点"',
    "emoji": '"👩‍💻🏳️‍🌈"',
    "SQL": """"'; drop table event; --" """,
    "format": '"%s %(x)s {0} \\\\x00 \\r\\n"',
    "right to left": '"\\u202e正\\u200b常"',
}


def good_rows(label: str) -> list[Row]:
    """One good event of every kind, each of a case (or window, or person) of its own."""
    at = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    rows = []
    for number, kind in enumerate(sorted(KINDS)):
        case = f"{label}-2026-{number:06d}"
        row = event(case, 1, kind, at + timedelta(minutes=number), **DATA.get(kind, {}))
        rows.append(row | {"staff": "P1", "entered_at": at.isoformat(), "received_at": at.isoformat()})
    return rows


def poisoned(label: str, names: list[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Every field of every good event with every poison, as (what, raw line). Ids stay unique where they are not the victim."""
    mark = "\ufdd0poison\ufdd0"
    number = 0
    for row in good_rows(label):
        for field in (*TOP, *(f"data.{key}" for key in row["data"]), "data.unknown", "unknown"):
            for name in names or POISON:
                number += 1
                bad = row | {"event_id": f"{label}-P{number}", "data": dict(row["data"])}
                if field.startswith("data."):
                    bad["data"][field[5:]] = mark
                else:
                    bad[field] = mark
                text = json.dumps(bad, ensure_ascii=False).replace(f'"{mark}"', POISON[name])
                yield f"{row['kind']} {field}: {name}", text.encode()


def drill(system: System, *, count: int, seed: int = 5, share: int = 1, label: str = "POISON") -> Balance:
    """
    Args:
        share: one in so many of the poisoned events is sent. Up to the number of poisons, and without a divisor in
            common with it, every kind, every field and every poison still occurs.
    """
    began = time.monotonic()
    good = as_lines(events(seed, count // 6, label=label))
    half = len(good) // 2
    before = {name: system.supervisor.starts(name) for name in system.names}
    letters = _letters(system)
    system.pour(good[:half])

    all_bad = _some("BAD-DOOR", share)
    refused, taken = _through_the_door(system, all_bad)
    direct = _some("BAD-LOG", share)
    others = list(_other_topics(share))
    with open_publisher(system.settings.broker_url) as publisher:
        for topic, values in ((CASE_EVENTS, direct), *others):
            for start in range(0, len(values), 200):
                publisher.publish(topic, [(None, raw) for raw in values[start : start + 200]])
    system.pour(good[half:])

    system.settle(label, len(set(good)))
    system.wait_for("all poison is judged", system.judged, 120)
    faults = _faults(system, before, len(all_bad), refused, taken) + _lost(system, all_bad, direct)
    faults += _survivors(system, good)
    stored = {
        where: system.one(f"select count(*) from event where event_id like '{where}-P%'")
        for where in ("BAD-DOOR", "BAD-LOG")
    }
    new_letters = _letters(system) - letters
    return take_balance(
        system,
        good,
        drill="a poison value in every field",
        label=label,
        provoked=[f"{len(all_bad)} poisoned events through the door, {len(direct)} onto the topic",
                  *(f"{len(values)} records onto {topic}" for topic, values in others)],
        notes=[
            f"of the poison: door refused {refused}, took {taken}; stored {stored}; dead letters {new_letters}",
        ],
        faults=faults,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def _some(label: str, share: int) -> list[bytes]:
    picked = [raw for number, (_, raw) in enumerate(poisoned(label)) if number % share == 0]
    # A megabyte for each field of each kind would be half a gigabyte.
    long = [raw for raw in picked if len(raw) > 500_000]
    return [raw for raw in picked if len(raw) <= 500_000] + long[:: max(1, len(long) // 12)]


def _letters(system: System) -> int:
    return int(system.one("select coalesce(sum(times), 0) from dead_letter where origin <> 'fold'"))


def _through_the_door(system: System, lines: list[bytes]) -> tuple[int, int]:
    """Posts each list of lines; how many the door refused and took."""
    refused = taken = 0
    with httpx.Client(
        timeout=60, headers={"X-API-Key": API_KEY, "Content-Type": "application/x-ndjson"}
    ) as client:
        batch: list[bytes] = []
        for number, line in enumerate(lines):
            batch.append(line)
            if number + 1 == len(lines) or sum(map(len, batch)) > 2_000_000:
                answer = client.post(f"{system.door}/events", content=b"\n".join(batch))
                assert answer.status_code in (202, 400), answer.text[:500]
                body = answer.json()
                reasons = body.get("rejected", [])
                assert all(each["code"] and each["reason"] for each in reasons)
                refused, taken = refused + len(reasons), taken + body["accepted"]
                batch = []
    return refused, taken


def _other_topics(share: int) -> Iterator[tuple[str, list[bytes]]]:
    """Poison on the topics that only our own processes write to, as far as we know."""
    at = "2026-03-03T10:00:00+08:00"
    observation: Row = {
        "observation_id": "o", "kind": "post.summary", "centre": "530502", "camera": "c", "at": at, "state": "present",
        "window": "A01", "post": "p", "reason": None, "since": at, "until": at, "score": 0.5, "looks_expected": 3,
        "looks_valid": 3, "looks_seen": 3, "method": "both",
    }  # fmt: skip
    rejected: Row = {
        "source": "door", "raw": "x", "code": "bad_json", "field": None, "reason": "r", "place": "1", "line": "1", "received_at": at,
    }  # fmt: skip
    for topic, row in ((OBSERVATIONS, observation), (REJECTED_LINES, rejected)):
        values = [b"", b"null", b"[]", b"\xff\xfe", b"{"]
        for field in (*row, "unknown"):
            for number, poison in enumerate(POISON.values()):
                marked = (
                    row | {"observation_id": f"BAD-{field}-{number}"} if topic == OBSERVATIONS else dict(row)
                )
                marked[field] = "\ufdd0"
                values.append(json.dumps(marked, ensure_ascii=False).replace('"\ufdd0"', poison).encode())
        yield topic, values


def _faults(system: System, before: dict[str, int], lines: int, refused: int, taken: int) -> list[str]:
    found = []
    if refused + taken != lines:
        found.append(f"{lines} poisoned lines at the door, {refused} refused + {taken} taken")
    for name, starts in before.items():
        if system.supervisor.starts(name) != starts:
            found.append(f"{name} died of it")
    speechless = system.one("select count(*) from dead_letter where code = '' or reason = '' or code is null")
    if speechless:
        found.append(f"{speechless} dead letters without a code or a sentence")
    # Every poisoned event that is neither stored nor told of: by its own id, which no poison but that in it can hide.
    rows = dict(system.query("select code, count(*) from dead_letter group by 1"))
    if stuck := system.query("select case_id from case_state where failures > 0 limit 5"):
        found.append(f"cases that cannot be judged: {stuck}")
    if not_storable := rows.get("not_storable"):
        reasons = system.query("select distinct reason from dead_letter where code = 'not_storable' limit 5")
        found.append(f"{not_storable} events passed every check and the database refused them: {reasons}")
    return found


def _lost(system: System, door: list[bytes], direct: list[bytes]) -> list[str]:
    """Poisoned lines that are neither stored as what they say nor kept as dead letters with every byte."""
    centre = load_centre(system.settings.centre_file)
    stored = set(system.query("select source, event_id from event"))
    kept = {bytes(raw)[:RAW_LIMIT] for (raw,) in system.query("select raw from dead_letter")}
    lost = []
    for raw in (*door, *direct):
        try:
            here = parse_line(raw, centre=centre.centre.id, windows=centre.window_ids).identity in stored
        except EventError:
            here = raw[:RAW_LIMIT] in kept
        if not here:
            lost.append(raw[:300])
    return [f"{len(lost)} poisoned lines are nowhere, as {lost[0]!r}"] if lost else []


def _survivors(system: System, good: list[str]) -> list[str]:
    """What reads the store afterwards: the wall, the commands."""
    found = []
    if not system.answers(f"{system.wall}/healthz"):
        found.append("the wall does not answer")
    command = [sys.executable, "-m", "mingjing"]
    environ = os.environ | {"MINGJING_DATA": str(system.settings.data), "MINGJING_DATABASE": system.dsn}
    for words in (["dead-letters", "list", "--state", "all", "--limit", "10000"], ["messages", "dead"]):
        done = subprocess.run([*command, *words], capture_output=True, env=environ, timeout=60)
        if done.returncode != 0:
            found.append(f"mingjing {words[0]} ended with {done.returncode}: {done.stderr[-300:]!r}")
    # The poison again, without broker and database: replay says the same of every line, and stops at none.
    file = system.settings.data / "poison.jsonl"
    file.write_bytes(b"\n".join(raw for n, (_, raw) in enumerate(poisoned("BAD-FILE")) if n % 17 == 0))
    done = subprocess.run(
        [*command, "replay", str(system.settings.centre_file), str(file)], capture_output=True, timeout=120
    )
    if done.returncode != 3:
        found.append(f"replay ended with {done.returncode}: {done.stderr[-300:]!r}")
    return found
