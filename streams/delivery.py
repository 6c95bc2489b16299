"""From the consumer into an agent's queue without a race for each record.

Faust races the delivery of each record against the end of the flow (``wait_first``: two tasks, a ``wait``, two
cancellations), a fifth of all that a worker does. Nearly every delivery ends without ever waiting, so it is begun on the
spot, and raced only if it has to wait, for a queue that is full.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from inspect import iscoroutine
from types import coroutine
from typing import Any

from faust.types.transports import ConsumerT
from mode.services import WaitResults


def deliver_at_once(consumer: ConsumerT) -> ConsumerT:
    """Gives a consumer of Faust's a ``wait_first`` that begins its first coroutine on the spot."""
    race: Any = consumer.wait_first  # type: ignore[attr-defined]

    async def wait_first(*waited: Any, timeout: Any = None) -> WaitResults:
        first, rest = waited[0], waited[1:]
        if timeout is not None or not rest or not all(map(iscoroutine, waited)):
            return await race(*waited, timeout=timeout)  # type: ignore[no-any-return]
        try:
            waits_for = first.send(None)
        except StopIteration as end:
            for other in rest:
                other.close()
            return WaitResults([first], [end.value], False)
        except BaseException:
            for other in rest:
                other.close()
            raise
        return await race(_go_on(first, waits_for), *rest)  # type: ignore[no-any-return]

    consumer.wait_first = wait_first  # type: ignore[attr-defined]
    return consumer


async def _go_on(begun: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
    """The rest of a coroutine that was begun by hand and now waits for something."""
    return await _steps(begun, waits_for)


@coroutine
def _steps(begun: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:
            try:
                waits_for = begun.throw(error)
            except StopIteration as end:
                return end.value
        else:
            try:
                waits_for = begun.send(sent)
            except StopIteration as end:
                return end.value
