"""The values of a message about the system itself: that a test arrives, that something is wrong with it.

Params of each: ``centre_name``, ``written_at``; what else there is becomes a value under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerts.catalogue import PHRASES

Clean = Callable[[str], str]


def system_values(
    params: Mapping[str, Any], language: str, *, moment: Callable[[str], str], clean: Clean
) -> dict[str, str]:
    """The named values.

    Args:
        moment: name of a param → its moment in words.

    Raises:
        KeyError, ValueError: the params are not those of such a message.
    """
    words = PHRASES[language]
    return {name: clean(str(value)) for name, value in params.items() if value is not None} | {
        "signature": words["signature"],
        "subject": clean(str(params.get("centre_name") or words["signature"])),
        "at": moment("written_at"),
        "link": "",
    }


__all__ = ["system_values"]
