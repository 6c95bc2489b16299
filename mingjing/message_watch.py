"""Who watches over the messages: operators hear of trouble, and an outside watcher hears nothing when the chain is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mingjing.context import Context


def watch_messages(context: Context) -> None:
    """Tells operators of trouble. Beside the rule loop and beside the sender: each sees whether the other lives."""
    from alerts.self_watch import SelfWatch

    SelfWatch(
        context.dsn,
        lambda: list(context.centres.values()),
        context.clock,
        kinds=context.channel_kinds,
        default=context.channel,
    ).start(context.stop)


def watch_from_outside(context: Context) -> None:
    """Tells an outside watcher, where one is named, while the whole chain lives.

    Raises:
        SettingsError: its address cannot be read.
    """
    from prometheus_client import REGISTRY

    from alerts.dead_man import DeadMan, load_url

    file = context.settings.deadman_url_file
    if file is None:
        return
    switch = DeadMan(context.dsn, load_url(file), every=context.settings.deadman_seconds)
    REGISTRY.register(switch)  # type: ignore[arg-type]
    switch.start(context.stop)
