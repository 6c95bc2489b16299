"""A clock, a long message and a patient fetch for the tests of the SMPP hook."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from alerts.hooks.base import Pushed, Receipt
from alerts.hooks.smpp.fake import FakeSmsc
from alerts.hooks.smpp.hook import SmppHook
from alerts.messages import Outgoing
from tests.alerts.hooks.messages import message

LONG = "【明镜】红牌：" + "窗口无人，请立即到岗。" * 16


def long_message(key: str = "f1:p1:opened") -> Outgoing:
    return replace(message(key), text=LONG)


class Seconds:
    """A monotonic clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ticking(centre: FakeSmsc, **more: object) -> tuple[SmppHook, Seconds]:
    seconds = Seconds()
    return SmppHook(centre.config(**more), monotonic=seconds, tick=0.02), seconds


def pull_until(hook: SmppHook, enough: Callable[[Pushed], bool]) -> Pushed:
    """Fetches until there is something; receipts come over a socket."""
    waited = threading.Event()
    for _ in range(200):
        pushed = hook.pull()
        if enough(pushed):
            return pushed
        waited.wait(0.01)
    raise AssertionError("nothing came")


def receipts(hook: SmppHook) -> list[Receipt]:
    return list(pull_until(hook, lambda pushed: bool(pushed.receipts)).receipts)
