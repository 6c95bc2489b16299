"""The supervisor on a clock of its own, and once with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mingjing.spawning import Spawner, leave_with, rotate
from mingjing.supervisor import GOOD_RUN, LONGEST_PAUSE, Child, Supervisor


class FakeProcess:
    """Lives until told otherwise; ``obeys`` = SIGTERM ends it."""

    def __init__(self, pid: int, obeys: bool = True) -> None:
        self.pid, self.status, self.obeys = pid, None, obeys
        self.told: list[str] = []

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.told.append("term")
        if self.obeys:
            self.status = 0

    def kill(self) -> None:
        self.told.append("kill")
        self.status = -9


class World:
    """A clock that moves when slept on, and every process that was started."""

    def __init__(self, *children: Child, stubborn: tuple[str, ...] = ()) -> None:
        self.now = 1000.0
        self.started: list[tuple[str, FakeProcess]] = []
        self.deaths: list[tuple[str, int, float]] = []
        self.stubborn = stubborn
        self.supervisor = Supervisor(
            children,
            self.spawn,
            sleep=self.sleep,
            monotonic=lambda: self.now,
            on_restart=lambda *what: self.deaths.append(what),
        )

    def spawn(self, child: Child) -> FakeProcess:
        process = FakeProcess(100 + len(self.started), obeys=child.name not in self.stubborn)
        self.started.append((child.name, process))
        return process

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.supervisor.step()
            self.sleep(0.2)

    def names(self) -> list[str]:
        return [name for name, _ in self.started]

    def last(self, name: str) -> FakeProcess:
        return next(process for n, process in reversed(self.started) if n == name)


def child(name: str, *after: str, once: bool = False) -> Child:
    return Child(name, ("true",), after=after, once=once, patience=5)


def test_it_starts_in_the_order_of_the_dependencies():
    world = World(child("wall", "migrate"), child("migrate", "database", once=True), child("database"))
    world.pass_time(1)
    assert world.names() == ["database", "migrate"]
    world.last("migrate").status = 0
    world.pass_time(1)
    assert world.names() == ["database", "migrate", "wall"]
    assert world.supervisor.state("migrate") == "done"


def test_a_killed_child_comes_back():
    world = World(child("worker"))
    world.pass_time(1)
    world.last("worker").status = -9
    world.pass_time(2)
    assert world.names() == ["worker", "worker"]
    assert world.supervisor.state("worker") == "running"
    assert world.deaths == [("worker", -9, 0.5)]


def test_a_crash_loop_pauses_longer_each_time_up_to_a_limit():
    world = World(child("worker"))
    for _ in range(9):
        while world.supervisor.state("worker") != "running":
            world.pass_time(0.2)
        world.last("worker").status = 1
        world.pass_time(0.4)
    pauses = [pause for _, _, pause in world.deaths]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_good_minute_makes_the_next_restart_quick_again():
    world = World(child("worker"))
    for _ in range(4):
        world.pass_time(10)
        world.last("worker").status = 1
        world.pass_time(0.4)
    world.pass_time(GOOD_RUN + 20)
    world.last("worker").status = 1
    world.pass_time(0.4)
    assert world.deaths[-1][2] == 0.5


def test_a_step_that_must_succeed_is_tried_again_until_it_does():
    world = World(child("migrate", once=True), child("wall", "migrate"))
    world.pass_time(1)
    world.last("migrate").status = 1
    world.pass_time(2)
    assert world.names() == ["migrate", "migrate"]
    world.last("migrate").status = 0
    world.pass_time(1)
    assert world.names()[-1] == "wall"


def test_one_death_leaves_the_others_alone():
    world = World(child("database"), child("worker", "database"))
    world.pass_time(1)
    world.last("database").status = -9
    world.pass_time(3)
    assert world.names() == ["database", "worker", "database"]


def test_it_stops_in_reverse_order():
    world = World(child("database"), child("worker", "database"), child("wall", "worker"))
    order: list[str] = []
    world.pass_time(2)
    for name, process in world.started:
        process.terminate = lambda name=name, process=process: (
            order.append(name),
            setattr(process, "status", 0),
        )
    world.supervisor.stop()
    assert order == ["wall", "worker", "database"]


def test_what_does_not_stop_is_killed_within_its_patience():
    world = World(child("database"), child("stuck", "database"), stubborn=("stuck",))
    world.pass_time(1)
    before = world.now
    world.supervisor.stop()
    assert world.last("stuck").told == ["term", "kill"]
    assert world.last("database").told == ["term"]
    assert world.now - before < 6


def test_a_request_to_stop_ends_the_run_and_stops_everything():
    world = World(child("worker"))
    naps = iter(range(10))

    def sleep(seconds: float) -> None:
        world.now += seconds
        if next(naps) == 3:
            world.supervisor.request_stop()

    world.supervisor.sleep = sleep
    world.supervisor.run()
    assert world.supervisor.state("worker") == "stopped"
    assert world.last("worker").told == ["term"]


def test_a_program_that_is_missing_is_tried_again():
    def spawn(child: Child) -> FakeProcess:
        raise FileNotFoundError(child.command[0])

    deaths = []
    supervisor = Supervisor(
        [child("worker")], spawn, monotonic=lambda: 0.0, on_restart=lambda *w: deaths.append(w)
    )
    supervisor.step()
    assert supervisor.state("worker") == "pausing"
    assert deaths == [("worker", -1, 0.5)]


@pytest.mark.parametrize(
    "children",
    [(child("a", "nobody"),), (child("a"), child("a"))],
    ids=["unknown dependency", "same name twice"],
)
def test_a_wrong_list_is_refused(children):
    with pytest.raises(ValueError):
        Supervisor(children, lambda child: FakeProcess(1))


def _until(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


PRINTS_AND_WAITS = "import sys, time; print('up', flush=True); time.sleep(60)"


@pytest.mark.process
def test_a_real_process_killed_with_9_comes_back_and_its_log_goes_on(tmp_path: Path):
    spawner = Spawner(tmp_path / "logs", os.environ)
    supervisor = Supervisor(
        [Child("one", (sys.executable, "-c", PRINTS_AND_WAITS))], spawner, sleep=lambda s: time.sleep(0.02)
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        log = tmp_path / "logs" / "one.log"
        _until(lambda: log.exists() and log.read_text().count("up") == 1)
        first = supervisor.pid("one")
        os.kill(first, signal.SIGKILL)
        _until(lambda: log.read_text().count("up") == 2)
        assert supervisor.pid("one") != first
    finally:
        supervisor.request_stop()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.process
def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path):
    program = (
        "import sys, time; from pathlib import Path; import os\n"
        "from mingjing.spawning import Spawner; from mingjing.supervisor import Child\n"
        f"p = Spawner(Path({str(tmp_path)!r}), os.environ)(Child('c', (sys.executable, '-c', 'import time; time.sleep(60)')))\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    _until(gone)


def test_a_full_log_moves_aside_and_the_writer_goes_on(tmp_path: Path):
    path = tmp_path / "worker.log"
    with path.open("a") as writer:
        writer.write("x" * 100)
        writer.flush()
        assert rotate(path, limit=50, kept=2)
        writer.write("new")
    assert path.read_text() == "new"
    assert (tmp_path / "worker.log.1").read_text() == "x" * 100
    path.write_text("y" * 100)
    rotate(path, limit=50, kept=2)
    assert (tmp_path / "worker.log.2").read_text() == "x" * 100
    assert not rotate(path, limit=50, kept=2)


def test_a_process_whose_parent_is_gone_leaves_after_its_grace():
    parents = iter([7, 7, 1])
    slept: list[float] = []
    left: list[int] = []
    leave_with(7, grace=10, getppid=lambda: next(parents), sleep=slept.append, leave=left.append)
    assert left == [1]
    assert slept == [1.0, 1.0, 10]
