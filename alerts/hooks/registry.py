"""Maps a kind of hook to its folder, importing it only when it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from alerts.addresses import AddressKind
from alerts.hooks.base import Hook
from domain.errors import SettingsError

#: kind → module with ``Config`` (pydantic) and ``open_hook(config) -> Hook``.
KINDS: dict[str, str] = {
    "aliyun": "alerts.hooks.aliyun",
    "apprise": "alerts.hooks.apprise",
    "dingtalk": "alerts.hooks.dingtalk",
    "email": "alerts.hooks.email",
    "feishu": "alerts.hooks.feishu",
    "http_json": "alerts.hooks.http_json",
    "http_map": "alerts.hooks.http_map",
    "huawei": "alerts.hooks.huawei",
    "log": "alerts.hooks.log",
    "smpp": "alerts.hooks.smpp",
    "tencent": "alerts.hooks.tencent",
    "wecom": "alerts.hooks.wecom",
}
#: What a kind of hook needs to know of a person. A gateway that is described by its settings may take another: a channel says so
#: by ``address`` in the file of channels.
ADDRESSES: dict[str, AddressKind] = {
    "aliyun": "phone",
    "apprise": "phone",
    "dingtalk": "room",
    "email": "email",
    "feishu": "room",
    "http_json": "phone",
    "http_map": "phone",
    "huawei": "phone",
    "log": "phone",
    "smpp": "phone",
    "tencent": "phone",
    "wecom": "room",
}


def open_hook(kind: str, settings: Mapping[str, Any] | None = None) -> Hook:
    """A ready hook.

    Raises:
        SettingsError: unknown kind, or the first setting that cannot be used (its value is never quoted).
    """
    if kind not in KINDS:
        raise SettingsError(f"no hook is called '{kind}'; there are {', '.join(KINDS)}")
    module = import_module(KINDS[kind])
    try:
        config = module.Config.model_validate(dict(settings or {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or kind
        raise SettingsError(f"hook {kind}: {name}: {first['msg'].removeprefix('Value error, ')}") from None
    hook: Hook = module.open_hook(config)
    return hook
