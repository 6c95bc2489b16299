"""One measured figure, and the file in which a benchmark leaves its figures for the page with plots.

A figure that stands alone says little: the machine decides it. So each names what was measured beside it in the same run,
and the ratio of the two is what can be compared between machines and between years.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Parameter = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` in ``unit``. ``beside``: what was measured in turn with it; ``ratio``: this one divided by that one.

    ``goal``: bound of the ratio, or of the value where there is none, as ``<= 1.5`` or ``>= 0.5``; ``series`` and ``x`` place
    it in a plot (figures of one name and series make a line over the parameter named ``x``).
    """

    name: str
    value: float
    unit: str
    beside: str | None = None
    ratio: float | None = None
    goal: str | None = None
    series: str = ""
    x: str | None = None
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without one.

        Raises:
            ValueError: the goal is not ``<= number`` or ``>= number``.
        """
        if self.goal is None:
            return None
        sign, _, bound = self.goal.partition(" ")
        measured = self.value if self.ratio is None else self.ratio
        if sign == "<=":
            return measured <= float(bound)
        if sign == ">=":
            return measured >= float(bound)
        raise ValueError(f"goal '{self.goal}': expected '<= number' or '>= number'")

    def __str__(self) -> str:
        text = f"{self.name}: {self.value:,.4g} {self.unit}"
        if self.parameters:
            text += " (" + ", ".join(f"{name} {value}" for name, value in self.parameters.items()) + ")"
        if self.ratio is not None:
            text += f", {self.ratio:.2f} × {self.beside}"
        if self.goal is not None:
            text += f" [goal {self.goal}: {'reached' if self.reached else 'missed'}]"
        return text


def write_figures(path: Path | None, figures: Iterable[Figure]) -> None:
    """Prints them, a line each, and leaves them as a JSON list in ``path`` (None: only prints)."""
    figures = list(figures)
    for figure in figures:
        print(figure, flush=True)
    if path is not None:
        path.write_text(
            json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=1), "utf-8"
        )


def read_figures(path: Path) -> list[Figure]:
    """What :func:`write_figures` left.

    Raises:
        OSError, ValueError, TypeError: no such file, or not of that form.
    """
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return [Figure(**row) for row in rows]
