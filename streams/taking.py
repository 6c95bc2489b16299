"""Batches straight from a stream's queue, to be acknowledged by whoever took them.

Faust's own ``noack_take`` wakes a task for each event, calls every sensor twice, and goes on filling its buffer behind the
agent's back after a stop: what it costs is as much as reading and checking the event. Here a batch is what lies in the
queue. Everything Faust keeps books of is kept: messages under way, events of an older assignment are dropped (their new
owner gets them), the last sign of life of each partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import faust


async def take(app: faust.App, stream: Any, size: int, within: float) -> AsyncIterator[list[Any]]:
    """Yields lists of 1 to ``size`` events until the agent is told to end; nothing is acknowledged.

    Args:
        stream: of a topic, as an agent is given it.
        within: seconds a batch that is not full waits for company.
    """
    started = await stream.maybe_start()
    queue = stream.channel.queue
    try:
        while not stream.should_stop:
            batch = [await queue.get()]
            _drain(queue, batch, size)
            if len(batch) < size:
                await asyncio.sleep(within)
                _drain(queue, batch, size)
            current = [event for event in batch if _is_ours(app, event.message)]
            if current:
                _note(app, stream, current)
                yield current
    except StopAsyncIteration:
        # Faust's way to say that the agent is to end; what was taken and not yielded stays unacknowledged, and comes again.
        return
    finally:
        stream.channel.on_stop_iteration()
        if started:
            # As Faust's own iteration does: the agent may be started again with the same stream.
            await stream.stop()
            stream.service_reset()


def _drain(queue: Any, batch: list[Any], size: int) -> None:
    while len(batch) < size and not queue.empty():
        batch.append(queue.get_nowait())


def _is_ours(app: Any, message: Any) -> bool:
    """Whether the partition is still ours: a rebalance gives what was read before it to its new owner."""
    return bool(app.flow_control.is_active() and message.generation_id == app.consumer_generation_id)


def _note(app: Any, stream: Any, events: Sequence[Any]) -> None:
    track = app.consumer.track_message
    newest = {}
    for event in events:
        message = event.message
        if not message.tracked:
            message.tracked = True
            track(message)
        newest[message.tp] = event
    # Faust complains of a partition that no stream has heard of for long; one event of each batch tells it.
    for tp, event in newest.items():
        app.sensors.on_stream_event_in(tp, event.message.offset, stream, event)


def acknowledge(app: Any, events: Sequence[Any]) -> None:
    """Says that the events are done; a later commit may pass them."""
    done = app.sensors.on_message_out
    for event in events:
        message = event.message
        if event.ack():
            done(message.tp, message.offset, message)
