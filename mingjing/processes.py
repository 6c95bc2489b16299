"""What each process of the system does: the rooms, wired together with one clock, one database, one log.

Every process can be killed at any moment and started again; each stops on SIGTERM.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from domain.centre import Centre
from domain.errors import SettingsError
from domain.shares import WHOLE, Share
from mingjing.context import Context as Context
from mingjing.database import database_address as database_address
from mingjing.database import migrate_database as migrate_database
from mingjing.database import open_database as open_database
from mingjing.logs import set_up_logs
from mingjing.message_watch import watch_from_outside, watch_messages
from mingjing.settings import Settings
from mingjing.spawning import watch_parent

if TYPE_CHECKING:
    from store import Connection
    from store.upkeep import Upkeep
    from streams.clerk import Plan

log = logging.getLogger(__name__)

#: Real seconds without anything to publish after which the camera process no longer claims to live.
CAMERAS_SILENT = 45.0


# -- the processes ---------------------------------------------------------------------------------------------------


def database(context: Context) -> None:
    """The embedded PostgreSQL, its schema brought up to date before anyone may rely on it."""
    from store import migrate_command, run_database

    if not context.settings.embedded_database:
        raise SettingsError("MINGJING_DATABASE names a server: there is no embedded one to run")
    run_database(
        context.settings.data,
        context.stop,
        on_ready=lambda dsn: log.info("%s", migrate_command(dsn)),
        beat=context.beat("server"),
    )


def worker(context: Context) -> None:
    """Faust: from the log into the database."""
    from mingjing.publishing import wait_for_log
    from streams.app import BoundedWorker, create_app
    from streams.place import wait_for_name
    from streams.settings import load_stream_settings

    settings = load_stream_settings().model_copy(
        update={"data": context.settings.data, "centre": context.settings.centre_file}
    )
    # Waiting for Kafka is no hang, and no reason to be killed: /readyz says what is missing.
    context.health.pulse.leave("events")
    wait_for_log(settings, context.stop)
    if not settings.broker_url.startswith("local:"):  # that has a lock
        wait_for_name(settings.dsn, settings.instance_name, context.stop)
    if context.stop.is_set():
        return
    app = create_app(settings, clock=context.clock, centres=context.centres)
    beat = context.beat("events")

    async def turn() -> None:
        beat()

    app.timer(1.0, name="health")(turn)
    beat()
    level = context.settings.log_level
    # Ends the process itself, on SIGTERM or a crash.
    BoundedWorker(
        app, loglevel=level, quiet=True, redirect_stdouts=False, override_logging=False
    ).execute_from_commandline()


def cameras(context: Context) -> None:
    """From the cameras to the topic ``observations``."""
    import json

    from prometheus_client import REGISTRY

    from camera_adapters.metrics import CameraCollector
    from camera_adapters.pictures_metrics import PictureCollector
    from camera_adapters.runner import cameras_of, run_cameras
    from domain.observations import Observation, observation_to_json
    from mingjing.camera_peers import Peers
    from mingjing.demo.script import DemoScript
    from mingjing.heartbeats import Heart
    from mingjing.models import choose_net
    from mingjing.picture_keeping import PictureKeeping
    from mingjing.publishing import open_log
    from streams.topics import OBSERVATIONS, observation_key

    several = context.centres.several
    watched = cameras_of(context.centres, context.share)
    # The strictest wish of any centre: "detector" refuses to start without a model.
    methods = {each.centre.presence.method for each in watched}
    method = next((each for each in ("detector", "auto", "correlation") if each in methods), "auto")
    choice = choose_net(method)
    if choice.notice:
        log.warning("%s", choice.notice)

    published = [time.monotonic()]

    def delivers() -> bool:
        # Each post says something every 15 s of the house's clock, also that nothing has changed.
        return time.monotonic() - published[0] < CAMERAS_SILENT

    peers = Peers(context.share)
    Heart(
        "cameras",
        context.dsn,
        context.clock,
        instance="" if context.share == WHOLE else str(context.share),
        alive=delivers,
        detail=lambda: {"model": choice.model, "cameras": len(watched), **peers.detail()},
        look=peers.look,
    ).start(context.stop)
    pictures = PictureKeeping(context.settings, watched, context.clock, context.dsn)
    pictures.start(context.stop)
    REGISTRY.register(PictureCollector(pictures.keeper))  # type: ignore[arg-type]
    with open_log(context.settings) as publisher:

        def publish(found: list[Observation]) -> None:
            publisher.publish(
                OBSERVATIONS,
                [
                    (
                        observation_key(each, several=several),
                        json.dumps(observation_to_json(each), ensure_ascii=False).encode(),
                    )
                    for each in found
                ],
            )
            published[0] = time.monotonic()

        run_cameras(
            watched,
            context.clock,
            publish,
            context.stop,
            # Each looking thread has a net of its own: one cannot be used by two at once.
            make_net=lambda: choose_net(method).net,
            make_script=DemoScript,
            turn=context.health.pulse.beat,
            make_keeper=pictures.keeper_of,
            learned=context.settings.data / "references",
            on_start=lambda runner: REGISTRY.register(
                CameraCollector(runner, rivals=lambda: len(peers.rivals))
            ),  # type: ignore[arg-type]
        )


def door(context: Context) -> None:
    """``POST /events`` for other systems."""
    import uvicorn

    from mingjing.health import WithHealth
    from mingjing.heartbeats import Heart
    from mingjing.publishing import open_log
    from streams.access import load_api_keys
    from streams.door import create_door

    settings = context.settings
    if settings.api_keys_file is None:
        raise SettingsError("MINGJING_API_KEYS_FILE is not set: without keys the door would let nobody in")
    keys = load_api_keys(settings.api_keys_file)
    with open_log(settings) as publisher:
        app = WithHealth(create_door(publisher, keys, context.centres, context.clock), context.health)
        Heart("door", context.dsn, context.clock).start(context.stop)
        # Stops on SIGTERM by itself, answering what has begun.
        uvicorn.run(
            app,
            host=settings.door_host,
            port=settings.door_port,
            log_config=None,  # through our own handler
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )


def rules(context: Context) -> None:
    """The rule loop: judges what is due, writes findings and their messages in one transaction. Beside it the database's upkeep."""
    from alerts.planner import Planner
    from alerts.rounds.turn import Rounds
    from mingjing.picture_keeping import with_pictures
    from streams.circuit import TURN, Circuit
    from streams.rule_loop import RuleLoop

    links, channel, kinds = context.links, context.channel, context.channel_kinds
    upkeep(context).start(context.stop)
    watch_messages(context)

    def planner_of(centre: Centre) -> Planner:
        return Planner(centre, links, channel=channel, kinds=kinds)

    def plan_for(centre: Centre) -> Plan:
        return with_pictures(planner_of(centre), centre, context.settings)

    if context.centres.only is not None:
        centre = context.centres.only
        planner = planner_of(centre)
        loop = RuleLoop(
            context.dsn,
            centre,
            context.clock,
            plan=plan_for(centre),
            remind=planner.remind,
            rounds=Rounds(centre, planner),
            turn=context.beat(),
        )
        loop.run(context.stop)
        return

    def make_loop(code: str, open_connection: Callable[[], Connection]) -> RuleLoop:
        centre = context.centres[code]
        planner = planner_of(centre)
        return RuleLoop(
            context.dsn,
            centre,
            context.clock,
            plan=plan_for(centre),
            remind=planner.remind,
            rounds=Rounds(centre, planner),
            batches=TURN,
            open_connection=open_connection,
            beats=False,
            turn=context.beat(),
        )

    circuit = Circuit(context.dsn, list(context.centres), context.clock, make_loop, turn=context.beat())
    circuit.run(context.stop)


def upkeep(context: Context) -> Upkeep:
    """Partitions, aggregates and retention; of several processes that would, one does it."""
    from datetime import timedelta

    from alerts.receipts import drop_unmatched
    from mingjing.audit.heads import DailyHeads
    from mingjing.picture_keeping import tidy_evidence
    from store.retention import Keep
    from store.upkeep import Upkeep

    settings = context.settings
    keep = Keep(
        observation=timedelta(days=settings.keep_observations),
        minute=timedelta(days=settings.keep_minutes),
        metric=timedelta(days=settings.keep_metrics),
        event=None if settings.keep_events is None else timedelta(days=settings.keep_events),
    )
    pictures = partial(tidy_evidence, settings=settings, clock=context.clock)
    zones = {code: centre.zone for code, centre in context.centres.items()}
    heads = DailyHeads(context.clock, zones, settings.audit_heads, settings.audit_key_file)
    return Upkeep(
        context.dsn,
        context.clock,
        keep,
        also={"pictures": pictures, "heads of the chain": heads, "receipts of nothing": drop_unmatched},
    )


def sender(context: Context) -> None:
    """Takes messages from the outbox to the gateway, or writes them to the log."""
    from prometheus_client import REGISTRY

    from alerts.metrics import HookCollector
    from alerts.receipt_rounds import ReceiptRounds
    from alerts.rounds.quiet import allowed_in
    from alerts.sender import Sender, SenderSettings
    from mingjing.channels import check_templates, open_channels

    check_templates(context.settings, context.centres.values())
    hooks = open_channels(context.settings)
    settings = SenderSettings(
        patience=context.settings.receipt_minutes * 60.0,
        channel_patience=context.settings.channel_minutes * 60.0,
    )
    service = Sender(
        context.dsn,
        hooks,
        context.clock,
        links=context.links,
        settings=settings,
        turn=context.beat(),
        allowed=allowed_in(context.centres),
    )
    rounds = ReceiptRounds(
        context.dsn, hooks, context.clock, service.outgoing, every=settings.rounds, follow=service.follow
    )
    rounds.start(context.stop)
    REGISTRY.register(HookCollector(hooks))  # type: ignore[arg-type]
    watch_messages(context)
    watch_from_outside(context)
    try:
        service.run(context.stop)
    finally:
        service.close()


def wall(context: Context) -> None:
    """The wall, with the page behind the links of the messages, the inspectors' desk, and where gateways push receipts."""
    from alerts.ack_app import create_ack_app
    from alerts.next_channel import NextChannel
    from alerts.receipts_app import create_receipts_app
    from alerts.rounds.quiet import allowed_in
    from dashboard.desk.app import create_desk
    from dashboard.province_server import create_province
    from dashboard.province_source import ProvinceSource
    from dashboard.server import create_wall, run_wall
    from dashboard.source import StoreSource
    from dashboard.switchboard import Switchboard
    from mingjing.channels import open_receiving
    from mingjing.desk.wiring import make_desk
    from mingjing.health import WithHealth

    settings, dsn, centres, clock = context.settings, context.dsn, context.centres, context.clock
    desk, close_desk = make_desk(context)
    mounts, turn = {"/ack": create_ack_app(dsn, clock), "/desk": create_desk(desk)}, context.beat("reader")
    if receiving := open_receiving(settings):
        follow = NextChannel(context.links.digest, allowed=allowed_in(centres))
        mounts["/receipts"] = create_receipts_app(dsn, clock, receiving, follow=follow)
    # A hundred walls, yet few connections: they borrow them for a reading. One wall has its own.
    board = Switchboard(dsn)
    if centres.only is not None:
        centre = centres.only
        app = create_wall(centre, clock, lambda: StoreSource(dsn, centre), mounts=mounts, turn=turn)
    else:
        app = create_province(
            centres,
            clock,
            lambda: ProvinceSource(dsn, centres, board.listener(), speed=clock.speed),
            lambda each: StoreSource(
                dsn, each, beats=False, several=True, lend=board.lend, listen=board.listener()
            ),
            mounts=mounts,
            turn=turn,
        )
    app = WithHealth(app, context.health)
    try:
        run_wall(app, host=settings.wall_host, port=settings.wall_port, stop_event=context.stop)
    finally:
        board.close()
        close_desk()


def gateway(context: Context) -> None:
    """The demo's message gateway, at the address that ``MINGJING_GATEWAY_URL`` names."""
    from alerts.hooks.http_json.gateway import run_gateway

    settings = context.settings
    address = urlsplit(settings.gateway_url)
    if not address.hostname or not address.port or settings.gateway_secret_file is None:
        raise SettingsError(
            "the demo gateway needs MINGJING_GATEWAY_URL (http://host:port/messages) and MINGJING_GATEWAY_SECRET_FILE"
        )
    names = {
        person.phone: f"{person.name} {person.title}".strip()
        for person in context.centre.people
        if person.phone
    }
    run_gateway(
        address.hostname,
        address.port,
        settings.data / "gateway.db",
        settings.gateway_secret_file.read_bytes().strip(),
        names=names,
    )


def simulator(context: Context) -> None:
    """The demo's other systems: approval, queue, attendance."""
    from mingjing.demo.cases import World
    from mingjing.demo.simulator import run_simulator
    from mingjing.publishing import open_log

    with open_log(context.settings) as publisher:
        run_simulator(World(context.centre), context.clock, publisher, context.settings.data, context.stop)


PROCESSES: dict[str, Callable[[Context], None]] = {
    "database": database,
    "worker": worker,
    "rules": rules,
    "door": door,
    "cameras": cameras,
    "sender": sender,
    "wall": wall,
    "gateway": gateway,
    "simulator": simulator,
}


def run_process(name: str, settings: Settings, *, share: Share = WHOLE) -> None:
    """Runs one process in the foreground until SIGTERM or Ctrl-C.

    Args:
        share: of the cameras, where several machines watch them.

    Raises:
        SettingsError: there is no process of that name, or it cannot be shared like this.
        MingjingError: what the process cannot go on without.
    """
    if name not in PROCESSES:
        raise SettingsError(f"no process is called '{name}'; there are {', '.join(PROCESSES)}")
    if share != WHOLE and name != "cameras":
        raise SettingsError(f"--share is for cameras; any number of '{name}' may run as they are")
    set_up_logs(name, level=settings.log_level, form=settings.log_format, instance=settings.instance_name)
    settings.data.mkdir(parents=True, exist_ok=True)
    watch_parent()
    context = Context(settings, process=name, share=share)
    _ = context.health
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: context.stop.set())
    PROCESSES[name](context)
    log.info("%s has stopped", name)
