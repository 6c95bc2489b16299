"""One name, one worker: two of one name would take each other's place in the group several times a second, for ever.

Nothing would be lost, but hardly anything read. Kafka does not tell a newcomer that the name is taken; the heartbeat of
whoever has it does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from domain.errors import SettingsError
from store import connect

log = logging.getLogger(__name__)

#: Real seconds without a heartbeat (workers beat each second) after which a name is free.
FREE_AFTER = 3.0
STEP = 0.2

_BEAT = """
select real_at, extract(epoch from clock_timestamp() - real_at)::float8 from heartbeat
 where role = 'worker' and instance = %s
"""


def wait_for_name(
    dsn: str, instance: str, stop: threading.Event, *, connector: Callable[[str], Any] = connect
) -> None:
    """Returns when no living worker goes by this name: at once, or seconds after a predecessor's last heartbeat.

    A database that does not answer knows of nobody.

    Raises:
        SettingsError: somebody else lives under this name.
    """
    try:
        with connector(dsn) as connection:
            connection.autocommit = True
            found = connection.execute(_BEAT, [instance]).fetchone()
            first = found[0] if found else None
            while found is not None and found[1] < FREE_AFTER and not stop.wait(STEP):
                found = connection.execute(_BEAT, [instance]).fetchone()
                if found is not None and found[0] != first:
                    raise SettingsError(
                        f"another worker lives under the name '{instance}': "
                        "each copy needs one of its own (MINGJING_INSTANCE)"
                    )
    except psycopg.Error as error:
        log.debug("not asked whether the name is free: %s", error)
