"""A real door. Started by test_door_killed.py: ``python -m tests.streams.door_process BROKER PREFIX PORT KEY``."""

from __future__ import annotations

import sys

import uvicorn

from domain.clock import Clock
from streams.door import create_door
from streams.publisher import open_publisher

broker, prefix, port, key = sys.argv[1:]
with open_publisher(broker, prefix=prefix) as publisher:
    uvicorn.run(create_door(publisher, {"test": key}, None, Clock()), port=int(port), log_level="error")
