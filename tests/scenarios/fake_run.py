"""The first driver: the real rules, pipeline, rounds and senders on a fake clock that jumps from moment to moment."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.acknowledge import Acknowledged
from alerts.acknowledge import acknowledge as take_link
from alerts.addresses import AddressKind
from alerts.channel_state import switch_off, switch_on
from alerts.links import AckLinks
from alerts.planner import Planner
from alerts.receipt_rounds import ReceiptRounds
from alerts.rounds.quiet import allowed_in
from alerts.rounds.turn import Rounds
from alerts.self_watch import EVERY, SelfWatch
from alerts.sender import Sender, SenderSettings
from alerts.troubles import Limits
from domain.centre import Centre
from domain.clock import FakeClock
from domain.errors import StepRefusedError
from domain.observations import Observation
from store.connection import Connection, connect
from store.finding_life import take_step
from store.ingest import write_events
from store.observations import posts_of, write_observations
from streams.linking import linking_of
from streams.rule_loop import RuleLoop
from tests.scenarios import fake_time, makers
from tests.scenarios.fake_gateways import FakeGateway, open_gateways
from tests.scenarios.language import Probed, Script, laid_over
from tests.scenarios.probes import finding_ids, person_of
from tests.scenarios.steps import Act, Changed, Event, Fault, Gateway, Seen, Silence, Step, Switch
from tests.scenarios.timeline import Heard, Note, Verdict

LINKS = AckLinks(b"a secret for tests only", "http://wall.example")
_LINK = re.compile(r"/ack/([A-Za-z0-9_-]+)")
#: A camera says something of each post that often.
SUMMARY = timedelta(seconds=15)
#: How long the system looks at itself after anything was sent or tried; a real one never ceases.
WATCHED = timedelta(minutes=3)
#: Turns at one moment before the scenario is called endless.
MOST_TURNS = 50
#: What channels that do not ring a telephone need to know of a person.
KINDS: dict[str, AddressKind] = {"wecom": "user", "email": "email"}
#: How long until something that was due and could not be done is tried again.
AGAIN = (1, 2, 5, 10, 30, 60, 300, 1800)


class Died(Exception):
    """The sender was killed."""


class DyingSender(Sender):
    """Dies when its gateway has answered, before that is written down."""

    def _settle(self, connection: Connection) -> None:
        if self._running():
            raise Died


class FakeRun:
    """Plays one script. Objects of the program live from one ``restart`` to the next; database and gateways go on."""

    def __init__(self, dsn: str, script: Script) -> None:
        self.dsn, self.script, self.centre = dsn, script, script.centre
        self.heard: list[Heard] = []
        self.notes: list[Note] = []
        self.failed: list[tuple[Probed, str]] = []
        self.clock = FakeClock(script.begin)
        self.connection = connect(dsn, autocommit=True)
        fake_time.empty(self.connection)
        self.gateways = open_gateways(script.channels, self.clock, self.heard, self.notes)
        self._linking = linking_of({self._code: self.centre})
        self._seen: dict[str, tuple[Seen, datetime]] = {}
        self._number = 0
        self._dies = False
        self._stuck = 0
        self._looked: datetime | None = None
        self._true: list[Probed] = []
        self._watched_until = script.begin
        self._begin()

    @property
    def _code(self) -> str:
        return self.centre.centre.id

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # -- the program

    def _begin(self) -> None:
        self._rules_live = True
        self.loops = [self._make_loop() for _ in range(self.script.loops)]
        self.senders = [self._make_sender(Sender) for _ in range(self.script.senders)]
        self.watch = self._make_watch()
        first = self.senders[0]
        self.rounds = ReceiptRounds(self.dsn, self.gateways, self.clock, first.outgoing, follow=first.follow)

    def _make_loop(self) -> RuleLoop:
        self.planner = Planner(
            self.centre,
            LINKS,
            channel=next(iter(self.gateways)),
            correction_hold=timedelta(0),
            kinds=self._kinds,
        )
        return RuleLoop(
            self.dsn,
            self.centre,
            self.clock,
            plan=self.planner,
            remind=self.planner.remind,
            rounds=Rounds(self.centre, self.planner),
        )

    def _make_watch(self) -> SelfWatch | None:
        if not self.centre.messages.operators:
            return None
        # Here nobody beats while nothing is to do: silence means nothing.
        limits = Limits(silent=float("inf"))
        channel = next(iter(self.gateways))
        return SelfWatch(
            self.dsn, lambda: [self.centre], self.clock, kinds=self._kinds, default=channel, limits=limits
        )

    @property
    def _kinds(self) -> dict[str, AddressKind]:
        return {name: KINDS.get(name, "phone") for name in self.gateways}

    def _make_sender(self, kind: type[Sender]) -> Sender:
        hooks: dict[str, Any] = dict(self.gateways)
        return kind(
            self.dsn,
            hooks,
            self.clock,
            links=LINKS,
            settings=SenderSettings(jitter=0.0),
            rng=random.Random(1),
            monotonic=self.clock.monotonic,
            allowed=allowed_in({self._code: self.centre}),
        )

    def close(self) -> None:
        for loop in self.loops:
            loop.close()
        for sender in self.senders:
            sender.close()

    # -- time

    def play(self, look: Callable[[FakeRun], None] = lambda run: None) -> Verdict:
        """``look``: called at the end, while everything is still there."""
        try:
            for moment in self._moments():
                self._jump(moment)
                for done in self.script.steps:
                    if done.at == moment:
                        self._do(done.step)
                self._turn()
                self._look(moment)
            self._note_unsent()
            look(self)
            return Verdict(self.script, self._with_reasons(), self.failed, notes=self.notes)
        finally:
            self.close()
            self.connection.close()

    def _moments(self) -> Iterator[datetime]:
        """Every moment at which something happens, is due, or is looked at."""
        script = self.script
        said = [*script.expected, *script.forbidden, *script.probes]
        fixed = (
            {done.at for done in script.steps} | {each.at for each in said} | {each.until for each in said}
        )
        fixed = {moment.astimezone(UTC) for moment in fixed}
        now = min(fixed)
        yield now
        while ahead := [moment for moment in fixed if moment > now]:
            now = min([*ahead, *(moment for moment in self._due() if moment > now)])
            yield now

    def _due(self) -> list[datetime]:
        """When the program has something to do next, by its own account."""
        row = self.connection.execute(
            "select array_remove(array[(select min(next_try_at) from outbox where state = 'ready'),"
            " (select min(leased_until) + interval '1 ms' from outbox where state = 'leased'),"
            " (select min(ask_at) from outbox where state = 'sent'),"
            " (select min(held_until) from outbox where state = 'held' and %(live)s),"
            " (select min(next_at) from escalation where %(live)s),"
            " (select min(remind_at) from finding where remind_at > '-infinity' and %(live)s)], null)",
            {"live": self._rules_live},
        ).fetchone()
        assert row is not None
        found = list(row[0])
        found += [at for gateway in self.gateways.values() if (at := gateway.next_receipt) is not None]
        if self._looked is not None:
            found.append(self._looked)
        if self.now < self._watched_until:
            found.append(self.now + timedelta(seconds=EVERY))
        if any(moment <= self.now for moment in found):
            found.append(self.now + timedelta(seconds=AGAIN[min(self._stuck, len(AGAIN) - 1)]))
            self._stuck += 1
        else:
            self._stuck = 0
        return found

    def _jump(self, moment: datetime) -> None:
        self._see(self.now, moment)
        self.clock.set(moment)
        fake_time.set_time(self.connection, moment)

    def _see(self, since: datetime, until: datetime) -> None:
        """What the cameras have said meanwhile: nothing new, four times a minute."""
        found: list[Observation] = []
        for window, (seen, last) in self._seen.items():
            at = last + SUMMARY
            while at <= until:
                found += makers.summaries(self.centre, seen, at - SUMMARY, at)
                last, at = at, at + SUMMARY
            self._seen[window] = (seen, last)
        if found:
            write_observations(self.connection, found, now=until, posts=posts_of(self.centre))

    def _turn(self) -> None:
        """Everything that is due now is done: rules, rounds, senders, receipts, until nobody has anything left."""
        for _ in range(MOST_TURNS):
            judged = self._judge() if self._rules_live else 0
            sent = self._send()
            if self.watch is not None and (sent or self.now < self._watched_until):
                self._watched_until = self.now + WATCHED if sent else self._watched_until
                sent += len(self.watch.look(self.connection))
            waiting = any(
                (at := each.next_receipt) is not None and at <= self.now for each in self.gateways.values()
            )
            if waiting or any(each._replies for each in self.gateways.values()) or self._unheard():
                self.rounds.round(self.connection)
            elif not sent and not judged:
                return
        raise AssertionError(f"at {self.now} there is always more to do")

    def _judge(self) -> int:
        if len(self.loops) == 1:
            results = [self._tick(self.loops[0])]
        else:
            with ThreadPoolExecutor(len(self.loops)) as pool:
                results = list(pool.map(self._tick, self.loops))
        looks = [look for _, look in results if look is not None]
        self._looked = min(looks, default=None)
        return sum(judged for judged, _ in results)

    def _tick(self, loop: RuleLoop) -> tuple[int, datetime | None]:
        result = loop.tick(self.now)
        judged = result.judged
        while result.more:
            result = loop.tick(self.now)
            judged += result.judged
        return judged, result.next_look

    def _send(self) -> int:
        ready = self.connection.execute(
            "select count(*) from outbox where (state = 'ready' and next_try_at <= now())"
            " or (state = 'leased' and leased_until < now()) or (state in ('ready', 'leased') and give_up_at <= now())"
        ).fetchone()
        if ready == (0,):
            return 0
        if self._dies:
            return self._die()
        if len(self.senders) == 1:
            return self.senders[0].step()
        with ThreadPoolExecutor(len(self.senders)) as pool:
            return sum(pool.map(Sender.step, self.senders))

    def _die(self) -> int:
        victim = self._make_sender(DyingSender)
        try:
            victim.step()
        except Died:
            self._dies = False
            self.notes.append(Note(self.now, "a sender was killed"))
        return 1

    def _unheard(self) -> bool:
        row = self.connection.execute(
            "select exists (select 1 from outbox where state = 'sent' and ask_at <= now())"
        ).fetchone()
        return row == (True,)

    # -- steps

    def _do(self, step: Step) -> None:
        match step:
            case Event():
                self._number += 1
                made = makers.event(self.script, step, self._number, self.now)
                write_events(self.connection, [made], centre=self._code, now=self.now, linking=self._linking)
            case Seen():
                self._seen.pop(step.window, None)
                if not step.silent:
                    found = makers.summaries(self.centre, step, self.now, self.now, change=True)
                    write_observations(self.connection, found, now=self.now, posts=posts_of(self.centre))
                    self._seen[step.window] = (step, self.now)
            case Gateway():
                person = person_of(self.centre, step.to) if step.to else None
                self.gateways[step.channel].will(step.answers, person.phone if person else step.to)
            case Act(lenient=True):
                try:
                    self._act(step)
                except (AssertionError, StepRefusedError) as refused:
                    self.notes.append(Note(self.now, f"not possible: {step}: {refused}"))
            case Act():
                self._act(step)
            case Silence():
                self._silence(step)
            case Switch():
                self._switch(step)
            case Changed():
                self.close()
                self.centre = laid_over(self.centre, step.sections)
                self._linking = linking_of({self._code: self.centre})
                self._begin()
            case Fault(what="restart"):
                self.close()
                self._begin()
            case Fault(what="rules away"):
                self._rules_live, self._looked = False, None
            case Fault():
                self._dies = True

    def _act(self, act: Act) -> None:
        person = person_of(self.centre, act.person)
        assert person is not None, f"nobody is called {act.person}"
        ids = finding_ids(self, act.about)
        assert ids, f"nothing is found about {act.about} yet"
        if act.by == "link":
            tokens = [
                found[1]
                for each in self.heard
                if each.to == person.phone
                and (found := _LINK.search(each.text))
                and self._is_about(each, ids)
            ]
            assert tokens, f"{act.person} has got no link about {act.about}"
            done = take_link(self.connection, tokens[-1], self.now)
            assert isinstance(done, Acknowledged) != act.refused, done
        elif act.by == "reply":
            assert person.phone
            next(iter(self.gateways.values())).reply(person.phone, "收到")
        else:
            words = {"acknowledge": "", "answer": act.text, "revoke": act.text}[act.step]
            self._desk(act, ids[0], person.id, words)

    def _desk(self, act: Act, finding: str, person: str, words: str) -> None:
        at, tell = self.now, self.planner
        take_step(
            self.connection, self.centre, finding, act.step, person=person, now=at, text=words, tell=tell
        )

    def _is_about(self, heard: Heard, ids: list[str]) -> bool:
        row = self.connection.execute(
            "select finding_id from outbox where idempotency_key = %s", [heard.key]
        ).fetchone()
        return row is not None and row[0] in ids

    def _silence(self, step: Silence) -> None:
        from alerts.silence import Wanted
        from alerts.silences import create
        from domain.recurring import Recurring

        person = person_of(self.centre, step.author)
        again = None if step.recurring is None else Recurring.model_validate(dict(step.recurring))
        until = self.script.moment(step.until)
        match = {
            key: tuple([value] if isinstance(value, str) else value) for key, value in step.match.items()
        }
        wanted = Wanted(match=match, reason=step.reason, starts_at=self.now, ends_at=until, recurring=again)
        author = person.id if person else step.author
        create(self.connection, self.centre, wanted, author=author, now=self.now)

    def _switch(self, step: Switch) -> None:
        if step.on:
            waited = switch_on(self.connection, step.channel, at=self.now)
            assert waited is not None or step.lenient, f"{step.channel} was not off"
        else:
            switch_off(self.connection, step.channel, reason="维护", by="operator", at=self.now)

    # -- what came of it

    def _look(self, moment: datetime) -> None:
        for probed in self.script.probes:
            if not probed.at <= moment <= probed.until or probed in self._true:
                continue
            words = probed.probe.look(self)
            if words is None:
                self._true.append(probed)
            elif moment == probed.until:
                self.failed.append((probed, words))

    def tries(self, channel: str) -> int:
        """How often a gateway has been asked to take a message."""
        return self.gateways[channel].tries

    def _with_reasons(self) -> list[Heard]:
        rows = self.connection.execute("select idempotency_key, coalesce(why, '') from outbox").fetchall()
        why = dict(rows)
        return [replace(each, why=why.get(each.key, "")) for each in self.heard]

    def _note_unsent(self) -> None:
        rows = self.connection.execute(
            "select created_at, person, channel, template, o.state, reason, detail, coalesce(f.case_id, f.window_id)"
            " from outbox o left join finding f using (finding_id) where o.state not in ('sent', 'delivered')"
            " order by message_id"
        )
        for at, person, channel, template, state, reason, detail, case in rows.fetchall():
            more = f" {detail}" if detail else ""
            about = f" about {case}" if case else ""
            self.notes.append(
                Note(at, f"{template} to {person} by {channel}{about}: {state}, {reason}{more}")
            )


def play(dsn: str, script: Script) -> None:
    """Plays a script and fails with its timeline where it comes out otherwise."""
    verdict = FakeRun(dsn, script).play()
    if verdict.problems:
        pytest.fail("\n".join((script.name, *verdict.problems, "", verdict.table())), pytrace=False)


__all__ = ["Centre", "FakeGateway", "FakeRun", "play"]
