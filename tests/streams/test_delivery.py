"""Deliveries begun on the spot, beside a real service of mode that races what has to wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mode import Service

from streams.delivery import deliver_at_once


class Raced(Service):
    """A service that counts how often it was asked for a race."""

    def __init__(self) -> None:
        super().__init__()
        self.races = 0

    async def wait_first(self, *waited: Any, timeout: Any = None) -> Any:
        self.races += 1
        return await super().wait_first(*waited, timeout=timeout)


async def never() -> None:
    await asyncio.Event().wait()


def run(work: Any) -> Any:
    async def main() -> Any:
        service = Raced()
        deliver_at_once(service)  # type: ignore[arg-type]
        return await asyncio.wait_for(work(service), 5)

    return asyncio.run(main())


def test_what_need_not_wait_is_done_without_a_race_and_in_its_turn() -> None:
    done: list[int] = []

    async def work(service: Raced) -> int:
        async def deliver(number: int) -> str:
            done.append(number)
            return f"number {number}"

        for number in range(3):
            result = await service.wait_first(deliver(number), never())
            assert result.results == [f"number {number}"]
            assert done[-1] == number
        assert len(asyncio.all_tasks()) <= 2  # this one and the one that waits for it
        return service.races

    assert run(work) == 0
    assert done == [0, 1, 2]


def test_what_has_to_wait_is_finished_where_it_stopped() -> None:
    async def work(service: Raced) -> tuple[list[Any], int]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        steps: list[Any] = []

        async def deliver() -> str:
            for number in range(3):
                await queue.put(number)
                steps.append(number)
            return "all"

        async def drain() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
                await queue.get()

        draining = asyncio.ensure_future(drain())
        result = await service.wait_first(deliver(), never())
        await draining
        return [*steps, *result.results], service.races

    assert run(work) == ([0, 1, 2, "all"], 1)


def test_what_waits_is_cancelled_when_the_flow_ends() -> None:
    seen: list[str] = []

    async def work(service: Raced) -> bool:
        suspended = asyncio.Event()

        async def deliver() -> None:
            try:
                await never()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        asyncio.get_running_loop().call_soon(suspended.set)
        result = await service.wait_first(deliver(), suspended.wait())
        await asyncio.sleep(0)
        return bool(result.stopped)

    assert run(work) is False
    assert seen == ["cancelled"]


@pytest.mark.parametrize("waits", [False, True])
def test_an_error_is_the_callers(waits: bool) -> None:
    async def work(service: Raced) -> None:
        async def deliver() -> None:
            if waits:
                await asyncio.sleep(0)
            raise ZeroDivisionError

        await service.wait_first(deliver(), never())

    with pytest.raises(ZeroDivisionError):
        run(work)


def test_all_else_is_fausts_own_race() -> None:
    async def work(service: Raced) -> tuple[bool, int]:
        event = asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        result = await service.wait_first(event, timeout=3.0)
        return result.stopped, service.races

    assert run(work) == (False, 1)
