"""A camera's web server: logins as it asks for them, every answer bounded in size and in whole time."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from camera_adapters.addresses import masked, without_credentials
from camera_adapters.source import SourceError
from domain.clock import Clock

TIMEOUT = 5.0
LARGEST_BYTES = 20 << 20
MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. ``offset``: seconds the camera's clock is ahead by its ``Date``, None where it gives none."""

    status: int
    body: bytes
    offset: float | None


class WebCamera:
    """Requests to one camera, over connections that are kept.

    Redirects are followed within the camera's host only, and never from https to http: another host would be handed the
    login.

    Args:
        address: may hold user and password (percent-encoded); they are taken out of it before it is used.
        timeout: seconds for an answer in whole; of a stream, for each part of it (:meth:`go_on`).
        ca_file, verify: as for a camera of the centre file.
        transport: for tests.

    Raises:
        SourceError: ``ca_file`` cannot be used.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT,
        ca_file: str | None = None,
        verify: bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, user, password = without_credentials(address)
        self.name = masked(self.url)
        self._user, self._password = user or "", password or ""
        self._auth: httpx.Auth | None = httpx.DigestAuth(self._user, self._password) if user else None
        self._clock = clock
        self._monotonic = monotonic
        self._timeout = timeout
        self._limit = _Limit(monotonic)
        self._transport = transport or _BoundedTransport(
            lambda: _ssl_context(self.name, ca_file, verify), self._limit
        )
        # No proxy from the environment: cameras are neighbours.
        self._client = httpx.Client(
            timeout=timeout, transport=self._transport, trust_env=False, follow_redirects=False
        )

    def close(self) -> None:
        self._client.close()

    def go_on(self) -> None:
        """What a stream has sent was worth waiting for: its time begins anew."""
        self._limit.until = self._monotonic() + self._timeout

    def ask(
        self,
        method: str = "GET",
        url: str | None = None,
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Answer:
        """One request and its whole answer, whatever its status but 401 and 403.

        Raises:
            SourceError: not reached, not admitted, too slow, too large, or broken off.
        """
        with self.stream(method, url, body=body, content_type=content_type) as (answer, offset):
            return Answer(answer.status_code, self.whole(answer), offset)

    def whole(self, answer: httpx.Response) -> bytes:
        """All bytes of an answer.

        Raises:
            SourceError: too many, or too slow.
        """
        whole = bytearray()
        for part in self.parts(answer):
            whole += part
            if len(whole) > LARGEST_BYTES:
                raise SourceError("undecodable", f"{self.name}: sends more than {LARGEST_BYTES} bytes")
        return bytes(whole)

    def parts(self, answer: httpx.Response) -> Iterator[bytes]:
        """The bytes of an answer as they come.

        Raises:
            SourceError: their time is over.
        """
        for part in answer.iter_bytes():
            if self._monotonic() > self._limit.until:
                raise SourceError("no_frame", f"{self.name}: takes too long to send a picture")
            yield part

    @contextmanager
    def stream(
        self,
        method: str = "GET",
        url: str | None = None,
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Iterator[tuple[httpx.Response, float | None]]:
        """The answer to a request, its body not yet read, and the clock's offset as of :class:`Answer`.

        Raises:
            SourceError: as :meth:`ask`, here and from within the block.
        """
        self.go_on()
        headers = {"Content-Type": content_type} if content_type else {}
        url = url or self.url
        try:
            for _ in range(MOST_REDIRECTS + 1):
                answer, offset = self._send(method, url, headers, body)
                try:
                    if answer.is_redirect:
                        url = self._next(url, answer.headers.get("location", ""))
                        continue
                    if answer.status_code in (401, 403):
                        raise SourceError("unauthorised", f"{self.name}: user or password is not accepted")
                    yield answer, offset
                    return
                finally:
                    answer.close()
            raise SourceError("refused", f"{self.name}: sends us from one address to the next")
        except (httpx.TimeoutException, httpcore.TimeoutException) as error:
            raise SourceError("no_frame", f"{self.name}: sends nothing") from error
        except (httpx.ConnectError, httpcore.ConnectError) as error:
            if _is_about_trust(error):
                raise SourceError("refused", f"{self.name}: its certificate is not trusted") from error
            raise SourceError("unreachable", f"{self.name}: cannot be reached") from error
        except (
            httpx.HTTPError, httpx.StreamError, httpx.InvalidURL,
            httpcore.NetworkError, httpcore.ProtocolError, ValueError,
        ) as error:  # fmt: skip
            raise SourceError("undecodable", f"{self.name}: breaks off ({type(error).__name__})") from error

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[httpx.Response, float | None]:
        answer, offset = self._send_once(method, url, headers, body)
        if answer.status_code == 401 and self._user and _asks_for_basic(answer):
            answer.close()
            self._auth = httpx.BasicAuth(self._user, self._password)
            answer, offset = self._send_once(method, url, headers, body)
        return answer, offset

    def _send_once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[httpx.Response, float | None]:
        request = self._client.build_request(method, url, headers=headers, content=body)
        sent, sent_at = self._monotonic(), self._clock.now()
        answer = self._client.send(request, auth=self._auth, stream=True)
        took = self._monotonic() - sent
        try:
            date = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return answer, None
        # The header names the second in which it was written: on the average half of it had passed, at half the way.
        camera = date.replace(tzinfo=date.tzinfo or UTC).timestamp() + 0.5
        return answer, camera - (sent_at.timestamp() + took / 2)

    def _next(self, url: str, location: str) -> str:
        following = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(following)
        if there.hostname != here.hostname or there.scheme not in ("http", "https"):
            raise SourceError("refused", f"{self.name}: sends us to another host")
        if here.scheme == "https" and there.scheme == "http":
            raise SourceError("refused", f"{self.name}: sends us to an address that is not encrypted")
        return without_credentials(following)[0]


def _asks_for_basic(answer: httpx.Response) -> bool:
    challenges = answer.headers.get_list("www-authenticate")
    return any(c.lower().startswith("basic") for c in challenges)


def _ssl_context(name: str, ca_file: str | None, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SourceError("refused", f"{name}: the certificates in {ca_file} cannot be read") from error
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


# -- a limit for the whole of an answer, its head included ----------------------------------------------------------


class _Limit:
    """httpx limits the wait for each piece; a camera that sends a byte a second would never be given up."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.until = float("inf")
        self._monotonic = monotonic

    def left(self, timeout: float | None) -> float:
        left = self.until - self._monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, limit: _Limit) -> None:
        self._stream, self._limit = stream, limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._limit.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._limit.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._limit.left(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, limit: _Limit) -> None:
        self._limit, self._backend = limit, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._limit.left(timeout)
        return _Stream(
            self._backend.connect_tcp(host, port, left, local_address, socket_options), self._limit
        )


class _BoundedTransport(httpx.BaseTransport):
    """httpx on a connection pool whose every read knows the limit."""

    def __init__(self, make_context: Callable[[], ssl.SSLContext], limit: _Limit) -> None:
        self._make_context, self._limit = make_context, limit
        self._pools: dict[str, httpcore.ConnectionPool] = {}

    def _pool(self, scheme: str) -> httpcore.ConnectionPool:
        # A context takes 20 ms to make, and most cameras are not encrypted.
        if scheme not in self._pools:
            context = self._make_context() if scheme == "https" else None
            self._pools[scheme] = httpcore.ConnectionPool(
                ssl_context=context, max_connections=2, network_backend=_Backend(self._limit)
            )
        return self._pools[scheme]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = self._pool(request.url.scheme).handle_request(
            httpcore.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
