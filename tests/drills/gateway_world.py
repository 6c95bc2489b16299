"""What the gateways of the drill know and do together: the ledger of what phones show, the receipts on their way, the wire that
can be cut. One process holds all of it; nobody who sends can reach the ledger."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from tests.drills.gateway_plan import Course, Misdeed

#: After the answer: when a receipt is said, and when a second one, in seconds.
PROMPT, LATE, AGAIN = 0.1, 3.0, 1.0


class World:
    """Every course by whatever a gateway knows of it, and what has become of it. Safe for several threads."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self.by_key = {course.key: course for course in courses}
        self.by_short = {course.short: course for course in courses}
        self.by_number = {course.number: course for course in courses}
        self.shown: Counter[str] = Counter()
        self.by_itself: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.misdeeds: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._tries: Counter[str] = Counter()
        self._asks: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next_try(self, course: Course) -> Misdeed:
        return self._next(course, course.tries, self._tries)

    def next_ask(self, course: Course) -> Misdeed:
        return self._next(course, course.asks, self._asks)

    def _next(self, course: Course, planned: Sequence[Misdeed], done: Counter[str]) -> Misdeed:
        with self._lock:
            number = done[course.key]
            done[course.key] += 1
            misdeed = planned[number] if number < len(planned) else "good"
            self.misdeeds[course.channel]["requests"] += 1
            self.misdeeds[course.channel][misdeed] += misdeed != "good"
            return misdeed

    def takes(self, course: Course, part: str = "", *, by_itself: bool = False) -> None:
        """A phone shows it, once more."""
        with self._lock:
            (self.by_itself if by_itself else self.shown)[course.key + part] += 1

    def refuses(self, course: Course) -> None:
        with self._lock:
            self.refused[course.key] += 1

    def ledger(self) -> dict[str, Any]:
        with self._lock:
            return {
                "shown": dict(self.shown),
                "by_itself": dict(self.by_itself),
                "refused": dict(self.refused),
                "misdeeds": {channel: dict(counts) for channel, counts in self.misdeeds.items()},
            }


class Couriers:
    """Says receipts when it is time for them; one that is not taken is said again until it is."""

    def __init__(self, again: float = 0.4) -> None:
        self._due: list[tuple[float, int, Callable[[], bool]]] = []
        self._count, self._again, self._wake = itertools.count(), again, threading.Condition()
        for number in range(8):
            threading.Thread(target=self._run, name=f"courier-{number}", daemon=True).start()

    def later(self, seconds: float, say: Callable[[], bool]) -> None:
        """``say`` returns whether it was taken."""
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._count), say))
            self._wake.notify()

    def now(self, say: Callable[[], bool]) -> None:
        """Says it at once, and again later if nobody took it."""
        if not say():
            self.later(self._again, say)

    def speak(self, course: Course, say: Callable[[str], bool]) -> None:
        """All receipts of a message that was taken, as its course wants it."""
        fate = "undelivered" if course.arrives is False else "delivered"
        match course.word:
            case "prompt" | "undelivered" | "before":
                self.later(PROMPT, lambda: say(fate))
            case "late":
                self.later(LATE, lambda: say(fate))
            case "twice":
                self.later(PROMPT, lambda: say(fate))
                self.later(AGAIN, lambda: say(fate))
            case "recants":
                self.later(PROMPT, lambda: say("undelivered"))
                self.later(AGAIN, lambda: say(fate))

    @property
    def waiting(self) -> int:
        return len(self._due)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._wake.wait(max(0.0, self._due[0][0] - time.monotonic()) if self._due else None)
                say = heapq.heappop(self._due)[2]
            self.now(say)


class Relay:
    """A port of its own before a gateway, which can be closed for a while: nobody listens and every connection ends.

    Args:
        port: of the gateway.
    """

    def __init__(self, port: int) -> None:
        self._to, self.port = port, 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="relay", daemon=True).start()
        self._do(self._up())

    def down(self, seconds: float) -> None:
        """Away for ``seconds``; returns at once."""
        self._do(self._down())
        threading.Timer(seconds, lambda: self._do(self._up())).start()

    def _do(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far: asyncio.StreamWriter | None = None
        self._open.add(writer)
        try:
            back, far = await asyncio.open_connection("127.0.0.1", self._to)
            pipes = [asyncio.ensure_future(_pipe(reader, far)), asyncio.ensure_future(_pipe(back, writer))]
            _, others = await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            for each in (writer, far):
                if each is not None:
                    each.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
