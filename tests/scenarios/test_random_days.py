"""Days that nobody thought of: random cases, gateways, acts, silences and deaths; what must hold afterwards whatever happened."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.scenarios.fake_run import FakeRun
from tests.scenarios.language import Done, Script, read_centre
from tests.scenarios.steps import (
    Act,
    Answers,
    Step,
    absent,
    busy,
    cut,
    delivered,
    down,
    event,
    gateway,
    kill_sender,
    mute,
    present,
    receipt_after,
    refuses,
    restart,
    silence,
    switch_on,
    twice,
    undelivered,
)

#: Days after the last thing that happens: everything that waits or is tried again has ended by then.
AFTERWARDS = timedelta(days=4)
PEOPLE = ("张三", "李四", "王五", "赵六", "钱七")


def settings(rng: random.Random) -> dict[str, Any]:
    """Sections of a centre file."""
    routes = [
        {
            "id": "cards",
            "match": {"severity": ["yellow", "red"]},
            "to": rng.choice([["handler"], ["handler", "superior"], ["handler", "leader", "inspectors"]]),
            "hours": rng.choice(["always", "working"]),
            "remind_every": rng.choice([None, 20, 60]),
            "most_reminders": rng.choice([1, 3]),
            "until": rng.choice(["acknowledged", "answered"]),
            "hold_for": rng.choice([None, None, 10]),
            "escalate": rng.choice(
                [[], [{"after": 45, "to": ["superior", "leader"]}, {"after": 150, "to": ["inspectors"]}]]
            ),
        }
    ]
    messages = {
        "notice": rng.choice([[], ["handler"]]),
        "routes": rng.choice([[], routes]),
        "channels": rng.choice([["sms"], ["sms", "voice"], ["voice", "sms"]]),
        "group": rng.choice([None, {"wait": 1}, {"wait": 20}]),
        "flood": rng.choice([None, {"more_than": 3, "within": 30, "every": 30}]),
        "quiet": rng.choice([None, {"hours": ["18:00-08:00"], "rest_days": True, "except": ["red"]}]),
        "budget": rng.choice([None, {"per_day": 12, "keep_for_red": 3}]),
        "digest": rng.choice([None, {"at": "17:30", "days": "working", "to": ["leader"]}]),
    }
    return {"messages": messages, "rules": {"absence": {"notice": 5, "yellow": 10, "red": 20}}}


def a_gateway(rng: random.Random) -> Answers:
    return rng.choice(
        [delivered, delivered, mute, undelivered, refuses, down, cut, twice, busy(120), receipt_after(900)]
    )


def random_script(seed: int) -> Script:
    """Two days with some fifteen cases; at the end everything works again."""
    rng = random.Random(seed)
    centre = read_centre("two_windows.yaml", settings(rng))
    script = Script(
        centre,
        date(2026, 3, 5),
        f"seed {seed}",
        rng.choice([1, 2]),
        rng.choice([1, 2]),
        {"sms": True, "voice": True},
    )
    begin = script.moment("09:00")

    def moment(first: float = 0.0) -> datetime:
        """At some second of the next 32 hours, lunch and night included."""
        return begin + timedelta(seconds=round(rng.uniform(first * 3600, 32 * 3600)))

    def at(when: datetime, *steps: Step) -> None:
        script.steps.extend(Done(when, step) for step in steps)

    for number in range(15):
        case, window = f"C{number}", rng.choice(["A07", "A08"])
        deadline = moment(1)
        which = rng.choice(["legal_deadline", "promised_deadline"])
        text = {which: deadline.strftime("%m-%d %H:%M:%S")}
        at(begin, event("case.accepted", case=case, item="A-001", window=window, **text))
        fate = rng.random()
        if fate < 0.25:
            at(deadline - timedelta(minutes=5), event("case.decided", case=case, result="granted"))
        elif fate < 0.5:
            happened = (deadline - timedelta(minutes=7)).strftime("%m-%d %H:%M:%S")
            late = timedelta(minutes=rng.choice([0, 1, 5, 30, 90]))
            at(deadline + late, event("case.decided", case=case, result="granted", happened=happened))
        elif fate < 0.8:
            late = timedelta(minutes=rng.choice([1, 15, 60, 200]))
            at(deadline + late, event("case.decided", case=case, result="granted"))
        if rng.random() < 0.6:
            act = Act(
                rng.choice(["acknowledge", "acknowledge", "answer"]),
                case,
                "desk",
                rng.choice(PEOPLE),
                "已核实",
                lenient=True,
            )
            act = replace(act, by="link") if act.step == "acknowledge" and rng.random() < 0.5 else act
            at(deadline + timedelta(minutes=rng.choice([1, 10, 40, 100])), act)
    for _ in range(rng.randrange(4)):
        when = moment()
        at(when, absent("A07"))
        at(when + timedelta(minutes=rng.choice([3, 7, 15, 40])), present("A07"))
    for _ in range(rng.randrange(6)):
        at(moment(), gateway(rng.choice(["sms", "voice"]), a_gateway(rng)))
    for _ in range(rng.randrange(4)):
        at(moment(), rng.choice([restart, kill_sender]))
    for _ in range(rng.randrange(3)):
        when = moment()
        until = (when + timedelta(minutes=rng.choice([20, 180]))).strftime("%m-%d %H:%M:%S")
        at(when, silence({"window": rng.choice(["A07", "A08"])}, until=until, author="孙八", reason="搬迁"))
    end = begin + timedelta(hours=33)
    at(end, gateway("sms", delivered), gateway("voice", delivered), restart)
    at(end, *(switch_on(each, lenient=True) for each in ("sms", "voice")))
    script.steps.sort(key=lambda each: each.at)
    at(end + AFTERWARDS, restart)
    return script


def holds(run: FakeRun) -> None:
    """What is true whatever happened."""
    rows = run.connection.execute(
        "select o.message_id, o.idempotency_key, o.finding_id, o.person, o.channel, o.template, o.state, o.reason, o.why,"
        " o.digest_id, o.created_at, f.state, o.params -> 'roles', o.gather, f.severity from outbox o left join finding f using (finding_id)"
        " where o.centre = %s order by o.message_id",
        [run.centre.centre.id],
    ).fetchall()
    keys = {row[1]: row for row in rows}
    by_id = {row[0]: row for row in rows}
    problems: list[str] = []

    # 1. A gateway that can be asked takes each message once.
    rung = Counter((each.channel, each.key) for each in run.heard)
    problems += [f"rung {count} times: {key}" for key, count in rung.items() if count > 1]

    # 2. Every row has ended, and what was not sent says why.
    ended = {"sent", "delivered", "undelivered", "unknown", "dead", "skipped", "gathered"}
    problems += [f"still {row[6]}: {row}" for row in rows if row[6] not in ended]
    problems += [f"no reason: {row}" for row in rows if row[6] in ("skipped", "dead") and not row[7]]
    problems += [f"gathered nowhere: {row}" for row in rows if row[6] == "gathered" and row[9] not in by_id]

    # 3. Nobody is reminded of what he could see had ended.
    acted = dict(
        run.connection.execute(
            "select finding_id, min(at) from finding_step where step in ('answered') group by 1"
        ).fetchall()
    )
    for each in run.heard:
        row = keys[each.key]
        if row[8] in ("reminder", "escalation") and row[2] in acted and each.at > acted[row[2]]:
            problems.append(f"reminded after the answer: {row} at {each.at}")

    # 3b. Reminders keep their distance and their number.
    routes = {route.id: route for route in run.centre.messages.routes}
    reminded: dict[tuple[str, str], list[datetime]] = {}
    for row in rows:
        if row[8] == "reminder":
            reminded.setdefault((row[2], row[3]), []).append(row[10])
    for (finding, person), moments in reminded.items():
        route = routes["cards"]
        least = timedelta(minutes=route.remind_every or 0)
        if len(moments) > route.most_reminders:
            problems.append(f"{person} was reminded of {finding} {len(moments)} times")
        if any(later - sooner < least for sooner, later in pairwise(moments)):
            problems.append(f"{person} was reminded of {finding} too soon: {moments}")

    # 3c. A card to who has to answer it is never one of many.
    for row in rows:
        handler = row[5] in ("finding.yellow", "finding.red") and "handler" in (row[12] or [])
        if handler and row[6] == "gathered" and row[13] != "budget":
            problems.append(f"a handler's card was gathered: {row}")

    # 3d. In quiet hours nobody is rung for less than a red card.
    quiet = run.centre.messages.quiet
    for each in run.heard:
        row = keys[each.key]
        local = each.at.astimezone(run.centre.zone)
        if quiet is not None and row[14] in ("notice", "yellow") and not 8 <= local.hour < 18:
            problems.append(f"rung at {local:%H:%M:%S}: {row}")

    # 4. Who was told of a card that was revoked was told that it is.
    told: dict[tuple[str, str], tuple[datetime, str]] = {}
    for each in sorted(run.heard, key=lambda each: each.at):
        row = keys[each.key]
        parts = [row] if row[2] is not None else [one for one in rows if one[9] == row[0]]
        for part in parts:
            if part[2] is not None and row[5] != "digest.daily":
                told[part[2], part[3]] = (each.at, part[5])
    for (finding, person), (moment, template) in told.items():
        state = next(row[11] for row in rows if row[2] == finding)
        if (
            state == "revoked"
            and template != "finding.correction"
            and _could_hear(run, rows, finding, person)
        ):
            problems.append(f"{person} was not told that {finding} is revoked (told {template} at {moment})")

    # 5. Somebody was told of every card, or a row says why nobody was.
    cards = run.connection.execute(
        "select finding_id from finding where severity <> 'notice' and centre = %s", [run.centre.centre.id]
    ).fetchall()
    known = {row[2] for row in rows}
    problems += [f"nothing was decided about {finding}" for (finding,) in cards if finding not in known]

    # 6. The chain is whole, and no row died before its moment.
    from domain.chain import Checker
    from store.chain import read

    checker = Checker()
    problems += [
        str(broken) for each in read(run.connection, run.centre.centre.id) if (broken := checker.take(each))
    ]
    letters = run.connection.execute("select origin, code, reason from dead_letter").fetchall()
    problems += [f"dead letter: {letter}" for letter in letters]
    assert not problems, "\n".join(problems)


def _could_hear(run: FakeRun, rows: list[Any], finding: str, person: str) -> bool:
    """Whether a correction was not given up for a reason of its own: a gateway that refused it on every channel."""
    own = [row for row in rows if row[2] == finding and row[3] == person and row[5] == "finding.correction"]
    return not any(row[6] in ("dead", "undelivered", "unknown") for row in own)


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(1, 4))
def test_whatever_happens_this_holds(scenario_database: str, seed: int) -> None:
    """Nothing twice, nothing left over, nothing without a reason, no reminder after the answer, every correction told."""
    script = random_script(seed)
    run = FakeRun(scenario_database, script)
    try:
        run.play(holds)
    except AssertionError as error:
        from tests.scenarios.timeline import Verdict

        pytest.fail(
            f"{script.name}: {error}\n\n{Verdict(script, run.heard, [], notes=run.notes).table()}",
            pytrace=False,
        )
