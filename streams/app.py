"""The Faust application: ``faust -A streams.app worker``, or :func:`run_worker` under the supervisor."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import faust
from faust.worker import Worker

from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.clock import Clock
from streams.agents import add_agents
from streams.delivery import deliver_at_once
from streams.holding import BACKLOG
from streams.intake import Counts, Intake, event_intake, observation_intake, rejected_intake
from streams.kafka_transport import Transport as KafkaTransport
from streams.progress import Progress
from streams.seldom import quieten_clients
from streams.sensor import WorkerSensor
from streams.settings import StreamSettings, load_stream_settings
from streams.topics import CASE_EVENTS, OBSERVATIONS, REJECTED_LINES
from streams.writer import EventWriter, StoreWriter, WriterThread

log = logging.getLogger(__name__)

ROLE = "worker"
HEARTBEAT_SECONDS = 1.0
#: How often the worker looks whether a heartbeat is due, and beats while it is behind.
LOOK_SECONDS = 0.2
#: A stop that takes longer is cut short: what was not committed comes again, and writes are idempotent.
STOP_SECONDS = 10.0


def create_app(
    settings: StreamSettings,
    *,
    open_writer: Callable[[], EventWriter] | None = None,
    clock: Clock | None = None,
    centres: Centres | None = None,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
) -> faust.App:
    """A new application; an App object cannot be started twice, so each start makes its own.

    Args:
        open_writer: called in the writer's thread; default writes to the database of the settings.
        clock: default is the clock of the settings.
        centres: default are those of the settings.

    Raises:
        SettingsError, CentreFileError: a setting or the centre file cannot be used.
    """
    clock = clock or Clock.from_spec(settings.clock)
    centres = centres or _centres(settings)
    app = Application(settings.group_id, **_conf(settings))
    writer = WriterThread(open_writer or _store_writer(settings, centres, clock))
    counts = Counts()
    common: dict[str, Any] = {
        "clock": clock,
        "counts": counts,
        "stopping": lambda: app.should_stop,
        "sleep": sleep,
    }
    intakes: dict[str, Intake[Any]] = {
        CASE_EVENTS: event_intake(writer, **(centres.checks if centres else {}), **common),
        OBSERVATIONS: observation_intake(
            writer, centres=frozenset(centres) if centres and centres.several else None, **common
        ),
        REJECTED_LINES: rejected_intake(writer, **common),
    }
    add_agents(
        app,
        intakes,
        batch_size=settings.batch_size,
        batch_wait=settings.batch_wait,
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
    )
    app.sensors.add(WorkerSensor())
    progress = Progress(app, settings.topic_prefix + CASE_EVENTS)
    _add_heartbeat(app, writer, lambda: {**counts.as_detail(), **progress.detail()}, settings.instance_name)
    app.on_before_shutdown.connect(lambda *_, **__: writer.close(), weak=False)
    return app


def _conf(settings: StreamSettings) -> dict[str, Any]:
    # Where Faust 0.15's default differs: repeats after a crash stay short (commit interval, buffer), a stuck agent is
    # noticed (timeouts), a restart causes no rebalance (instance id), and nothing listens or takes over stdout.
    return {
        "broker": settings.broker_url,
        "broker_credentials": None
        if settings.broker_url.startswith("local:")
        else settings.kafka.broker_credentials(),
        "broker_commit_interval": 1.0,
        "broker_commit_every": 1000,
        "broker_session_timeout": settings.session_timeout,
        "broker_heartbeat_interval": settings.session_timeout / 10,
        "broker_max_poll_interval": settings.max_poll_interval,
        "consumer_group_instance_id": f"{settings.group_id}-{settings.instance_name}",
        "stream_buffer_maxsize": 1024,
        "stream_processing_timeout": 60.0,
        # True would hang a stop while the database is away. False is safe only because agents acknowledge themselves.
        "stream_wait_empty": False,
        "processing_guarantee": "at_least_once",
        "store": "memory://",
        "datadir": str(settings.data / "faust"),
        "table_standby_replicas": 0,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "topic_allow_declare": settings.declare_topics,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
        "Worker": BoundedWorker,
    }


def _centres(settings: StreamSettings) -> Centres | None:
    """The centres, whose codes and windows events are checked against; None where there is no file yet."""
    if settings.centre is None and not settings.centre_file.exists():
        return None
    return load_centres(settings.centre_file, kept=settings.kept_centres)


def _store_writer(
    settings: StreamSettings, centres: Centres | None, clock: Clock
) -> Callable[[], EventWriter]:
    dsn = settings.dsn
    return lambda: StoreWriter(dsn, clock=clock, centres=centres)


def _add_heartbeat(
    app: faust.App, writer: WriterThread, look: Callable[[], dict[str, Any]], instance: str
) -> None:
    beaten, behind = float("-inf"), False

    async def beat() -> None:
        nonlocal beaten, behind
        # A timer that raises ends the worker.
        try:
            detail = look()
            # The rule loop waits while there is a backlog: that it came, and that it is gone, is said soon.
            was_behind, behind = behind, detail["lag"] > BACKLOG
            if time.monotonic() - beaten < HEARTBEAT_SECONDS and not (behind or was_behind):
                return
            beaten = time.monotonic()
            await writer.run(lambda to: to.beat(ROLE, detail, instance))
        except Exception as error:
            log.debug("no heartbeat: %r", error)

    app.timer(LOOK_SECONDS, name="heartbeat")(beat)


class Application(faust.App):
    """Faust's application on our two transports, each with a consumer that delivers at once."""

    def _new_consumer(self) -> Any:
        return deliver_at_once(super()._new_consumer())

    def _new_transport(self) -> Any:
        if self.conf.broker_consumer[0].scheme == "local":
            return super()._new_transport()
        quieten_clients()
        return KafkaTransport(self.conf.broker_consumer, self)


class BoundedWorker(Worker):
    """A worker whose stop cannot hang (Faust waits for unacknowledged messages without limit)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Its control characters have no business in a log file.
        self.spinner = None

    async def stop(self) -> None:
        timer = threading.Timer(STOP_SECONDS, lambda: os._exit(int(self.app.crashed)))
        timer.daemon = True
        timer.start()
        await super().stop()


def run_worker(
    settings: StreamSettings | None = None, *, clock: Clock | None = None, log_level: str = "INFO"
) -> NoReturn:
    """Runs the worker until SIGTERM; exits the process with 0, or 1 after a crash.

    Args:
        settings, clock: default to what the environment says.
    """
    app = create_app(settings or load_stream_settings(), clock=clock)
    BoundedWorker(app, loglevel=log_level, quiet=True, redirect_stdouts=False).execute_from_commandline()


def __getattr__(name: str) -> Any:
    # ``faust -A streams.app worker`` looks for ``app``; importing this module must not build one (nor read settings).
    if name == "app":
        globals()["app"] = made = create_app(load_stream_settings())
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
