"""Which ways messages can leave: the file of channels, or the one HTTP gateway of the settings.

A file of channels is YAML: name of a channel → its hook and the hook's settings. The first one takes the messages. A path in it
that is not absolute starts at the file's own folder. ``address: phone | email | user | room`` says what a channel needs to know of a
person, where that is not what its hook usually takes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from alerts.addresses import AddressKind
from alerts.hooks.approved import needed
from alerts.hooks.base import CanReceive, Hook
from alerts.hooks.registry import ADDRESSES, open_hook
from alerts.receipts import gives_receipts
from domain.centre import Centre
from domain.errors import SettingsError
from domain.messages import MessageSettings
from mingjing.settings import Settings

log = logging.getLogger(__name__)

LOG = "log"
HTTP = "http"
"""The channel of ``MINGJING_GATEWAY_URL``."""


def channel_of(settings: Settings) -> str:
    """Name of the channel that messages are planned for.

    Raises:
        SettingsError: the file of channels cannot be used.
    """
    if settings.channels_file is not None:
        return next(iter(read_channels(settings.channels_file)))
    return HTTP if settings.gateway_url else LOG


def address_kinds(settings: Settings) -> dict[str, AddressKind]:
    """Name of each channel → what it needs to know of a person, the log and the gateway of the settings included.

    Raises:
        SettingsError: the file of channels cannot be used.
    """
    kinds: dict[str, AddressKind] = {LOG: ADDRESSES["log"]}
    if settings.gateway_url:
        kinds[HTTP] = ADDRESSES["http_json"]
    if settings.channels_file is not None:
        file = settings.channels_file
        for name, value in _read(file).items():
            kind, _ = _channel(file, name, value)
            kinds[name] = value.get("address", ADDRESSES.get(kind, "phone"))
    return kinds


def open_channels(settings: Settings) -> dict[str, Hook]:
    """Every channel, ready to send; the log is always one of them.

    Raises:
        SettingsError: the first that cannot be used, with its name and never with a secret.
    """
    hooks = {LOG: open_hook("log")}
    if settings.gateway_url:
        given = {
            "url": settings.gateway_url,
            "query_url": settings.gateway_query_url or None,
            "secret_file": settings.gateway_secret_file,
        }
        hooks[HTTP] = open_hook("http_json", given)
    if settings.channels_file is None:
        return hooks
    for name, (kind, values) in read_channels(settings.channels_file).items():
        try:
            hooks[name] = open_hook(kind, values)
        except SettingsError as error:
            for hook in hooks.values():
                hook.close()
            raise SettingsError(f"{settings.channels_file}: channel {name}: {error}") from None
    return hooks


def check_templates(settings: Settings, centres: Iterable[Centre]) -> None:
    """That providers who send approved templates only have one for whatever the settings of these centres can lead to.

    Raises:
        SettingsError: the first that is missing, with the channel, the centre and the key that leads to it.
    """
    file = settings.channels_file
    if file is None:
        return
    channels = read_channels(file)
    for centre in centres:
        for name in _channels_of(centre.messages, next(iter(channels))):
            templates = channels[name][1].get("templates") if name in channels else None
            if not isinstance(templates, Mapping):
                continue
            for template, key in needed(centre.messages).items():
                if template not in templates:
                    raise SettingsError(
                        f"{file}: channel {name}: templates: {template} is missing;"
                        f" centre {centre.centre.id} can send it ({key} of its file)"
                    )


def _channels_of(messages: MessageSettings, first: str) -> list[str]:
    """The channels by which messages of a centre can leave."""
    named = [messages.channels or [first]]
    for route in messages.routes:
        named += [route.channels or [], *(step.channels or [] for step in route.escalate)]
    return list(dict.fromkeys(channel for channels in named for channel in channels))


def open_receiving(settings: Settings) -> dict[str, Hook]:
    """The channels whose gateways push to us. One that cannot be opened here is left out, loudly: its receipts are not taken,
    but the process goes on."""
    if settings.channels_file is None:
        return {}
    hooks: dict[str, Hook] = {}
    for name, (kind, values) in read_channels(settings.channels_file).items():
        try:
            hook = open_hook(kind, values)
        except SettingsError as error:
            log.error("channel %s: its receipts cannot be taken here: %s", name, error)
            continue
        if isinstance(hook, CanReceive) and gives_receipts(hook):
            hooks[name] = hook
        else:
            hook.close()
    return hooks


def read_channels(file: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of a channel → kind of its hook and the hook's settings, in the order of the file.

    Raises:
        SettingsError: one sentence that names the file and the place.
    """
    return {name: _channel(file, name, channel) for name, channel in _read(file).items()}


def _read(file: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(f"{file}{f':{mark.line + 1}' if mark else ''}: is not YAML") from None
    if not isinstance(value, dict) or not value:
        raise SettingsError(f"{file}: expected channels, each with its hook and settings")
    return {str(name): channel for name, channel in value.items()}


def _channel(file: Path, name: str, value: object) -> tuple[str, dict[str, Any]]:
    if not isinstance(value, Mapping) or not isinstance(value.get("hook"), str):
        raise SettingsError(f"{file}: channel {name}: which hook? (hook: aliyun, email, http_map …)")
    if name == LOG:
        raise SettingsError(f"{file}: channel {LOG}: this name is taken; choose another")
    known = get_args(AddressKind)
    if value.get("address", known[0]) not in known:
        raise SettingsError(f"{file}: channel {name}: address: expected one of {', '.join(known)}")
    own = {key: each for key, each in value.items() if key not in ("hook", "address")}
    return value["hook"], {key: _placed(file, key, each) for key, each in own.items()}


def _placed(file: Path, key: object, value: object) -> object:
    """Paths, wherever they stand, start at the file's folder."""
    if isinstance(value, Mapping):
        return {inner: _placed(file, inner, each) for inner, each in value.items()}
    if isinstance(value, str) and str(key).endswith("_file"):
        return str(file.parent / Path(value).expanduser())
    return value
