"""The four gateways of the drill, as one process: ``python -m tests.drills.gateway_fakes SEED COUNT TROUBLE DOOR``.

It writes its addresses as one line of JSON. Each gateway is the fake of its hook, which checks what the real one checks; here it
misbehaves by the course of each message (:mod:`tests.drills.gateway_plan`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from alerts.hooks.aliyun.fake import FakeAliyun
from alerts.hooks.fake_server import FakeServer
from alerts.hooks.http_json.gateway import GOOD, Behaviour, Cut, Gateway
from alerts.hooks.http_json.inbox import Inbox
from alerts.hooks.http_map.fake import FakeMas
from alerts.hooks.smpp import pdu as smpp
from alerts.hooks.smpp.fake import INVALID_NUMBER, Act, FakeSmsc
from alerts.hooks.smpp.pdu import Message, Pdu
from tests.drills.gateway_plan import Course, Misdeed, courses
from tests.drills.gateway_world import Couriers, Relay, World

SECRET: Final = "only-for-tests"
TOKEN: Final = "only-for-the-drill"
#: Longer than the hooks of the drill wait for an answer.
SLOW: Final = 1.0
TIMEOUT: Final = 0.7
_TAKEN: Final = frozenset(("good", "slow", "500, taken", "cut, taken", "garbage, taken", "twice"))
_forgets: ContextVar[bool] = ContextVar("forgets", default=False)

Serve = Callable[[], Response]


async def misbehave(misdeed: Misdeed, serve: Serve, *, again: Serve | None = None) -> Response:
    """One request: ``serve`` takes it as the gateway would, ``again`` once more by its own fault."""
    if misdeed == "stall":
        await asyncio.sleep(SLOW)
    answer = serve() if misdeed in _TAKEN or misdeed == "stall" else None
    if misdeed == "twice" and again is not None:
        again()
    if misdeed == "slow":
        await asyncio.sleep(SLOW)
    match misdeed:
        case "500" | "500, taken":
            return JSONResponse({"Message": "on command"}, status_code=500)
        case "429":
            return JSONResponse({"Message": "on command"}, status_code=429, headers={"Retry-After": "1"})
        case "cut" | "cut, taken":
            return Cut()
        case "garbage, taken":
            return HTMLResponse("<html>Welcome to the hotel's network</html>")
    assert answer is not None
    return answer


class Http(Gateway):
    """Our own gateway: it knows our keys, and says what became of a message when it is asked."""

    def __init__(self, world: World) -> None:
        behaviour = lambda: Behaviour("accept_twice") if _forgets.get() else GOOD  # noqa: E731
        super().__init__(Inbox(":memory:"), SECRET.encode(), behaviour=behaviour)
        self._world = world

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if not self._is_signed(request, body):
            return JSONResponse({"error": "bad_signature"}, status_code=401)
        course = self._world.by_key[json.loads(body)["idempotency_key"]]
        misdeed = self._world.next_try(course)
        if course.refused:
            self._world.refuses(course)
            return JSONResponse({"error": "no_such_number"}, status_code=400)
        _forgets.set(course.forgets)
        # Its own way of taking a message waits for a thread: done beforehand, unless it is to come too late.
        if misdeed == "stall":
            await asyncio.sleep(SLOW)
        taken = misdeed in _TAKEN or misdeed == "stall"
        answer = await super()._take(request) if taken else Response()
        if taken and not json.loads(bytes(answer.body))["duplicate"]:
            self._world.takes(course)
        return await misbehave("good" if misdeed == "stall" else misdeed, lambda: answer)

    async def _find(self, request: Request) -> Response:
        answer = await super()._find(request)
        if answer.status_code == 401:
            return answer
        course = self._world.by_key[request.path_params["key"]]
        misdeed = self._world.next_ask(course)
        if answer.status_code == 200 and course.word != "silent":
            fate = "undelivered" if course.arrives is False else "delivered"
            answer = JSONResponse(json.loads(bytes(answer.body)) | {"status": fate})
        return await misbehave(misdeed, lambda: answer)


class Pushing:
    """Pushes receipts to the door of the system, and hears whether it has them."""

    def __init__(self, door: str, channel: str) -> None:
        self._url = f"{door}/receipts/{channel}?token={TOKEN}"
        self._client = httpx.Client(timeout=5, trust_env=False)

    def __call__(self, rows: list[dict[str, Any]]) -> bool:
        try:
            return self._client.post(self._url, json=rows).status_code == 200
        except httpx.HTTPError:
            return False


class Aliyun(FakeAliyun):
    """It knows no key, but finds messages by number, and pushes receipts."""

    def __init__(self, world: World, couriers: Couriers, push: Pushing) -> None:
        super().__init__()
        self._world, self._couriers, self._push = world, couriers, push

    async def _take(self, request: Request) -> Response:
        body, asked = await request.body(), dict(request.query_params)
        if "OutId" not in asked:
            course = self._world.by_number[asked["PhoneNumber"]]
            return await misbehave(self._world.next_ask(course), lambda: self.serve(request, body))
        course = self._world.by_short[asked["OutId"]]
        misdeed = self._world.next_try(course)
        if course.refused:
            self._world.refuses(course)
            return JSONResponse({"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "no"})
        if course.word == "before" and misdeed == "good":
            answer = self._accept(course, request, body, told=True)
            row = self.taken[-1]
            await run_in_threadpool(self._couriers.now, lambda: self._say(course, row, "delivered"))
            return answer
        return await misbehave(
            misdeed,
            lambda: self._accept(course, request, body),
            again=lambda: self._accept(course, request, body, asked),
        )

    def _accept(
        self,
        course: Course,
        request: Request,
        body: bytes,
        again: dict[str, str] | None = None,
        *,
        told: bool = False,
    ) -> Response:
        """``again``: by its own fault; a nonce it has seen would be refused. ``told``: its receipt is said by the caller."""
        before = len(self.taken)
        answer = self.serve(request, body) if again is None else JSONResponse(self._take_message(again))
        assert len(self.taken) == before + 1, bytes(answer.body)
        row = self.taken[-1]
        self._world.takes(course, by_itself=again is not None)
        if again is None and course.arrives is not None:
            row["SendStatus"] = 3 if course.arrives else 2
        if not told:
            self._couriers.speak(course, lambda fate: self._say(course, row, fate))
        return answer

    def _say(self, course: Course, row: Mapping[str, Any], fate: str) -> bool:
        good = fate == "delivered"
        said = {
            "phone_number": course.number, "send_time": row["SendDate"], "report_time": row["SendDate"], "success": good,
            "err_code": "DELIVERED" if good else "UNDELIV", "sms_size": "1", "biz_id": row["BizId"], "out_id": course.short,
        }  # fmt: skip
        return self._push([said])


class Mas(FakeMas):
    """It knows no key and answers no questions; its receipts name its own id."""

    def __init__(self, world: World, couriers: Couriers, push: Pushing) -> None:
        super().__init__()
        self._world, self._couriers, self._push = world, couriers, push

    async def _take(self, request: Request) -> Response:
        import base64

        body = await request.body()
        course = self._world.by_number[json.loads(base64.b64decode(body))["mobiles"]]
        misdeed = self._world.next_try(course)
        if course.refused:
            self._world.refuses(course)
            return JSONResponse({"rspcod": "IllegalMobiles", "success": False})
        if course.word == "before" and misdeed == "good":
            answer = self._accept(course, request, body, told=True)
            group = f"G{len(self.taken)}"
            await run_in_threadpool(self._couriers.now, lambda: self._say(group, "delivered"))
            return answer
        return await misbehave(
            misdeed,
            lambda: self._accept(course, request, body),
            again=lambda: self._accept(course, request, body, by_itself=True),
        )

    def _accept(
        self, course: Course, request: Request, body: bytes, *, by_itself: bool = False, told: bool = False
    ) -> Response:
        answer = self.serve(request, body)
        group = json.loads(bytes(answer.body))["msgGroup"]
        self._world.takes(course, by_itself=by_itself)
        if not told:
            self._couriers.speak(course, lambda fate: self._say(group, fate))
        return answer

    def _say(self, group: str, fate: str) -> bool:
        return self._push([{"msgGroup": group, "errorCode": "DELIVRD" if fate == "delivered" else "UNDELIV"}])


_ACTS: Final[Mapping[Misdeed, Act | int]] = {
    "good": "take", "slow": "late", "stall": "late", "500": 0x08, "500, taken": "take silently", "429": 0x58,
    "cut": "hang up", "cut, taken": "take, hang up", "garbage, taken": "garbage", "twice": "take",
}  # fmt: skip


class Centre(FakeSmsc):
    """A short message centre: receipts go to whoever is bound, not to whoever sent the message."""

    def __init__(self, world: World, couriers: Couriers) -> None:
        super().__init__()
        self._world, self._couriers = world, couriers
        self._one = threading.Lock()
        self._said: dict[tuple[int, int], threading.Event] = {}
        self._next = 0

    def _submit(self, talk: Any, pdu: Pdu, unit: Message) -> None:
        course = self._world.by_number[unit.to.removeprefix("86")]
        if course.refused:
            self._world.refuses(course)
            talk.say(pdu.answer(INVALID_NUMBER))
            return
        misdeed = self._world.next_try(course)
        act = _ACTS[misdeed]
        if misdeed == "good" and course.word == "before":
            act = "receipt first"
        with self._one:
            before = len(self.accepted)
            self.acts.append(act)
            super()._submit(talk, pdu, unit)
            taken = self.accepted[before:]
        part = f"#{unit.text[5]}/{unit.text[4]}" if unit.esm_class & smpp.UDH else "#1/1"
        for one in taken:
            self._world.takes(course, part)
            if misdeed == "twice":
                self._world.takes(course, part, by_itself=True)
            if act != "receipt first":
                self._couriers.speak(course, lambda fate, one=one: self._say(one.id, unit, fate))  # type: ignore[misc]
        if act == "late":
            threading.Timer(SLOW, self.release).start()

    def _say(self, message_id: str, unit: Message, fate: str) -> bool:
        bound = [talk for talk in list(self._talks) if talk.is_bound]
        if not bound:
            return False
        self._next += 1
        talk, number, heard = bound[self._next % len(bound)], 100_000 + self._next, threading.Event()
        stat = "DELIVRD" if fate == "delivered" else "UNDELIV"
        words = f"id:{message_id} sub:001 dlvrd:001 submit date:2611200912 done date:2611200943 stat:{stat} err:000 text:"
        tlvs = {
            smpp.RECEIPTED_ID: message_id.encode() + b"\0",
            smpp.REFERENCE: unit.tlvs[smpp.REFERENCE],
        }
        message = Message(unit.to, unit.source, words.encode(), esm_class=0x04, coding=0, tlvs=tlvs)
        self._said[(id(talk), number)] = heard
        talk.say(Pdu(smpp.DELIVER, number, body=message))
        taken = heard.wait(2)
        self._said.pop((id(talk), number), None)
        return taken

    def take(self, talk: Any, pdu: Pdu) -> None:
        if pdu.command == smpp.DELIVER | smpp.ANSWER and not pdu.status:
            heard = self._said.get((id(talk), pdu.sequence))
            if heard is not None:
                heard.set()
        super().take(talk, pdu)


def main() -> None:
    seed, count, trouble, door = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    world, couriers = World(courses(seed, count, trouble)), Couriers()
    http, centre = FakeServer(Http(world).app), Centre(world, couriers)
    aliyun = Aliyun(world, couriers, Pushing(door, "aliyun"))
    mas = Mas(world, couriers, Pushing(door, "mas"))
    with http, aliyun, mas, centre:
        ports = {"http": _port(http), "aliyun": _port(aliyun), "mas": _port(mas), "smpp": centre.port}
        relays = {channel: Relay(port) for channel, port in ports.items()}

        async def ledger(request: Request) -> Response:
            return JSONResponse(world.ledger() | {"waiting": couriers.waiting})

        async def down(request: Request) -> Response:
            relay = relays[request.path_params["channel"]]
            await run_in_threadpool(relay.down, float(request.query_params["seconds"]))
            return JSONResponse({})

        control = Starlette(
            routes=[Route("/ledger", ledger), Route("/down/{channel}", down, methods=["POST"])]
        )
        with FakeServer(control) as desk:
            addresses = {channel: relay.port for channel, relay in relays.items()} | {"control": desk.url}
            print(json.dumps(addresses), flush=True)
            while True:
                time.sleep(3600)


def _port(server: FakeServer) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


if __name__ == "__main__":
    main()
