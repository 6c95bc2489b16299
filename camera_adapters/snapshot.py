"""Still pictures by HTTP: the cheapest source where a camera offers it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import cv2
import httpx
import numpy as np

from camera_adapters.addresses import masked, without_credentials
from camera_adapters.source import Frame, SourceError
from detectors.presence.picture import Image
from domain.clock import Clock

Wait = Callable[[float], object]
TIMEOUT = 5.0
LARGEST_BYTES = 20 << 20
SLOWEST_RATE = 2.0
"""Seconds between requests at least: no maker publishes how many its cameras bear."""


class SnapshotSource:
    """A camera's still-picture address, with basic or digest authentication as the camera asks for.

    Args:
        address: may hold user and password (percent-encoded); they are taken out of it before it is used.
        every: seconds between pictures.
        transport: for tests.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        every: float = 2.0,
        wait: Wait = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url, user, password = without_credentials(address)
        self._user, self._password = user or "", password or ""
        self._auth: httpx.Auth | None = httpx.DigestAuth(self._user, self._password) if user else None
        self._clock = clock
        self._every = every
        self._wait = wait
        self._monotonic = monotonic
        self._timeout = timeout
        self._transport = transport
        self._client: httpx.Client | None = None
        self.name = masked(self._url)

    def open(self) -> None:
        # No proxy from the environment: cameras are neighbours.
        self._client = httpx.Client(
            timeout=self._timeout, transport=self._transport, trust_env=False, follow_redirects=False
        )

    def frames(self) -> Iterator[Frame]:
        if self._client is None:
            self.open()
        while self._client is not None:
            asked = self._monotonic()
            image = decode_jpeg(self._fetch(self._client), self.name)
            yield Frame(image, self._monotonic(), self._clock.now())
            if self._wait(max(0.0, self._every - (self._monotonic() - asked))):
                return

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _fetch(self, client: httpx.Client) -> bytes:
        answer = self._get(client)
        if answer.status_code == 401 and self._user and _asks_for_basic(answer):
            self._auth = httpx.BasicAuth(self._user, self._password)
            answer = self._get(client)
        if answer.status_code in (401, 403):
            raise SourceError("unauthorised", f"{self.name}: user or password is not accepted")
        if answer.status_code != 200:
            raise SourceError("refused", f"{self.name}: answers with HTTP status {answer.status_code}")
        return answer.content

    def _get(self, client: httpx.Client) -> httpx.Response:
        """One request, bounded in size and in whole time: a camera may also send one byte a second."""
        give_up = self._monotonic() + self._timeout
        try:
            with client.stream("GET", self._url, auth=self._auth) as answer:
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > LARGEST_BYTES:
                        raise SourceError(
                            "undecodable", f"{self.name}: sends more than {LARGEST_BYTES} bytes"
                        )
                    if self._monotonic() > give_up:
                        raise SourceError("no_frame", f"{self.name}: takes too long to send a picture")
                headers = [(k, v) for k, v in answer.headers.multi_items() if k == "www-authenticate"]
                return httpx.Response(answer.status_code, headers=headers, content=bytes(body))
        except httpx.TimeoutException as error:
            raise SourceError("no_frame", f"{self.name}: sends nothing") from error
        except httpx.ConnectError as error:
            raise SourceError("unreachable", f"{self.name}: cannot be reached") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise SourceError("undecodable", f"{self.name}: breaks off ({type(error).__name__})") from error


def _asks_for_basic(answer: httpx.Response) -> bool:
    challenges = answer.headers.get_list("www-authenticate")
    return any(c.lower().startswith("basic") for c in challenges)


def decode_jpeg(body: bytes, name: str) -> Image:
    """A whole JPEG as a BGR picture.

    Raises:
        SourceError: it is no JPEG, is cut off, or cannot be decoded.
    """
    if not body.startswith(b"\xff\xd8"):
        raise SourceError("undecodable", f"{name}: does not send a JPEG picture")
    # Decoders fill the missing half of a picture with grey, which would look like a covered camera.
    if b"\xff\xd9" not in body[-64:]:
        raise SourceError("undecodable", f"{name}: sends half a picture")
    image = cv2.imdecode(np.frombuffer(body, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError("undecodable", f"{name}: sends a picture that cannot be decoded")
    return np.asarray(image, dtype=np.uint8)
