"""Limits in force at a case's start, kept with the case (contract, rule 9).

Kept are the items' limits, the office hours and the rules' settings, also those of the families about cases that are on: a
case that began before a family was turned on is not judged by it, and one that began under it goes on to be. The calendar is
not: which dates work is published late and corrected, and a running case follows the correction. Nor is whether a family
runs in the shadow: that says who is told, not what is due.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from domain.centre import CASE_FAMILIES, Centre

#: Raised when the rules themselves change in a way that running cases must be judged again.
RULES_VERSION = 1


def settings_of(centre: Centre) -> dict[str, Any]:
    """What is kept, JSON-ready."""
    whole = centre.model_dump(mode="json")
    content = {
        "version": RULES_VERSION,
        "timezone": whole["centre"]["timezone"],
        "office_hours": whole["centre"]["office_hours"],
        "time_limit": whole["rules"]["time_limit"],
        "items": whole["items"],
    }
    families = {
        name: {key: value for key, value in whole["rules"][name].items() if key != "shadow"}
        for name in CASE_FAMILIES
        if getattr(centre.rules, name) is not None
    }
    # Without any the content, and with it its name, is what it was before there were families.
    return content | {"families": families} if families else content


def settings_id(content: Mapping[str, Any]) -> str:
    """The name of a content: SHA-256 of its canonical JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def centre_under(current: Centre, content: Mapping[str, Any]) -> Centre:
    """The centre with its calendar, windows and people of today, and the limits and hours kept in ``content``."""
    whole = current.model_dump(mode="json")
    whole["centre"] |= {"timezone": content["timezone"], "office_hours": content["office_hours"]}
    whole["rules"]["time_limit"] = content["time_limit"]
    whole["items"] = content["items"]
    for name in CASE_FAMILIES:
        today = whole["rules"].pop(name, None) or {}
        kept = content.get("families", {}).get(name)
        if kept is not None:
            whole["rules"][name] = kept | {"shadow": today.get("shadow", False)}
    return Centre.model_validate(whole)


def world_id(centre: Centre) -> str:
    """Changes whenever anything that findings rest on may have changed: then everything is judged again."""
    return settings_id(
        {"centre": centre.model_dump(mode="json"), "rules": RULES_VERSION, "calendars": _calendars()}
    )


@lru_cache(maxsize=1)
def _calendars() -> list[str]:
    found = []
    for name in ("chinesecalendar", "holidays"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
