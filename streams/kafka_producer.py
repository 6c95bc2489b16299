"""aiokafka's producer as we use it, and an end of it that does not wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from streams.kafka_security import KafkaSecurity

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

#: Bytes of one message, before compression; a line may have 1 MB, and a refused one grows when it is quoted.
MAX_REQUEST = 4_194_304
#: Of one request. A publisher waits for more than two of them, so that a broker that hangs is asked a second time.
REQUEST_SECONDS = 8.0
_CANCEL_SECONDS, _CLOSE_SECONDS = 0.2, 3.0


def make_producer(servers: Sequence[str], security: KafkaSecurity) -> AIOKafkaProducer:
    """A producer with acks=all whose retries make no duplicates. To be called inside a running event loop.

    Raises:
        SettingsError: a file of the security cannot be used.
    """
    from aiokafka import AIOKafkaProducer

    return AIOKafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        compression_type="gzip",
        max_batch_size=131_072,
        max_request_size=MAX_REQUEST,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        **security.client_options(),
    )


async def retire(producer: Any) -> None:
    """Ends a producer without waiting for what it could not send. Whoever still waits for a confirmation gets an error.

    Its own ``stop()`` waits until everything is delivered, and an idempotent producer never gives up; so this reaches
    into it, and is tested against brokers that died and brokers that hang.
    """
    from aiokafka.errors import ProducerClosed

    task = producer._sender.sender_task
    # The first time it goes on waiting for its requests, the second time it leaves them.
    for _ in range(2):
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_SECONDS)
    accumulator = producer._message_accumulator
    accumulator._exception = ProducerClosed()
    for batch in [
        *accumulator._pending_batches,
        *(each for queue in accumulator._batches.values() for each in queue),
    ]:
        for confirmed, _ in batch._msg_futures:
            if not confirmed.done():
                confirmed.set_exception(ProducerClosed())
        if not batch._drain_waiter.done():
            batch._drain_waiter.set_result(None)
    producer._closed = True
    with suppress(Exception):
        await asyncio.wait_for(producer.client.close(), _CLOSE_SECONDS)
