"""The Faust transport ``local:``: the unchanged application over one SQLite file instead of a Kafka cluster."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, ClassVar, cast

from faust.exceptions import ImproperlyConfigured
from faust.transport import base
from faust.types.enums import ProcessingGuarantee

from .address import parse_address
from .consumer import Consumer
from .producer import Producer


class Transport(base.Transport):
    """Found by Faust through the entry-point group ``faust.transports``."""

    Consumer: ClassVar[type[Any]] = Consumer
    Producer: ClassVar[type[Any]] = Producer

    default_port = 0
    driver_version = f"sqlite={sqlite3.sqlite_version}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        conf = self.app.conf
        if cast(ProcessingGuarantee, conf.processing_guarantee) is ProcessingGuarantee.EXACTLY_ONCE:
            raise ImproperlyConfigured(
                "the local transport has no transactions: set processing_guarantee='at_least_once' and write idempotently"
            )
        address = parse_address(self.url[0])
        self.path = address.path
        self.keep_days = address.keep_days
        self.partitions = address.partitions or conf.topic_partitions
        #: Set by the producer of this process, so that its own consumer need not wait for the next poll.
        self.appended = asyncio.Event()
