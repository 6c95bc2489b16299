"""Finding out by patience what a post looks like when it is empty, when nobody has said so.

People never come back to the very same picture, empty chairs do. A scene counts as the empty one when it has been there,
unmoved, on two visits with something clearly different in between, and for long enough in all. Somebody who sits perfectly
still while others walk before him would fool it; that is why every bit of motion inside a scene counts against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors.presence.picture import Plane

SAME, OTHER = 0.06, 0.20
"""Share of the post that differs: up to SAME it is the same scene, from OTHER on clearly another one."""
AWAY = 3.0
"""Seconds of another view that make the next visit a new one."""
DWELL = 8.0
"""Seconds without motion a scene must have been there in all."""
_MOST_SCENES = 6


@dataclass(eq=False)
class _Scene:
    relief: Plane
    dwell: float = 0.0
    visits: int = 1
    away: float = 0.0
    moved: int = 0
    looks: int = 0


class SceneMemory:
    """Remembers the scenes of one post and names the empty one when it is sure."""

    def __init__(self, dwell: float = DWELL) -> None:
        self._dwell = dwell
        self._scenes: list[_Scene] = []
        self._last: float | None = None

    def step(
        self, relief: Plane, share: Callable[[Plane], float | None], moved: bool, t: float
    ) -> Plane | None:
        """Takes a look (its relief, how to compare it, whether anything moved); returns a new empty reference or None."""
        lapse = 0.0 if self._last is None else min(1.0, max(0.0, t - self._last))
        self._last = t
        here: tuple[float, _Scene] | None = None
        for scene in self._scenes:
            differs = share(scene.relief)
            if differs is None:
                continue
            if differs >= OTHER:
                scene.away += lapse
            elif differs <= SAME and (here is None or differs < here[0]):
                here = (differs, scene)
        if here is None:
            if not moved:
                self._scenes.append(_Scene(relief))
                del self._scenes[:-_MOST_SCENES]
            return None
        scene = here[1]
        if scene.away >= AWAY:
            scene.visits += 1
        scene.away = 0.0
        scene.looks += 1
        if moved:
            scene.moved += 1
        else:
            scene.dwell += lapse
        if scene.visits >= 2 and scene.dwell >= self._dwell and scene.moved <= 0.05 * scene.looks:
            self._scenes.remove(scene)
            return scene.relief
        return None
