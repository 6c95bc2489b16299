"""Batches from the queue of a stream: a real queue of Faust's, everything around it played."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.taking import acknowledge, take


class Played:
    """An application with one stream; ``calls`` holds what was said to consumer and sensors."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.flow_control = FlowControlEvent(initially_suspended=False)
        self.queue: ThrowableQueue[Any] = ThrowableQueue(maxsize=100, flow_control=self.flow_control)
        self.consumer_generation_id = 7
        self.consumer = SimpleNamespace(
            track_message=lambda message: self.calls.append(("tracked", message.offset))
        )
        self.sensors = SimpleNamespace(
            on_stream_event_in=lambda tp, offset, stream, event: self.calls.append(
                ("heard", (tp.partition, offset))
            ),
            on_message_out=lambda tp, offset, message: self.calls.append(("done", offset)),
        )
        self.should_stop = False
        self.channel = SimpleNamespace(queue=self.queue, on_stop_iteration=lambda: None)

    async def maybe_start(self) -> bool:
        return True

    async def stop(self) -> None:
        self.calls.append(("stopped", None))

    def service_reset(self) -> None: ...

    def put(self, *offsets: int, generation: int = 7) -> None:
        for offset in offsets:
            tp = TP("case-events", offset % 2)
            message = SimpleNamespace(tp=tp, offset=offset, generation_id=generation, tracked=False)
            self.queue.force_put_nowait(SimpleNamespace(message=message, ack=lambda: True))

    def end(self) -> None:
        self.queue._throw(StopAsyncIteration())


def taken(app: Played, size: int) -> list[list[int]]:
    async def run() -> list[list[int]]:
        app.end()  # told to end before it looks; what lies in the queue then comes again after the next start
        return [[event.message.offset for event in batch] async for batch in take(app, app, size, 0.0)]  # type: ignore[arg-type]

    return asyncio.run(run())


def take_some(app: Played, size: int, count: int) -> list[list[int]]:
    """The first batches, each acknowledged."""

    async def run() -> list[list[int]]:
        batches = []
        async for batch in take(app, app, size, 0.01):  # type: ignore[arg-type]
            acknowledge(app, batch)
            batches.append([event.message.offset for event in batch])
            if len(batches) == count:
                app.end()
        return batches

    return asyncio.run(run())


def test_a_batch_is_what_lies_in_the_queue_and_no_more_than_asked() -> None:
    app = Played()
    app.put(*range(7))
    assert take_some(app, 3, 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert [offset for what, offset in app.calls if what == "tracked"] == list(range(7))
    assert [offset for what, offset in app.calls if what == "done"] == list(range(7))


def test_each_partition_is_heard_of_once_a_batch() -> None:
    app = Played()
    app.put(0, 1, 2, 3)
    take_some(app, 10, 1)
    assert [sign for what, sign in app.calls if what == "heard"] == [(0, 2), (1, 3)]


def test_what_was_read_before_a_rebalance_is_its_new_owners() -> None:
    app = Played()
    app.put(0, 1, generation=6)
    app.put(2)
    assert take_some(app, 10, 1) == [[2]]
    assert ("tracked", 0) not in app.calls
    assert ("done", 0) not in app.calls


def test_told_to_end_it_ends_without_taking_more_and_stops_its_stream() -> None:
    app = Played()
    app.put(0, 1)
    assert taken(app, 10) == []
    assert app.calls == [("stopped", None)]
