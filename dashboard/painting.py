"""From a snapshot of one centre to the parts of its wall, in every language."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboard.catalogue import LANGUAGES
from dashboard.facts import Snapshot, WindowFacts
from dashboard.layout import PartsWriter
from dashboard.view import build_view, light_settings
from dashboard.words import Words
from domain.centre import Centre


class WallPainter:
    """The wall of one centre; keeps the texts of tiles that did not change.

    Args:
        speed: of the system's clock.
    """

    def __init__(self, centre: Centre, speed: float) -> None:
        self._centre, self._settings = centre, light_settings(centre, speed)
        self._writers = {language: (Words(language, centre.zone), PartsWriter()) for language in LANGUAGES}

    def paint(
        self, snapshot: Snapshot | None, now: datetime, blind: timedelta | None
    ) -> dict[str, dict[str, str]]:
        """Parts by language.

        Args:
            snapshot: None before the first reading: nothing is known then, and every tile is grey.
            blind: how long (real time) the store has not answered; None while it does.
        """
        if snapshot is None:
            windows = tuple(WindowFacts(window.id, window.name) for window in self._centre.windows)
            snapshot = Snapshot(now, 0.0, windows)
        parts = {}
        for language, (words, writer) in self._writers.items():
            view = build_view(
                snapshot,
                centre=self._centre,
                now=now,
                words=words,
                settings=self._settings,
                blind_since=blind,
            )
            parts[language] = writer.write(view, now)
        return parts


__all__ = ["WallPainter"]
