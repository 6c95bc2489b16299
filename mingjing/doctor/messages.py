"""Who would be told: every role has somebody, everybody an address, every shift a person, every channel a name that exists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.addresses import AddressKind, addresses_of, missing_of
from alerts.roster import OF_WINDOW, Roster
from domain.centre import Centre
from domain.errors import SettingsError
from domain.messages import MessageSettings
from domain.phones import plain_number
from mingjing.channels import address_kinds, channel_of
from mingjing.doctor.report import Result, ok, some, warning
from mingjing.doctor.scene import Scene
from mingjing.settings import Settings
from store.roster import roster_events

#: So far ahead empty shifts are looked for.
AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Way:
    """Who is told by which channels; ``at``: where the centre file says so."""

    at: str
    roles: Sequence[str]
    channels: Sequence[str]


def _ways(messages: MessageSettings, default: Sequence[str]) -> Iterator[_Way]:
    """Every list of roles of a centre file, with the channels in their order."""
    usual = messages.channels or default
    for severity in ("notice", "yellow", "red"):
        yield _Way(f"messages.{severity}", getattr(messages, severity), usual)
    if messages.digest is not None:
        yield _Way("messages.digest", messages.digest.to, usual)
    for route in messages.routes:
        at, own = f"messages.routes.{route.id}", route.channels or usual
        yield _Way(at, route.to, own)
        for step in route.escalate:
            yield _Way(f"{at}.escalate", step.to, step.channels or own)


def _each(scene: Scene) -> Iterator[tuple[str, Centre]]:
    """Every centre, with what stands before its names where there are several."""
    centres = scene.centres
    for code, centre in ({} if centres is None else centres).items():
        yield (f"{code}/" if centres is not None and centres.several else ""), centre


def _kinds(settings: Settings) -> Mapping[str, AddressKind] | None:
    """None where the file of channels cannot be read; the check of the gateway says why."""
    try:
        return address_kinds(settings)
    except SettingsError:
        return None


def _places(role: str, centre: Centre) -> Sequence[str | None]:
    return [window.id for window in centre.windows] if role in OF_WINDOW else [None]


def reach(scene: Scene) -> Iterator[Result]:
    """Whom no channel reaches, and whom the first one does not."""
    kinds = _kinds(scene.settings)
    if kinds is None:
        return
    default = [channel_of(scene.settings)]
    mute: dict[str, None] = {}
    second: dict[str, None] = {}
    for before, centre in _each(scene):
        roster, now = Roster(centre), scene.now()
        for way in _ways(centre.messages, default):
            for role in way.roles:
                for window in _places(role, centre):
                    people = [
                        centre.person_by_id[person]
                        for person in roster.holders(role, window, now).people
                        if person in centre.person_by_id
                    ]
                    if people and not any(addresses_of(person, way.channels, kinds) for person in people):
                        who = ", ".join(person.id for person in people)
                        of_role = "" if role == who else f" ({who})"
                        mute[f"{before}{window or ''}{' ' if window else ''}{role}{of_role}"] = None
                    for person in people:
                        kind = missing_of(person, way.channels[:1], kinds).get(way.channels[0])
                        if kind is not None:
                            second[f"{before}{person.id} ({way.channels[0]}: {kind})"] = None
    if mute:
        yield warning(
            "messages.reach",
            f"角色无人可通知：{some(list(mute))}",
            f"roles of which no message reaches anybody: {some(list(mute))}",
            "people[].phone / email / addresses",
        )
    if second:
        yield warning(
            "messages.address",
            f"责任人没有首选通道的号码或地址：{some(list(second))}",
            f"people without an address for the first channel: {some(list(second))}",
            "people[].phone / email / addresses",
        )
    if scene.centres is not None and not mute and not second:
        yield ok("messages.reach", "每个责任人都可通知到", "everybody who is told has an address")


def handlers(scene: Scene) -> Iterator[Result]:
    """Windows whose notices reach nobody."""
    bare = [
        f"{before}{window.id}"
        for before, centre in _each(scene)
        if any("handler" in way.roles for way in _ways(centre.messages, ()))
        for window in centre.windows
        if window.handler is None and Roster(centre).holders("handler", window.id, scene.now()).gap
    ]
    if bare:
        yield warning(
            "messages.handler",
            f"窗口没有经办人，预警无人接收：{some(bare)}",
            f"windows without a handler, whose notices reach nobody: {some(bare)}",
            "windows[].handler",
        )


def numbers(scene: Scene) -> Iterator[Result]:
    """Numbers that no gateway takes."""
    odd = [
        f"{before}{person.id}"
        for before, centre in _each(scene)
        for person in centre.people
        if person.phone and plain_number(person.phone) is None
    ]
    if odd:
        yield warning(
            "messages.numbers",
            f"不是手机号码，网关会拒收：{some(odd)}",
            f"no mobile numbers, gateways refuse them: {some(odd)}",
            'people[].phone: "13800000000"（或 · or "+852…"）',
        )


def channels(scene: Scene) -> Iterator[Result]:
    """Channels that the centre file names and the file of channels does not."""
    kinds = _kinds(scene.settings)
    if kinds is None:
        return
    unknown = {
        f"{before}{way.at}: {channel}": None
        for before, centre in _each(scene)
        for way in _ways(centre.messages, [channel_of(scene.settings)])
        for channel in way.channels
        if channel not in kinds
    }
    if unknown:
        there = ", ".join(kinds)
        yield warning(
            "messages.channels",
            f"没有这样的通道：{some(list(unknown))}",
            f"there are no such channels: {some(list(unknown))} (there are {there})",
            "MINGJING_CHANNELS_FILE；messages.channels / routes[].channels",
        )


def shifts(scene: Scene) -> Iterator[Result]:
    """Hours of the next two weeks in which a role with a roster of duty, or the inspectors, have nobody: as far as leave is granted
    already, where the database can be asked."""
    now = scene.now()
    empty: list[str] = []
    for before, centre in _each(scene):
        facts = () if scene.connection is None else roster_events(scene.connection, centre, now)
        roster = Roster(centre, facts)
        listed = ("inspectors",) if centre.messages.inspectors else ()
        for role in dict.fromkeys((*(duty.role for duty in centre.messages.duty), *listed)):
            told = _local(centre)
            for window in _places(role, centre):
                for begin, end in roster.empty_shifts(role, window, now, now + AHEAD):
                    empty.append(
                        f"{before}{window or ''}{' ' if window else ''}{role} {told(begin)} – {told(end)}"
                    )
    if empty:
        yield warning(
            "messages.shifts",
            f"两周内有无人值班的时段：{some(empty)}",
            f"hours of the next two weeks in which nobody is there: {some(empty)}",
            "messages.duty / messages.inspectors；请假须指定替岗 · name substitutes",
        )


def _local(centre: Centre) -> Callable[[datetime], str]:
    return lambda moment: f"{moment.astimezone(centre.zone):%m-%d %H:%M}"


def operators(scene: Scene) -> Iterator[Result]:
    """A system that can send tells somebody when it is in trouble itself."""
    settings = scene.settings
    if settings.channels_file is None and not settings.gateway_url:
        return
    deaf = [f"{before}messages.operators" for before, centre in _each(scene) if not centre.messages.operators]
    if deaf:
        yield warning(
            "messages.operators",
            f"系统自身故障无人接收：{some(deaf)}",
            f"nobody hears that the system itself is in trouble: {some(deaf)}",
            "messages.operators: [person]",
        )


CHECKS = (reach, handlers, numbers, channels, shifts, operators)
