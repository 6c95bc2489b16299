"""An ASGI application as a real server on loopback, for the fakes of the hooks."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.hooks.http_json.gateway import GOOD, Behaviour, Cut


class FakeServer:
    """``with FakeServer(app) as server: … server.url``: the application on a free port of this machine."""

    def __init__(self, app: Starlette) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()


class FakeProvider(FakeServer):
    """A provider's API with one address: a subclass checks and accepts in :meth:`serve`; this class misbehaves.

    Before misbehaving the request is served where the behaviour says ``accept``: the provider has the message, and the
    sender is not told so.
    """

    def __init__(self) -> None:
        self._commanded: deque[Behaviour] = deque()
        self.always = GOOD
        self.requests = 0
        super().__init__(
            Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST", "PUT", "DELETE"])])
        )

    def will(self, *behaviours: Behaviour) -> None:
        """The next requests are treated so, one each."""
        self._commanded.extend(behaviours)

    def serve(self, request: Request, body: bytes) -> Response:
        """Checks and answers one request as the provider would. Called in the server's thread."""
        raise NotImplementedError

    async def _take(self, request: Request) -> Response:
        self.requests += 1
        body = await request.body()
        how = self._commanded.popleft() if self._commanded else self.always
        if how.kind == "slow":
            await asyncio.sleep(how.seconds)
            return self.serve(request, body)
        if how.kind == "accept_twice":
            self.serve(request, body)
            return self.serve(request, body)
        if how.kind == "ok":
            return self.serve(request, body)
        if how.accept:
            self.serve(request, body)
        if how.kind == "status":
            headers = {"Retry-After": how.retry_after} if how.retry_after else None
            return JSONResponse({"Message": "commanded"}, status_code=how.status, headers=headers)
        if how.kind == "cut":
            return Cut()
        return Response("<html>not what you wanted</html>", media_type="text/html")
