"""The second driver: the same scenarios against the real processes, on a clock that runs faster.

All of them play at once in one system, each in a centre of its own with numbers of its own. Events go through the door, links are
clicked at the wall, messages leave through HTTP gateways that misbehave as the scripts say.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.hooks.fake_server import FakeServer
from domain.clock import Clock
from domain.events import event_to_json
from store.connection import Connection, connect
from tests.drills.system import System, running
from tests.scenarios import makers
from tests.scenarios.language import Probed, Script, Told, laid_over
from tests.scenarios.probes import finding_ids, person_of
from tests.scenarios.steps import Act, Answers, Event, Fault, Gateway, Step, delivered
from tests.scenarios.timeline import Heard, Verdict

#: Simulated seconds in a real one, and how much real time a message may take beyond what a script allows.
SPEED, SLACK = 20.0, 4.0
#: Real seconds for the processes to start, before the first script begins.
START = 10.0
NAMES = ("worker", "rules", "sender", "door", "wall")
KILLED = ("rules", "sender", "worker")
_LINK = re.compile(r"/ack/([A-Za-z0-9_-]+)")


class ScenarioGateway(FakeServer):
    """Takes what the hook ``http_json`` posts; says what it has under a key."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name, self._clock = name, clock
        self.heard: list[Heard] = []
        self.to_some: dict[str, Answers] = {}
        self.tries = 0
        self._has: dict[str, dict[str, str]] = {}
        routes = [
            Route("/messages", self._take, methods=["POST"]),
            Route("/messages/{key:path}", self._find),
        ]
        super().__init__(Starlette(routes=routes))

    async def _take(self, request: Request) -> Response:
        row = await request.json()
        self.tries += 1
        how = self.to_some.get(row["to"], delivered)
        if how.kind == "refuses":
            return JSONResponse({"error": "refused"}, 400)
        if how.kind == "down":
            return JSONResponse({"error": "down"}, 503)
        key = row["idempotency_key"]
        self.heard.append(Heard(self._clock.now(), self.name, row["to"], row["text"], row["template"], key))
        fate = "undelivered" if how.kind == "undelivered" else "delivered"
        answer = self._has.setdefault(key, {"id": f"{self.name}-{len(self._has) + 1}", "status": fate})
        return JSONResponse(answer, 202)

    async def _find(self, request: Request) -> Response:
        known = self._has.get(request.path_params["key"])
        return JSONResponse({"error": "unknown"}, 404) if known is None else JSONResponse(known)


@dataclass
class _Outages:
    """Processes that were killed, and the real seconds until each of them gave a sign of life again."""

    seconds: float = 0.0
    lasts: int = 0

    def of(self, system: System) -> None:
        self.lasts += 1
        began = time.monotonic()
        try:
            since = system.one("select clock_timestamp()").isoformat()
            system.kill(*KILLED)
            alive = (
                "select count(distinct role) from heartbeat where role = any(array['rules', 'sender', 'worker'])"
                f" and real_at > '{since}'"
            )
            system.wait_for("all are back", lambda: system.one(alive) == len(KILLED), 60)
        finally:
            self.seconds += time.monotonic() - began
            self.lasts -= 1


@dataclass
class _Player:
    """One script on its way, and what its probes may look at."""

    script: Script
    connection: Connection
    clock: Clock
    gateways: Mapping[str, ScenarioGateway]
    failed: list[tuple[Probed, str]] = field(default_factory=list)
    true: list[Probed] = field(default_factory=list)
    done: int = 0
    events: int = 0
    outages: _Outages = field(default_factory=lambda: _Outages())

    @property
    def slack(self) -> timedelta:
        """How much later than the script says something may be, simulated: the machine's haste, and while processes were dead."""
        return timedelta(seconds=SPEED * (SLACK + self.outages.seconds))

    @property
    def centre(self) -> Any:
        return self.script.centre

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def tries(self, channel: str) -> int:
        return self.gateways[channel].tries

    @property
    def heard(self) -> list[Heard]:
        own = {person.phone for person in self.script.centre.people}
        found = [each for gateway in self.gateways.values() for each in gateway.heard if each.to in own]
        return sorted(found, key=lambda each: each.at)


def play_all(folder: Path, told: Sequence[Told]) -> dict[str, Verdict]:
    """Plays scenarios of one day side by side; name → what came of it."""
    scripts = [_own(each.make(), number) for number, each in enumerate(told, 1)]
    begin, end = min(each.begin for each in scripts), max(each.end for each in scripts)
    real = time.time() + START
    clock = Clock(real_start=real, sim_start=begin.timestamp(), speed=SPEED)
    for script in scripts:
        _write_centre(folder, script)
    with _gateways(scripts, clock) as gateways, _system(folder, gateways, clock) as system:
        system.wait_ready()
        assert time.time() < real + 30, "this machine is too busy to play on time"
        with contextlib.ExitStack() as stack:
            players = [
                _Player(script, stack.enter_context(_reading(system)), clock, gateways) for script in scripts
            ]
            outages = _Outages()
            for player in players:
                player.outages = outages
            while outages.lasts or clock.now() < end + players[0].slack:
                for player in players:
                    _advance(player, system)
                if clock.now() > end and not outages.lasts and all(map(_is_settled, players)):
                    break
                time.sleep(0.05)
            for player in players:
                _advance(player, system, over=True)
            return {each.script.name: _verdict(each) for each in players}


def _own(script: Script, number: int) -> Script:
    """The same script in a centre of its own, with numbers of its own."""
    people = [
        person.model_dump(mode="json", exclude_none=True)
        | {"phone": f"139{number:04d}{(person.phone or '')[-4:]}"}
        for person in script.centre.people
    ]
    over = {"centre": {"id": f"5305{number:02d}"}, "people": people}
    return replace(script, centre=laid_over(script.centre, over))


def _write_centre(folder: Path, script: Script) -> None:
    centres = folder / "centres"
    centres.mkdir(parents=True, exist_ok=True)
    row = script.centre.model_dump(mode="json", exclude_none=True)
    (centres / f"{script.centre.centre.id}.yaml").write_text(yaml.safe_dump(row, allow_unicode=True), "utf-8")


@contextlib.contextmanager
def _gateways(scripts: Sequence[Script], clock: Clock) -> Iterator[dict[str, ScenarioGateway]]:
    names = list(dict.fromkeys(name for script in scripts for name in script.channels))
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(ScenarioGateway(name, clock)) for name in names}


@contextlib.contextmanager
def _system(folder: Path, gateways: Mapping[str, ScenarioGateway], clock: Clock) -> Iterator[System]:
    channels = {
        name: {
            "hook": "http_json",
            "url": f"{each.url}/messages",
            "query_url": f"{each.url}/messages/{{key}}",
            "secret_file": "secret",
        }
        for name, each in gateways.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text("only for tests, not secret")
    (folder / "channels.yaml").write_text(yaml.safe_dump(channels, sort_keys=False), "utf-8")
    environ = {
        "MINGJING_CLOCK": clock.spec,
        "MINGJING_CENTRE": str(folder / "centres"),
        "MINGJING_CHANNELS_FILE": str(folder / "channels.yaml"),
    }
    with running(folder / "data", {"centre": {"id": "530500"}}, NAMES, environ=environ) as system:
        yield system


@contextlib.contextmanager
def _reading(system: System) -> Iterator[Connection]:
    with connect(system.dsn, application="scenario", autocommit=True) as connection:
        yield connection


def _advance(player: _Player, system: System, *, over: bool = False) -> None:
    now, steps = player.now, sorted(player.script.steps, key=lambda each: each.at)
    while player.done < len(steps) and steps[player.done].at <= now:
        _do(player, system, steps[player.done].step)
        player.done += 1
    for probed in player.script.probes:
        if probed in player.true or any(probed is each for each, _ in player.failed) or now < probed.at:
            continue
        words = probed.probe.look(player)
        if words is None:
            player.true.append(probed)
        elif over or now > probed.until + player.slack:
            player.failed.append((probed, words))


def _do(player: _Player, system: System, step: Step) -> None:
    match step:
        case Event():
            player.events += 1
            made = makers.event(player.script, step, player.events, player.now)
            row = event_to_json(made)
            row.pop("received_at")
            answer = httpx.post(
                f"{system.door}/events", json=row, headers={"X-API-Key": _api_key()}, timeout=10
            )
            assert answer.status_code == 202, answer.text
        case Gateway():
            person = person_of(player.centre, step.to or "")
            assert person is not None, "here gateways misbehave for one person"
            player.gateways[step.channel].to_some[person.phone or ""] = step.answers
        case Act(step="acknowledge", by="link"):
            person = person_of(player.centre, step.person)
            assert person is not None
            assert finding_ids(player, step.about), f"nothing is found about {step.about} yet"
            links = [
                found[1]
                for each in player.heard
                if each.to == person.phone and (found := _LINK.search(each.text))
            ]
            assert links, f"{step.person} has got no link"
            answer = httpx.post(f"{system.wall}/ack/{links[-1]}", timeout=10)
            assert answer.status_code == 200, answer.text
        case Fault(what="restart"):
            # In a thread: the other scenarios go on meanwhile.
            threading.Thread(target=player.outages.of, args=(system,), daemon=True).start()
        case _:
            raise AssertionError(f"this driver cannot do: {step}")


def _api_key() -> str:
    from tests.drills.system import API_KEY

    return API_KEY


def _is_settled(player: _Player) -> bool:
    """Whether nothing is missing any more; then nobody need wait for what may come late."""
    return len(player.true) == len(player.script.probes) and not _verdict(player).problems


def _verdict(player: _Player) -> Verdict:
    rows = player.connection.execute("select idempotency_key, coalesce(why, '') from outbox").fetchall()
    why = dict(rows)
    heard = [replace(each, why=why.get(each.key, "")) for each in player.heard]
    return Verdict(player.script, heard, player.failed, slack=player.slack)


__all__ = ["play_all"]
