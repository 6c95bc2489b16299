"""A dead man's switch: an outside watcher hears from us while the whole chain lives, and calls somebody when it does not.

A system that is dead cannot say so; a watcher on another machine, in another network, notices the silence. It is told from here, the
sender's process, the last link and one with a way out: where the sender is dead nothing is said, and for the links before
it the database knows when each gave its last sign of life. One place suffices, since a second one that went on telling while no
message leaves would be worse than none. Pings are those of healthchecks and its kind: a POST to a secret address, and to ``…/fail`` with
the reason.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import SecretStr

from alerts.hooks.asking import read_secret, web_address
from alerts.states import HOLD
from domain.errors import SettingsError, StoreError
from store import Connection, connect
from store.connection import PASSING

log = logging.getLogger(__name__)

#: Links of the chain, by the role of their signs of life, and what each is called.
LINKS = {"rules": "the rule loop", "sender": "the sender"}
#: Real seconds: for an answer of the watcher; for a question to the database.
TIMEOUT, STATEMENT = 10.0, 5.0

_BEATS = """
select role, extract(epoch from clock_timestamp() - max(real_at))::float8 from heartbeat where role = any(%s) group by 1
"""
# One number that has had enough for today stalls nobody: messages wait, and nothing at all was handed over.
_STALLED = """
select extract(epoch from now() - min(coalesce(first_try_at, next_try_at)))::float8 from outbox
where state in ('ready', 'leased') and (next_try_at <= now() or attempts > 0)
  and not exists (select 1 from outbox where handed_at > now() - make_interval(secs => %(longest)s))
"""


def judge(connection: Connection, *, silent: float, waiting: float) -> str | None:
    """Why the chain is broken; None while all of it lives.

    Args:
        silent: real seconds without a sign of life. waiting: real seconds for which messages wait and none leaves.
    """
    beats = dict(connection.execute(_BEATS, (list(LINKS),)).fetchall())
    for role, name in LINKS.items():
        if role not in beats:
            return f"{name} has never given a sign of life"
        if beats[role] > silent:
            return f"{name} has been silent for {beats[role]:.0f} s"
    if connection.execute("select 1 from heartbeat where role = %s", (HOLD,)).fetchone():
        return "all messages are held"
    row = connection.execute(_STALLED, {"longest": waiting}).fetchone()
    if row is not None and row[0] is not None and row[0] > waiting:
        return f"a message has waited for {row[0]:.0f} s, and none leaves"
    return None


class DeadMan:
    """Pings until told to stop.

    Args:
        url: the watcher's address; a secret, and in no log.
        every: real seconds between pings.
        silent, waiting: see :func:`judge`.
        grace: real seconds after the start in which nothing is called broken: the others are still starting.
        transport, connector: for tests.
    """

    def __init__(
        self,
        dsn: str,
        url: str,
        *,
        every: float = 60.0,
        silent: float = 60.0,
        waiting: float = 900.0,
        grace: float = 120.0,
        transport: httpx.BaseTransport | None = None,
        connector: Callable[..., Connection] = connect,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn, self._url, self._every, self._connector = dsn, url.rstrip("/"), every, connector
        self._silent, self._waiting, self._monotonic = silent, waiting, monotonic
        self._started = self._last = monotonic()
        self._grace, self._broken = grace, False
        self._client = httpx.Client(
            timeout=TIMEOUT, trust_env=False, follow_redirects=False, transport=transport
        )
        self._counts = {"alive": 0, "fail": 0, "error": 0}

    def start(self, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self.run, args=(stop,), name="dead-man", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        while True:
            try:
                self.step()
            except Exception:
                log.exception("dead man's switch failed")  # and nothing was said, which is heard
            if stop.wait(self._every):
                break
        self._client.close()

    def step(self) -> bool:
        """Judges and pings once; whether the watcher has heard that all is well."""
        broken = self._judge()
        if broken is None:
            if self._broken:
                log.info("dead man's switch: the whole chain lives again")
            self._broken = False
            return self._say("alive", self._url, "")
        if self._monotonic() - self._started < self._grace:
            return False
        if not self._broken:
            log.error("dead man's switch: %s", broken)
        self._broken = True
        self._say("fail", f"{self._url}/fail", broken)
        return False

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        age = GaugeMetricFamily(
            "mingjing_deadman_ping_age_seconds",
            "Seconds since the outside watcher last heard that all is well (or since the start)",
        )
        age.add_metric([], self._monotonic() - self._last)
        pings = CounterMetricFamily(
            "mingjing_deadman_pings", "Pings to the outside watcher", labels=["outcome"]
        )
        for outcome, count in self._counts.items():
            pings.add_metric([outcome], count)
        yield from (age, pings)

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def _judge(self) -> str | None:
        try:
            with self._connector(
                self._dsn, application="mingjing-deadman", autocommit=True, statement_timeout=STATEMENT
            ) as connection:
                return judge(connection, silent=self._silent, waiting=self._waiting)
        except (*PASSING, StoreError) as error:
            log.debug("dead man's switch: %s", error)
            return "the database does not answer"

    def _say(self, what: str, url: str, reason: str) -> bool:
        try:
            answer = self._client.post(url, content=reason.encode())
            heard, words = answer.is_success, f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            heard, words = False, type(error).__name__  # its text may hold the address
        if not heard:
            self._counts["error"] += 1
            log.warning("dead man's switch: the watcher cannot be told: %s", words)
            return False
        self._counts[what] += 1
        if what == "alive":
            self._last = self._monotonic()
        return True


def load_url(file: Path) -> str:
    """The watcher's address.

    Raises:
        SettingsError: the file cannot be read, or holds no address; it is never quoted.
    """
    url = read_secret(SecretStr(""), file, "deadman_url_file").decode("utf-8", "replace")
    try:
        if "?" in url or "#" in url:
            raise ValueError
        return web_address(url)
    except ValueError:
        raise SettingsError(
            f"MINGJING_DEADMAN_URL_FILE: {file}: expected an http:// or https:// address without query"
        ) from None


__all__ = ["DeadMan", "judge", "load_url"]
