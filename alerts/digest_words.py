"""The values of a message that tells of many findings: how many of each level, the worst by name, where the rest is to be seen.

Params of every digest: ``centre_name``, ``counts`` (severity → number), ``total``, ``worst`` (of each ``window``, ``window_name``,
``rule``, and ``case`` or ``source``; ``times`` where it stands for several), ``since``, ``until``, ``desk`` (address), and
``told``, the keys of the messages it stands for; of the daily one also ``closed``, ``revoked``, ``unanswered``, ``overdue``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alerts.catalogue import LEVELS, PHRASES, rule_words
from domain.findings import SEVERITIES

#: Findings that are named, and characters of a window's name: three short messages must do.
NAMED, LONGEST_NAME = 3, 14

Clean = Callable[[str, int], str]


def digest_values(
    params: Mapping[str, Any], language: str, *, moment: Callable[[str], str], clean: Clean
) -> dict[str, str]:
    """The named values of a digest.

    Args:
        moment: name of a param → its moment in words.
        clean: text, longest → one line.

    Raises:
        KeyError, ValueError, TypeError: the params are not those of a digest.
    """
    words = PHRASES[language]
    link = str(params.get("desk") or "")
    numbers = {
        name: str(params[name]) for name in ("closed", "revoked", "unanswered", "overdue") if name in params
    }
    return numbers | {
        "signature": words["signature"],
        "subject": clean(str(params.get("centre_name") or ""), LONGEST_NAME),
        "span": words["span"].format(since=moment("since"), until=moment("until")),
        "total": str(params["total"]),
        "counts": counts_words(params["counts"], language),
        "worst": _worst(params["worst"], language, clean),
        "desk": words["desk"].format(link=link) if link else words["no_desk"],
        "link": link,
    }


def counts_words(counts: Mapping[str, int], language: str) -> str:
    """``红牌2、黄牌3``, the worst first; levels without any are left out."""
    words, levels = PHRASES[language], LEVELS[language]
    found = [
        words["count"].format(level=levels[severity], number=counts[severity])
        for severity in reversed(SEVERITIES)
        if counts.get(severity)
    ]
    return words["counts_join"].join(found) or words["none"]


def _worst(findings: Sequence[Mapping[str, Any]], language: str, clean: Clean) -> str:
    words = PHRASES[language]
    names = [_name(each, language, clean) for each in findings[:NAMED]]
    return words["worst"].format(names=words["worst_join"].join(names)) if names else words["all_told"]


def _name(finding: Mapping[str, Any], language: str, clean: Clean) -> str:
    """Window and rule; of what has no window the source, else the case."""
    words = PHRASES[language]
    window = str(finding.get("window") or "")
    name = str(finding.get("window_name") or "").replace(window, "")
    subject = clean(f"{window} {name}".strip(), LONGEST_NAME)
    if not subject and finding.get("source"):
        subject = words["source"].format(source=clean(str(finding["source"]), LONGEST_NAME))
    if not subject and finding.get("case"):
        subject = words["case"].format(case=clean(str(finding["case"]), LONGEST_NAME))
    rule = rule_words(str(finding["rule"]), language).name
    if times := finding.get("times"):
        rule += words["worst_times"].format(times=times)
    return words["worst_one"].format(subject=subject, rule=rule) if subject else rule


__all__ = ["LONGEST_NAME", "NAMED", "counts_words", "digest_values"]
