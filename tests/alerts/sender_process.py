"""One sender as a process of its own, for tests that kill it. Settings come from the environment."""

from __future__ import annotations

import logging
import os
import signal
import threading

from alerts.hooks import open_hook
from alerts.sender import Sender, SenderSettings
from domain.clock import Clock
from tests.alerts.conftest import LINKS


def main() -> None:
    logging.basicConfig(level="WARNING")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    url = os.environ["TEST_GATEWAY"]
    hook = open_hook(
        "http_json",
        {
            "url": f"{url}/messages",
            "query_url": f"{url}/messages/{{key}}",
            "secret": os.environ["TEST_SECRET"],
        },
    )
    settings = SenderSettings(lease=1.5, waits=(0.05, 0.2), poll=0.1, heartbeat=0.5)
    sender = Sender(os.environ["TEST_DSN"], {"http": hook}, Clock(), links=LINKS, settings=settings)
    sender.run(stop)
    sender.close()


if __name__ == "__main__":
    main()
