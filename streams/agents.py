"""The Faust agents: each takes batches from one topic to its intake, and acknowledges what is safely stored.

Faust acknowledges a batch of its ``take()`` whatever happens to it, also when the agent is cancelled by a stop. So these
take batches themselves (:mod:`streams.taking`) and acknowledge them after the write. One agent a topic,
``concurrency=1``: with more, a commit can pass a message still in work (faust-streaming issue 606).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import faust

from streams.intake import Arrived, Intake, Stopping
from streams.taking import acknowledge, take

log = logging.getLogger(__name__)


def add_agents(
    app: faust.App,
    intakes: Mapping[str, Intake[Any]],
    *,
    batch_size: int,
    batch_wait: float,
    partitions: int,
    prefix: str = "",
) -> None:
    """Declares one agent for each topic.

    Args:
        batch_wait: seconds a batch waits for company; also the longest an event waits before its write begins.
        prefix: of the topics' names in the log.
    """
    for name, intake in intakes.items():
        topic = app.topic(
            prefix + name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=partitions,
            internal=True,  # made at the start where missing and where the app may
        )
        app.agent(topic, name=name, concurrency=1)(_consumer(app, intake, batch_size, batch_wait))


def _consumer(app: faust.App, intake: Intake[Any], batch_size: int, batch_wait: float) -> Any:
    async def consume(stream: Any) -> None:
        stream.enable_acks = False
        async for events in take(app, stream, batch_size, batch_wait):
            try:
                await intake.handle([_arrived(event.message) for event in events])
            except Stopping:
                return
            except Exception as error:
                # A fault of ours, not of a value. Nothing is acknowledged, so nothing is lost: the worker ends, is
                # started again by its supervisor, and gets the batch again.
                log.exception("The worker stops: a batch could not be handled")
                await app.crash(error)
                return
            acknowledge(app, events)
            # A batch that never waited would keep the timers from their turn.
            await asyncio.sleep(0)

    return consume


def _arrived(message: Any) -> Arrived:
    return Arrived(f"{message.topic}/{message.partition}:{message.offset}", message.value or b"")
