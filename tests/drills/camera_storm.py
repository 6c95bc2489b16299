"""Hundreds of cameras that fail in a minute: one incident, one message; those that fail one by one: a bounded number.

Real are what tells an incident from single faults (:mod:`camera_adapters.sites`), the rules, the stages, rounds and the sender; the
cameras are links that a test sets, and the clock jumps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from camera_adapters.reader import Link, Reader
from camera_adapters.sites import Member, Sites, site_of
from domain.observations import Observation
from store.observations import posts_of, write_observations
from tests.drills.message_stage import CODE, Stage, make_centre

UP, DOWN, UNTRIED = Link(True), Link(False, "unreachable"), Link(False)
#: Seconds of the clock in one turn; summaries come four times a minute.
TURN, SUMMARY = 5, 15
#: Seconds after which everything that is due is done at the latest.
LOOK = 20
#: Whoever looks after cameras hears of all of them.
TECHNICAL: Final = {"id": "technical", "match": {"rule": ["source.*", "camera.*"]}, "to": ["operators"]}


@dataclass(frozen=True, slots=True)
class Plan:
    """``cameras`` at ``sites``, over ``windows``."""

    cameras: int = 500
    sites: int = 1
    windows: int = 60


@dataclass
class _Reader:
    link: Link = UNTRIED

    def hurry(self) -> None:
        """It has nothing to wait for."""


@dataclass
class Cameras:
    """All cameras of a centre, as its runner would speak of them."""

    stage: Stage
    readers: dict[str, _Reader] = field(default_factory=dict)
    _said: dict[str, tuple[bool, str | None]] = field(default_factory=dict)
    _summed: float = float("-inf")

    def __post_init__(self) -> None:
        cameras = self.stage.centre.cameras
        self.readers = {camera.id: _Reader() for camera in cameras}
        members = [
            Member(site_of(CODE, camera), camera.id, cast(Reader, self.readers[camera.id]))
            for camera in cameras
        ]
        clock = self.stage.clock
        self.sites = Sites(members, clock, monotonic=clock.monotonic)
        self._posts = posts_of(self.stage.centre)

    def set(self, cameras: Iterable[str], link: Link) -> None:
        for camera in cameras:
            self.readers[camera].link = link

    def speak(self) -> bool:
        """What is to be said at this moment, written as the worker writes it; whether anything has changed."""
        found = self.sites.step()
        at, seconds = self.stage.now, self.stage.clock.monotonic()
        summed = seconds - self._summed >= SUMMARY
        if summed:
            self._summed = seconds
        for camera in self.stage.centre.cameras:
            link = self.readers[camera.id].link
            reason = (
                "incident"
                if link.reason and self.sites.concerns(site_of(CODE, camera), camera.id)
                else link.reason
            )
            now = (link.up, reason)
            state = "present" if link.up else "unknown"
            words: dict[str, Any] = {
                "centre": CODE,
                "camera": camera.id,
                "at": at,
                "state": state,
                "reason": reason,
            }
            post: dict[str, Any] = {
                "window": camera.posts[0].window,
                "post": camera.posts[0].name,
                "since": at,
            }
            said = self._said.get(camera.id)
            if said != now:
                self._said[camera.id] = now
                found.append(Observation(f"{camera.id}:c:{at.timestamp()}", "camera.state", **words))
                if said is None or said[0] != link.up:
                    found.append(
                        Observation(f"{camera.id}:p:{at.timestamp()}", "post.state", **words, **post)
                    )
            elif summed:
                post |= {"since": at - timedelta(seconds=SUMMARY), "until": at, "looks_expected": 7}
                post |= {"looks_valid": 7 * link.up, "looks_seen": 7 * link.up}
                found.append(Observation(f"{camera.id}:s:{at.timestamp()}", "post.summary", **words, **post))
        if found:
            write_observations(self.stage.connection, found, now=at, posts=self._posts)
        return any(each.kind != "post.summary" for each in found)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TURN)):
            self.stage.clock.advance(TURN)
            if self.speak() or self.stage.clock.monotonic() % LOOK == 0:
                self.stage.turn()


@dataclass(slots=True)
class Account:
    """What a camera storm left: messages on phones by what they are about, findings, cameras spoken for by their site."""

    title: str
    messages: Counter[str]
    findings: Counter[str]
    inhibited: int
    most_in_ten_minutes: int
    gathered: int
    waiting: int

    def __str__(self) -> str:
        told = ", ".join(f"{count} × {what}" for what, count in sorted(self.messages.items())) or "none"
        found = ", ".join(f"{count} × {what}" for what, count in sorted(self.findings.items())) or "none"
        return (
            f"== {self.title}\nfindings            {found}\nspoken for by site  {self.inhibited} cameras\n"
            f"messages            {told}; told in digests: {self.gathered}; at most {self.most_in_ten_minutes} to one person in ten minutes"
        )


def together(dsn: str, plan: Plan) -> tuple[Account, Account, Account]:
    """All cameras of one site fail within a minute, one after the other, and come back within another.

    Returns:
        The account while they are away, some minutes in; after their return; and half an hour later.
    """
    stage = Stage(dsn, make_centre(plan.windows, 4, plan.cameras))
    try:
        cameras = _begun(stage)
        _spread(cameras, DOWN)
        cameras.run(600)
        away = take_account(
            stage, f"{plan.cameras} cameras of a site fail within a minute, ten minutes later"
        )
        _spread(cameras, UP)
        cameras.run(120)
        back = take_account(stage, "… they are back")
        cameras.run(1800)
        return away, back, take_account(stage, "… half an hour later")
    finally:
        stage.close()


def apart(dsn: str, plan: Plan, whole: int) -> Account:
    """``whole`` of the sites fail altogether, at the others every camera for itself, half a minute apart."""
    stage = Stage(dsn, make_centre(plan.windows, 4, plan.cameras, plan.sites, routes=[TECHNICAL]))
    try:
        cameras = _begun(stage)
        names = list(cameras.readers)
        fail = [name for name in names if int(_site(stage, name)[1:]) < whole]
        cameras.set(fail, DOWN)
        cameras.run(30)
        singles: dict[str, list[str]] = {}
        for name in names:
            if name not in fail:
                singles.setdefault(_site(stage, name), []).append(name)
        # One camera of each site in turn: never most of a site within seconds.
        for number in range(max(len(each) for each in singles.values()) // 2):
            cameras.set([each[number] for each in singles.values()], DOWN)
            cameras.run(30)
        cameras.run(600)
        stage.play_out(stage.now + timedelta(hours=2))
        title = f"{plan.cameras} cameras at {plan.sites} sites: {whole} sites fail, at the others half of the cameras one by one"
        return take_account(stage, title)
    finally:
        stage.close()


def _begun(stage: Stage) -> Cameras:
    cameras = Cameras(stage)
    cameras.set(cameras.readers, UP)
    cameras.run(300)
    return cameras


def _spread(cameras: Cameras, link: Link) -> None:
    """Over a minute, evenly."""
    names, turns = list(cameras.readers), 60 // TURN
    for turn in range(turns):
        cameras.set(names[len(names) * turn // turns : len(names) * (turn + 1) // turns], link)
        cameras.run(TURN)


def _site(stage: Stage, camera: str) -> str:
    return next(each.site for each in stage.centre.cameras if each.id == camera) or CODE


def take_account(stage: Stage, title: str) -> Account:
    """What phones show, and what was found."""
    kinds = {
        key: f"{rule} {kind}".strip()
        for key, rule, kind in stage.connection.execute(
            "select o.idempotency_key, f.rule, coalesce(f.explain ->> 'kind', '') from outbox o"
            " join finding f on f.finding_id = o.finding_id"
        )
    }
    findings = Counter(
        f"{rule} {kind} {state}"
        for rule, kind, state in stage.connection.execute(
            "select rule, coalesce(explain ->> 'kind', ''), state from finding"
        )
    )
    inhibited = stage.one(
        "select coalesce(sum(cardinality(cameras)), 0) from site_incident where ended is null"
    )
    times: dict[str, list[datetime]] = {}
    for person, at in stage.connection.execute(
        "select person, sent_at from outbox where sent_at is not null"
    ):
        times.setdefault(person, []).append(at)
    most = max(
        (
            sum(at <= other < at + timedelta(minutes=10) for other in mine)
            for mine in times.values()
            for at in mine
        ),
        default=0,
    )
    return Account(
        title,
        Counter(kinds.get(each.idempotency_key, each.template) for each in stage.recorder.heard),
        findings,
        inhibited,
        most,
        int(stage.one("select count(*) from outbox where state = 'gathered'")),
        stage.waiting(),
    )
