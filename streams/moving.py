"""What a local log still holds, carried over to Kafka: nothing lost, order within a key kept, every record counted.

Each record goes with a header that says where it lay. So a move that was killed can go on, and at its end Kafka is read
back: every record must be there, with its key and value; which came twice (those under way at a kill) is known exactly.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from domain.errors import LogError, LogRefusedError
from streams.kafka_access import require_topics, topic_refusal
from streams.kafka_admin import KafkaAdmin
from streams.kafka_producer import make_producer, retire
from streams.kafka_security import KafkaSecurity
from streams.local_transport import EventLog, Record
from streams.local_transport.moved import Mark, Span

HEADER = "mingjing-moved"
#: Carried, confirmed and noted together; so many at most come twice after a kill.
CHUNK = 500
#: Without any progress for so long a move ends; it can be started again.
PATIENCE = 60.0


@dataclass(slots=True)
class Balance:
    """What became of one topic."""

    topic: str
    target: str
    in_log: int = 0
    consumed: int = 0
    to_carry: int = 0
    found: int = 0
    twice: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return self.found == self.to_carry and not self.faults


def plan_spans(log: EventLog, group: str, topics: Iterable[str], *, everything: bool) -> list[Span]:
    """What is to be carried: what ``group`` has not committed as done, or everything that is still there."""
    done = {} if everything else log.committed(group)
    spans = []
    for (topic, number), head in sorted(log.heads().items()):
        if topic in set(topics):
            first = max(done.get((topic, number), 0), log.earliest(topic, number))
            spans.append(Span(topic, number, first, first, head))
    return spans


def count(log: EventLog, spans: Sequence[Span], rename: Callable[[str], str]) -> list[Balance]:
    """One line a topic: what lies in the log, and what of it is to be carried."""
    found: dict[str, Balance] = {}
    for span in spans:
        line = found.setdefault(span.topic, Balance(span.topic, rename(span.topic)))
        held = span.until - log.earliest(span.topic, span.number)
        line.in_log += held
        line.to_carry += span.count
        line.consumed += max(0, held - span.count)
    return list(found.values())


class Mover:
    """Carries one log over.

    Args:
        log: held by nobody else (see :func:`streams.local_transport.moved.alone`).
        rename: the topic on Kafka by the topic here.
        on_chunk: told the number of records that were carried, after each chunk.
        sleep: seam for tests.
    """

    def __init__(
        self,
        log: EventLog,
        servers: Sequence[str],
        security: KafkaSecurity,
        *,
        rename: Callable[[str], str] = lambda topic: topic,
        on_chunk: Callable[[int], None] = lambda count: None,
        chunk: int = CHUNK,
        patience: float = PATIENCE,
    ) -> None:
        self._log, self._mark = log, Mark(log)
        self._servers, self._security = list(servers), security
        self._rename, self._on_chunk, self._chunk, self._patience = rename, on_chunk, chunk, patience

    async def move(self, spans: Sequence[Span], target: str, now: datetime | None = None) -> list[Balance]:
        """Carries and verifies; goes on where an earlier move was ended.

        Args:
            spans: what to carry, if this is the first time.
            target: the address, as it is shown to whoever comes to the log later.

        Returns:
            the balance by topic. The log is marked as moved for good only if all of it is whole.

        Raises:
            LogRefusedError: Kafka does not let us in, a topic is missing, a record is too large.
            LogError: Kafka is away for long. The move goes on when it is started again.
        """
        names = sorted({self._rename(span.topic) for span in spans})
        async with KafkaAdmin(self._servers, self._security) as admin:
            client = admin._client._client
            await require_topics(client, names)
            cluster = (await admin._client.describe_cluster())["cluster_id"]
        facts = self._mark.facts
        if not facts:
            facts = {
                "target": target,
                "cluster": cluster,
                "began_at": (now or datetime.now(UTC)).isoformat(),
                "move": os.urandom(6).hex(),
                "from": await self._ends(names),
            }
            self._mark.begin(list(spans), facts)
        elif facts["cluster"] != cluster:
            raise LogRefusedError(
                f"the move of {self._log.path} was begun to {facts['target']}, which is another cluster;"
                " go on with that, or begin anew with `mingjing move-log --undo`"
            )
        spans = self._mark.spans()
        for span in spans:
            await self._carry(span, facts["move"])
        balances = await self._verify(spans, facts)
        if all(balance.whole for balance in balances):
            self._mark.note({"done_at": (now or datetime.now(UTC)).isoformat()})
        return balances

    # -- there

    async def _carry(self, span: Span, move: str) -> None:
        loop, producer = asyncio.get_running_loop(), None
        give_up = loop.time() + self._patience
        try:
            while span.next < span.until:
                records = self._log.read(
                    span.topic, span.number, span.next, min(self._chunk, span.until - span.next)
                )
                if not records:
                    break
                try:
                    async with asyncio.timeout_at(give_up):
                        if producer is None:
                            producer = make_producer(self._servers, self._security)
                            await producer.start()
                        await self._send(producer, span, records, move)
                except Exception as error:
                    self._refuse_for_good(error, span)
                    if producer is not None:
                        await retire(producer)
                        producer = None
                    if loop.time() >= give_up:
                        raise LogError(
                            f"Kafka took nothing for {self._patience:.0f} s ({error!r}); what was carried is noted,"
                            " `mingjing move-log` goes on from there"
                        ) from error
                    await asyncio.sleep(0.2)
                    continue
                # Only now: killed before this, the chunk is carried again, which no reader counts twice.
                span = self._mark.advance(span, records[-1].offset + 1)
                self._on_chunk(len(records))
                give_up = loop.time() + self._patience
        finally:
            if producer is not None:
                await retire(producer)

    async def _send(self, producer: Any, span: Span, records: Sequence[Record], move: str) -> None:
        from aiokafka.errors import MessageSizeTooLargeError

        confirmed = []
        for record in records:
            place = f"{move}/{span.topic}/{span.number}:{record.offset}"
            try:
                sent = await producer.send(
                    self._rename(span.topic),
                    record.value if record.value is not None or record.key is not None else b"",
                    key=record.key,
                    headers=[*record.headers, (HEADER, place.encode())],
                )
            except MessageSizeTooLargeError as error:
                raise self._too_large(span, record) from error
            confirmed.append(sent)
        results = await asyncio.gather(*confirmed, return_exceptions=True)
        refused = [
            r
            for r, result in zip(records, results, strict=True)
            if isinstance(result, MessageSizeTooLargeError)
        ]
        if refused:
            # A batch is refused as a whole.
            raise self._too_large(span, max(refused, key=lambda record: len(record.value or b"")))
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _too_large(self, span: Span, record: Record) -> LogRefusedError:
        return LogRefusedError(
            f"record {span.topic}/{span.number}:{record.offset} of {self._log.path} has {len(record.value or b''):,} bytes;"
            f" topic '{self._rename(span.topic)}' takes fewer in one (its max.message.bytes): raise that and start again"
        )

    def _refuse_for_good(self, error: Exception, span: Span) -> None:
        if isinstance(error, LogRefusedError):
            raise error
        if sentence := topic_refusal(error, self._rename(span.topic)):
            raise LogRefusedError(sentence) from error

    # -- and back

    async def _ends(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """The end of each partition of the topics, by name and number."""
        consumer, places = await self._consumer(names)
        try:
            ends = await consumer.end_offsets(places)
        finally:
            await consumer.stop()
        found: dict[str, dict[str, int]] = {name: {} for name in names}
        for place, end in ends.items():
            found[place.topic][str(place.partition)] = end
        return found

    async def _consumer(self, names: Sequence[str]) -> tuple[Any, list[Any]]:
        from aiokafka import AIOKafkaConsumer, TopicPartition
        from aiokafka.errors import KafkaError

        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=2000,
            **self._security.client_options(),
        )
        try:
            await consumer.start()
            cluster = await consumer._client.fetch_all_metadata()
        except KafkaError as error:
            await consumer.stop()
            raise LogError(f"Kafka at {', '.join(self._servers)} does not answer: {error!r}") from error
        places = [
            TopicPartition(name, number)
            for name in names
            for number in sorted(cluster.partitions_for_topic(name) or ())
        ]
        return consumer, places

    async def _verify(self, spans: Sequence[Span], facts: Mapping[str, Any]) -> list[Balance]:
        """Reads back what came to Kafka since the move began, and holds it beside the log."""
        lines = {balance.topic: balance for balance in count(self._log, spans, self._rename)}
        check = _Check(self._log, spans, lines, facts["move"])
        consumer, places = await self._consumer(sorted({self._rename(span.topic) for span in spans}))
        try:
            ends = await consumer.end_offsets(places)
            starts = {
                place: facts["from"].get(place.topic, {}).get(str(place.partition), 0) for place in places
            }
            left = {place for place in places if starts[place] < ends[place]}
            if left:
                consumer.assign(sorted(left))
                for place in left:
                    consumer.seek(place, starts[place])
            while left:
                async with asyncio.timeout(self._patience):
                    batches = await consumer.getmany(timeout_ms=1000)
                for place, records in batches.items():
                    for record in records:
                        check.see(place, record)
                left = {place for place in left if await consumer.position(place) < ends[place]}
        except TimeoutError as error:
            raise LogError(
                "Kafka did not let itself be read back; `mingjing move-log` tries again"
            ) from error
        finally:
            await consumer.stop()
        return list(lines.values())


class _Check:
    """Counts the records that came, each beside the one in the log."""

    def __init__(self, log: EventLog, spans: Sequence[Span], lines: Mapping[str, Balance], move: str) -> None:
        self._log, self._lines, self._move = log, lines, move
        self._spans = {(span.topic, span.number): span for span in spans}
        self._seen = {place: bytearray(span.count) for place, span in self._spans.items()}
        self._last: dict[tuple[Any, tuple[str, int]], int] = {}
        self._page: dict[tuple[str, int], dict[int, Record]] = {}

    def see(self, place: Any, record: Any) -> None:
        origin = dict(record.headers).get(HEADER, b"").decode()
        move, _, rest = origin.partition("/")
        if move != self._move:
            return  # somebody else's: doors may have begun to write there
        where, _, offset = rest.rpartition(":")
        topic, _, number = where.rpartition("/")
        self._count(place, (topic, int(number)), int(offset), record)

    def _count(self, place: Any, origin: tuple[str, int], offset: int, record: Any) -> None:
        line, index = self._lines[origin[0]], offset - self._spans[origin].first
        if self._seen[origin][index]:
            line.twice += 1
            return
        self._seen[origin][index] = 1
        line.found += 1
        ours = self._record(origin, offset)
        if (ours.key, ours.value or b"") != (record.key, record.value or b""):
            line.faults.append(f"{origin[0]}/{origin[1]}:{offset} differs in Kafka")
        if self._last.get((place, origin), -1) > offset:
            line.faults.append(f"{origin[0]}/{origin[1]}:{offset} came after a later one")
        self._last[place, origin] = offset

    def _record(self, origin: tuple[str, int], offset: int) -> Record:
        page = self._page.get(origin, {})
        if offset not in page:
            page = {each.offset: each for each in self._log.read(*origin, offset, 1000)}
            self._page[origin] = page
        return page[offset]
