"""Publishing to Kafka: durable, patient with an election, quick to say that nobody is there.

The client is an idempotent aiokafka producer, which tries for ever. So each call has a deadline of its own, and a
producer that failed anything is thrown away: after a failure its sequence numbers have a gap, and brokers would
refuse all that follows.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Self

from domain.errors import LogError, LogRefusedError, MessagesRefusedError, MingjingError
from streams.kafka_access import knock, require_topics, topic_refusal
from streams.kafka_producer import MAX_REQUEST, make_producer, retire
from streams.kafka_security import KafkaSecurity

log = logging.getLogger(__name__)

Message = tuple[bytes | None, bytes]

#: Longer than brokers take to notice that one of them is dead (9 s) and to elect another.
TIMEOUT = 20.0
#: After nobody answered, callers are told so without asking again for so long.
AWAY_SECONDS = 1.0
#: After somebody has waited in vain for all of the above, others wait this long only, for the next ten seconds: a door
#: has few threads, and its callers rather hear 503 than nothing.
SHORT_SECONDS, SHORT_FOR = 3.0, 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_END_SECONDS = 3.0


class KafkaPublisher:
    """See :class:`streams.publisher.Publisher`. A producer in a thread of its own.

    The connection is made by the first ``publish`` and again after a failure, so that a door can start, and answer
    503, while Kafka is away.

    Args:
        servers: ``host:port`` of the brokers.
        prefix: of every topic's name.
        timeout: seconds until ``publish`` gives up; ``short`` after somebody else has just done so.
        away: seconds for which callers are told that nobody answers, without asking again.
        make, end: seams for tests; called inside the thread's event loop.
        ask: seam for tests; says why nobody answers (see :func:`streams.kafka_access.knock`).
    """

    def __init__(
        self,
        servers: list[str],
        *,
        security: KafkaSecurity | None = None,
        prefix: str = "",
        timeout: float = TIMEOUT,
        short: float = SHORT_SECONDS,
        away: float = AWAY_SECONDS,
        make: Callable[[Sequence[str], KafkaSecurity], Any] = make_producer,
        end: Callable[[Any], Coroutine[Any, Any, None]] = retire,
        ask: Callable[[Sequence[str], KafkaSecurity], Awaitable[None]] = knock,
    ) -> None:
        self._servers, self._security, self._prefix = servers, security or KafkaSecurity(), prefix
        self._timeout, self._away, self._make, self._end, self._ask = timeout, away, make, end, ask
        self._short, self._short_until = short, 0.0
        self._producer: Any = None
        self._nobody: tuple[float, MingjingError] | None = None
        self._known_topics: set[str] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False
        self._starting = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-publisher", daemon=True)
        self._thread.start()

    # -- for callers, in any thread

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self._closed:
            raise LogError("the publisher is closed")
        self._run(self._deliver(self._prefix + topic, messages), self._timeout + _END_SECONDS)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._run(self._finish(), 2 * _END_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Any, timeout: float) -> None:
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)
        except (OSError, TimeoutError) as error:
            raise LogError(f"{self} did not take the messages: {error!r}") from error

    def __str__(self) -> str:
        return f"Kafka at {', '.join(self._servers)}"

    # -- in the thread's loop

    async def _deliver(self, topic: str, messages: Sequence[Message]) -> None:
        """Sends until all are confirmed or refused for good, with a new producer after each failure."""
        left = dict(enumerate(messages))
        refused: dict[int, str] = {}
        pause, producer = _FIRST_PAUSE, None
        problem: BaseException | None = None
        hurried = self._loop.time() < self._short_until
        patience = min(self._short, self._timeout) if hurried else self._timeout
        try:
            async with asyncio.timeout(patience):
                while left:
                    if problem is not None and _too_large(problem):
                        problem = await self._send_one_by_one(topic, left, refused)
                    else:
                        producer = await self._connected(topic)
                        problem = await self._send(producer, topic, left, refused)
                    if problem is not None:
                        self._throw_away(producer)
                        if sentence := topic_refusal(problem, topic):
                            raise LogRefusedError(sentence) from problem
                        log.warning("%s did not confirm %d messages: %r", self, len(left), problem)
                        await asyncio.sleep(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            self._throw_away(producer)
            why = f"the last fault: {problem!r}" if problem else "no answer, or too few brokers in sync"
            if not hurried:
                self._short_until = self._loop.time() + SHORT_FOR
            raise LogError(f"{self} did not take {len(left)} messages in {patience:g} s ({why})") from problem
        self._short_until = 0.0
        if refused:
            raise MessagesRefusedError(refused)

    async def _send(
        self, producer: Any, topic: str, left: dict[int, Message], refused: dict[int, str]
    ) -> BaseException | None:
        """One try. What is confirmed or refused leaves ``left``, whose order stays.

        Returns:
            an error after which the producer cannot be used any more.
        """
        from aiokafka.errors import KafkaError

        sent: dict[int, Any] = {}
        problem: BaseException | None = None
        for index, (key, value) in list(left.items()):
            try:
                sent[index] = await producer.send(topic, value, key=key)
            except KafkaError as error:
                if not _too_large(error):
                    problem = error
                    break
                # Refused before it left: the producer is as good as before.
                refused[index] = f"has {_size(left.pop(index)):,} bytes; a request may have {MAX_REQUEST:,}"
        results = await asyncio.gather(*sent.values(), return_exceptions=True)
        late: set[bytes | None] = set()
        for index, result in zip(sent, results, strict=True):
            key = left[index][0]
            if isinstance(result, BaseException):
                problem = result
                late.add(key)
            elif key is None or key not in late:
                # What came in before its predecessor of the same key comes once more, after it.
                del left[index]
        return problem

    async def _send_one_by_one(
        self, topic: str, left: dict[int, Message], refused: dict[int, str]
    ) -> BaseException | None:
        """As :meth:`_send`, after a batch was too large: by a producer of its own, so that each message is a batch and
        only the guilty one is refused."""
        from aiokafka.errors import KafkaError

        producer = None
        try:
            for index, (key, value) in list(left.items()):
                producer = producer or await self._started()
                try:
                    await (await producer.send(topic, value, key=key))
                except KafkaError as error:
                    failed: BaseException = error
                    if not _too_large(failed):
                        return failed
                    size = f"{_size(left[index]):,}"
                    refused[index] = (
                        f"has {size} bytes; topic '{topic}' takes fewer in one (its max.message.bytes)"
                    )
                    await self._end(producer)
                    producer = None
                del left[index]
        finally:
            if producer is not None:
                await self._end(producer)
        return None

    async def _connected(self, topic: str) -> Any:
        """A producer that is started, on a cluster that has the topic."""
        from aiokafka.errors import KafkaError

        async with self._starting:
            if self._producer is None:
                if self._nobody is not None and self._loop.time() < self._nobody[0]:
                    raise type(self._nobody[1])(str(self._nobody[1]))
                try:
                    self._producer = await self._started()
                except MingjingError as error:
                    self._nobody = (self._loop.time() + self._away, error)
                    raise
            producer = self._producer
        if topic not in self._known_topics:
            try:
                await require_topics(producer.client, [topic])
            except KafkaError as error:
                self._throw_away(producer)
                raise LogError(f"{self} does not answer: {error!r}") from error
            self._known_topics.add(topic)
        return producer

    async def _started(self) -> Any:
        from aiokafka.errors import KafkaError

        self._known_topics.clear()
        producer = self._make(self._servers, self._security)
        try:
            await producer.start()
        except BaseException as error:
            await self._end(producer)
            if isinstance(error, KafkaError):
                if sentence := topic_refusal(error, ""):
                    raise LogRefusedError(sentence) from error
                await self._ask(self._servers, self._security)
                raise LogError(f"{self} does not answer: {error!r}") from error
            raise
        return producer

    def _throw_away(self, producer: Any) -> None:
        if producer is not None and producer is self._producer:
            self._producer = None
            task = self._loop.create_task(self._end(producer))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _finish(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                # What callers were told is in the log is in it; the rest they heard of.
                await asyncio.wait_for(producer.stop(), _END_SECONDS)
            except TimeoutError:
                await self._end(producer)
        await asyncio.gather(*self._retiring, return_exceptions=True)


def _too_large(error: BaseException) -> bool:
    from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

    return isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError))


def _size(message: Message) -> int:
    return len(message[0] or b"") + len(message[1])
