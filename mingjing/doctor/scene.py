"""What the checks look at, each part opened when first asked for and shared by all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import psycopg

from domain.centres import Centres
from domain.errors import MingjingError, StoreError
from mingjing.settings import Settings
from mingjing.timekeeping import clock_synchronised
from store.connection import Connection


def _real_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Scene:
    """One system under examination.

    Args:
        now: the real clock. synchronised: what the kernel says of it.
    """

    settings: Settings
    now: Callable[[], datetime] = _real_now
    synchronised: Callable[[], bool | None] = clock_synchronised
    _opened: Connection | None = field(default=None, init=False)

    @cached_property
    def centres(self) -> Centres | None:
        """None where a file cannot be read; the check of the centre file says why."""
        from domain.centre_folder import load_centres

        try:
            return load_centres(self.settings.centre_file)
        except (MingjingError, OSError):
            return None

    @property
    def database_is_new(self) -> bool:
        """The embedded server has never run here: nothing can be asked, and nothing is wrong."""
        return self.settings.embedded_database and not (self.settings.data / "pg").exists()

    @cached_property
    def connection(self) -> Connection | None:
        """None where the database does not answer; the check of the database says why."""
        if self.database_is_new:
            return None
        try:
            self._opened = self.open_connection()
        except (StoreError, psycopg.Error):
            return None
        return self._opened

    def open_connection(self) -> Connection:
        from mingjing.processes import open_database

        connection = open_database(self.settings)
        connection.autocommit = True
        return connection

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
