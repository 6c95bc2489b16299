"""One ONVIF device: its time, its profiles, the addresses of their pictures."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from camera_adapters.addresses import masked, without_credentials
from camera_adapters.onvif import messages
from camera_adapters.onvif.messages import OnvifFault, Profile
from camera_adapters.source import SourceError
from camera_adapters.web import WebCamera
from domain.clock import Clock

T = TypeVar("T")
SERVICE = "/onvif/device_service"


def service_address(text: str) -> str:
    """The address of a device's service from ``host``, ``host:port``, ``onvif(s)://…`` or ``http(s)://…``.

    >>> service_address("10.0.0.8:8000")
    'http://10.0.0.8:8000/onvif/device_service'
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    scheme = {"onvif": "http", "onvifs": "https"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.strip("/") else SERVICE
    return urlunsplit((scheme, parts.netloc, path, "", ""))


class OnvifDevice:
    """Asks a device. Requests carry the login as WS-Security, dated by the device's own clock, which may be wrong; a device
    that wants HTTP digest instead gets that.

    Args:
        address: of its device service, with the login in it.
        make_web: makes the connection to an address.
    """

    def __init__(
        self,
        address: str,
        make_web: Callable[[str], WebCamera],
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._user, self._password = without_credentials(address)
        self.name = masked(self._url)
        self._web = make_web(address)
        self._clock, self._monotonic = clock, monotonic
        self.offset: float | None = None
        """Seconds its clock is ahead, None before it was asked. Good to half a second: devices tell whole ones."""
        self._media: str | None = None

    def close(self) -> None:
        self._web.close()

    def measure_clock(self) -> float:
        """Asks for its time (needs no login) and returns ``offset``.

        Raises:
            SourceError: it does not answer.
        """
        sent, sent_at = self._monotonic(), self._clock.now()
        told = self._ask(self._url, messages.get_time(), messages.read_time, secret=False)
        took = self._monotonic() - sent
        # It names the second it is in: on the average half of that had passed, at half the way there and back.
        self.offset = told.timestamp() + 0.5 - (sent_at.timestamp() + took / 2)
        return self.offset

    def profiles(self) -> list[Profile]:
        """Raises: SourceError."""
        return self._ask(self._media_address(), messages.get_profiles(), messages.read_profiles)

    def profile(self, wanted: str | None) -> Profile:
        """The profile with this token or name, else with this number from 1 on; None: the first.

        Raises:
            SourceError: it has none like that; the text names those it has.
        """
        profiles = self.profiles()
        if wanted is None:
            return profiles[0]
        for each in profiles:
            if wanted in (each.token, each.name):
                return each
        if wanted.isdigit() and 0 < int(wanted) <= len(profiles):
            return profiles[int(wanted) - 1]
        has = ", ".join(each.token for each in profiles)
        raise SourceError("refused", f"{self.name}: has no profile '{wanted}' (has {has})")

    def stream_address(self, profile: Profile) -> str:
        """Where a profile's stream is, without login; on the host that was asked, whatever it says of itself."""
        told = self._ask(self._media_address(), messages.get_stream(profile.token), messages.read_address)
        return self._here(told)

    def snapshot_address(self, profile: Profile) -> str:
        """Where a profile's still picture is, as for :meth:`stream_address`."""
        told = self._ask(self._media_address(), messages.get_snapshot(profile.token), messages.read_address)
        return self._here(told)

    def _media_address(self) -> str:
        if self._media is None:
            if self.offset is None:
                self.measure_clock()
            told = self._ask(self._url, messages.get_capabilities(), messages.read_media_address)
            here, there = urlsplit(self._url), urlsplit(told)
            # Behind a translated address a device names ports that do not lead to it; the service is one server.
            self._media = urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
        return self._media

    def _here(self, told: str) -> str:
        """An address the device told, on its own host: to any other we would hand its password."""
        parts = urlsplit(without_credentials(told)[0])
        host = urlsplit(self._url).hostname or ""
        host = f"[{host}]" if ":" in host else host
        try:
            port = parts.port
        except ValueError:
            port = None
        return urlunsplit(parts._replace(netloc=f"{host}:{port}" if port else host))

    def _ask(self, url: str, body: str, read: Callable[[bytes], T], *, secret: bool = True) -> T:
        header = ""
        if secret and self._user:
            created = self._clock.now() + timedelta(seconds=self.offset or 0.0)
            header = messages.login(self._user, self._password or "", created, secrets.token_bytes(16))
        answer = self._web.ask(
            "POST", url, body=messages.envelope(body, header), content_type=messages.CONTENT_TYPE
        )
        try:
            return read(answer.body)
        except OnvifFault as fault:
            if fault.unauthorised:
                raise SourceError("unauthorised", f"{self.name}: user or password is not accepted") from fault
            if answer.status == 404:
                raise SourceError("refused", f"{self.name}: there is no ONVIF service") from fault
            raise SourceError("refused", f"{self.name}: ONVIF answers with {fault}") from fault
