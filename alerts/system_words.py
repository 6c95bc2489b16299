"""The values of a message about the system itself: that a test arrives, that something is wrong with it.

Params of each: ``centre_name``, ``written_at``; what else there is becomes a value under its own name. Of a trouble: ``trouble``
(its kind), ``about``, ``since``, ``values`` (:mod:`alerts.troubles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerts.catalogue import PHRASES
from alerts.trouble_words import trouble_words

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
    trouble: dict[str, str] = {}
    if kind := params.get("trouble"):
        trouble = trouble_words(kind, params.get("about", ""), params["values"], language, clean)
        trouble |= {"since": moment("since"), "level": words["trouble"], "rule": trouble["what"]}
        params = {name: value for name, value in params.items() if name not in ("values", "since")}
    return (
        {name: clean(str(value)) for name, value in params.items() if value is not None}
        | {
            "signature": words["signature"],
            "subject": clean(str(params.get("centre_name") or words["signature"])),
            "at": moment("written_at"),
            "link": "",
        }
        | trouble
    )


__all__ = ["system_values"]
