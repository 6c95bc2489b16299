"""Keeps a set of processes alive: order, restart with growing pauses, clean stop.

One thread, one loop. Whatever touches the world (starting a process, sleeping, the time) is a parameter, so the
tests run the same loop on a clock of their own.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

log = logging.getLogger(__name__)

#: Pauses before a restart: doubled each time, from the first to the last value. A process that dies at once every
#: time costs two starts a minute, not a core.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: A process that ran this long is taken for healthy: its next death is answered at once again.
GOOD_RUN = 60.0
#: How often the loop looks at its processes.
TICK = 0.2

State = Literal["waiting", "running", "pausing", "done", "stopped"]


class Running(Protocol):
    """A started process, as :class:`subprocess.Popen` gives it."""

    pid: int

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Child:
    """What to keep alive.

    Args:
        name: also the name of its log.
        command: program and arguments.
        after: names that must run (or, for ``once``, be done) before this one starts for the first time.
        once: runs to its end; anything but exit status 0 is tried again.
        patience: seconds between the request to stop and the kill.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    once: bool = False
    patience: float = 8.0


@dataclass(slots=True)
class _Kept:
    child: Child
    state: State = "waiting"
    process: Running | None = None
    started: float = 0.0
    resume_at: float = 0.0
    pause: float = FIRST_PAUSE
    starts: int = 0
    killed: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs children until told to stop.

    Args:
        children: each name in ``after`` must be among them.
        spawn: starts one child and returns at once.
        sleep, monotonic: the loop's time.
        on_restart: told the name, the exit status and the pause of every unplanned death.
        housekeeping: called about every ten seconds (log rotation).
        turn: called at each turn of the loop.
    """

    children: Sequence[Child]
    spawn: Callable[[Child], Running]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    on_restart: Callable[[str, int, float], None] = lambda name, status, pause: None
    housekeeping: Callable[[], None] = lambda: None
    turn: Callable[[], None] = lambda: None
    _kept: dict[str, _Kept] = field(init=False)
    _stopping: bool = field(init=False, default=False)
    _housekept: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._kept = {child.name: _Kept(child) for child in self.children}
        if len(self._kept) != len(self.children):
            raise ValueError("two children share a name")
        for child in self.children:
            for name in child.after:
                if name not in self._kept:
                    raise ValueError(f"{child.name} waits for {name}, which is not among the children")

    # -- what others may ask ---------------------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Ends :meth:`run` soon; safe in a signal handler."""
        self._stopping = True

    def state(self, name: str) -> State:
        return self._kept[name].state

    def pid(self, name: str) -> int | None:
        process = self._kept[name].process
        return process.pid if process is not None else None

    def starts(self, name: str) -> int:
        return self._kept[name].starts

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Keeps the children alive until :meth:`request_stop`, then stops them in reverse order."""
        try:
            while not self._stopping:
                self.turn()
                self.step()
                self.sleep(TICK)
        finally:
            self.stop()

    def step(self) -> None:
        """One look at every child: collect the dead, start what may start."""
        now = self.monotonic()
        for kept in self._kept.values():
            if kept.state == "running":
                self._collect(kept, now)
        for kept in self._kept.values():
            due = kept.state == "pausing" and now >= kept.resume_at
            if due or (kept.state == "waiting" and self._may_start(kept.child)):
                self._start(kept, now)
        if now - self._housekept >= 10:
            self._housekept = now
            self.housekeeping()

    def _may_start(self, child: Child) -> bool:
        for name in child.after:
            before = self._kept[name]
            if before.state != ("done" if before.child.once else "running"):
                return False
        return True

    def _start(self, kept: _Kept, now: float) -> None:
        try:
            kept.process = self.spawn(kept.child)
        except OSError as error:
            log.error("%s could not be started: %s", kept.child.name, error)
            self._pause(kept, now, status=-1)
            return
        kept.state, kept.started = "running", now
        kept.starts += 1
        log.info("%s started, pid %s", kept.child.name, kept.process.pid)

    def _collect(self, kept: _Kept, now: float) -> None:
        assert kept.process is not None
        status = kept.process.poll()
        if status is None:
            return
        kept.process = None
        if kept.child.once and status == 0:
            kept.state = "done"
            log.info("%s is done", kept.child.name)
            return
        if now - kept.started >= GOOD_RUN:
            kept.pause = FIRST_PAUSE
        self._pause(kept, now, status)

    def _pause(self, kept: _Kept, now: float, status: int) -> None:
        pause = kept.pause
        kept.state, kept.resume_at = "pausing", now + pause
        kept.pause = min(pause * 2, LONGEST_PAUSE)
        log.warning("%s ended with status %s, again in %.1f s", kept.child.name, status, pause)
        self.on_restart(kept.child.name, status, pause)

    # -- the end ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stops every child, the last of the list first, each within its own patience."""
        self._stopping = True
        for rank in reversed(self._ranks()):
            self._stop_together([self._kept[name] for name in rank])

    def _ranks(self) -> list[list[str]]:
        """Names in layers: nobody depends on a later layer. A layer is stopped together, so that the whole stop
        takes one patience a layer and not one a child."""
        ranks: list[list[str]] = []
        placed: set[str] = set()
        while len(placed) < len(self._kept):
            rank = [
                name
                for name, kept in self._kept.items()
                if name not in placed and all(before in placed for before in kept.child.after)
            ]
            if not rank:
                raise ValueError("children wait for each other in a circle")
            ranks.append(rank)
            placed.update(rank)
        return ranks

    def _stop_together(self, rank: list[_Kept]) -> None:
        begun = self.monotonic()
        for kept in rank:
            if kept.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    kept.process.terminate()
        while any(kept.process is not None for kept in rank):
            for kept in rank:
                if kept.process is None:
                    continue
                if kept.process.poll() is not None:
                    kept.process = None
                elif not kept.killed and self.monotonic() - begun >= kept.child.patience:
                    kept.killed = True
                    log.warning(
                        "%s did not stop within %.0f s and is killed", kept.child.name, kept.child.patience
                    )
                    with contextlib.suppress(ProcessLookupError):
                        kept.process.kill()
            if any(kept.process is not None for kept in rank):
                self.sleep(min(TICK, 0.05))
        for kept in rank:
            kept.state = "stopped"
