"""Compose files as Compose reads them: later files over earlier ones, and ``extends``."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from tests.conftest import ROOT

BASE, THREE, TLS = "docker-compose.yml", "docker-compose.three-brokers.yml", "docker-compose.tls.yml"
#: Whoever reads a compose file is sent to these.
FILES = (BASE, THREE, TLS)


def load(*names: str) -> dict[str, Any]:
    """The files merged in order, as far as ours need it: maps by key, volumes by target, commands replaced, other lists joined."""
    merged: dict[str, Any] = {}
    for name in names:
        merged = _merge(merged, yaml.safe_load((ROOT / name).read_text("utf-8")), "")
    for name, service in merged["services"].items():
        given = service.pop("extends", None)
        if given is not None:
            below = yaml.safe_load((ROOT / given["file"]).read_text("utf-8"))["services"][given["service"]]
            merged["services"][name] = _merge(below, service, "")
    return merged


def _merge(below: Any, above: Any, key: str) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        keys = [*below, *(each for each in above if each not in below)]
        return {
            each: _merge(below[each], above[each], each)
            if each in below and each in above
            else copy.deepcopy(above.get(each, below.get(each)))
            for each in keys
        }
    if key == "volumes" and isinstance(below, list) and isinstance(above, list):
        return list({target(each): each for each in (*below, *above)}.values())
    if isinstance(below, list) and isinstance(above, list) and key not in ("command", "entrypoint", "test"):
        return [*below, *(each for each in above if each not in below)]
    return copy.deepcopy(above)


def target(volume: Any) -> str:
    return str(volume["target"]) if isinstance(volume, dict) else volume.split(":")[1]


def source(volume: Any) -> str:
    """A named volume, or a path with its default put in for the variable."""
    text = str(volume["source"]) if isinstance(volume, dict) else volume.partition(":")[0]
    return text.partition(":-")[2].removesuffix("}") if text.startswith("${") else text


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run this program."""
    return {name: one for name, one in compose["services"].items() if one["image"].startswith("mingjing:")}
