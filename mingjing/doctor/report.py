"""What a check says: a verdict, what is wrong in two languages, and the mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "fault"]
MARKS: dict[Verdict, str] = {"ok": "✓", "warning": "!", "fault": "✗"}
#: Exit status of the command: that of the worst result.
STATUS: dict[Verdict, int] = {"ok": 0, "warning": 1, "fault": 2}


@dataclass(frozen=True, slots=True)
class Result:
    """One line.

    Args:
        check: stable name, e.g. ``database.fsync``.
        zh, en: what is so; for a warning or fault, what is wrong.
        mend: a command to run or a key to write; empty where all is well.
    """

    verdict: Verdict
    check: str
    zh: str
    en: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{MARKS[self.verdict]} {self.check}: {self.zh} · {self.en}"
        return f"{line}\n    → {self.mend}" if self.mend else line

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "verdict": self.verdict,
            "zh": self.zh,
            "en": self.en,
            "mend": self.mend or None,
        }


def ok(check: str, zh: str, en: str) -> Result:
    return Result("ok", check, zh, en)


def warning(check: str, zh: str, en: str, mend: str) -> Result:
    return Result("warning", check, zh, en, mend)


def fault(check: str, zh: str, en: str, mend: str) -> Result:
    return Result("fault", check, zh, en, mend)


def some(names: list[str], most: int = 5) -> str:
    """The first few of many names."""
    shown = ", ".join(names[:most])
    return f"{shown} … ({len(names)})" if len(names) > most else shown
