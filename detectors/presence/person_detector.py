"""Seeing people at posts, with any net that finds people."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.asking import Asking, NoAnswerError, Question, run_alone
from detectors.presence.departure import DepartureCheck
from detectors.presence.look import Look
from detectors.presence.nets.net import Person, PersonNet
from detectors.presence.passing import PassingFilter
from detectors.presence.picture import Image, Picture, Shift
from detectors.presence.posts import Place, PostMap

log = logging.getLogger(__name__)

SEEN_SCORE = 0.2
"""From here on a box is a person (the figure YOLO-Fastest was measured with; other nets' scores are put on its scale)."""
DOUBT_SCORE = 0.06
"""Below this nobody is there; between the two the look has no answer. On empty posts of the recorded clips the best box
stays under 0.02 in every light, on degraded pictures of people it seldom falls so low."""
SECOND_WEIGHT = 2 / 3
"""How far a score of the second opinion is believed: on a softened picture a window frame in the dark reached 0.4."""
NOISY, BLOCKY, POOR_DOUBT_SCORE, TOGETHER = 4.0, 2.0, 0.025, 0.7
"""From this noise on (grey levels at the net's input; about 15 in a camera's picture) or with such JPEG blocks (quality
12 and less) any box at all is a doubt, and the second opinion is asked on the mean of the last TOGETHER seconds."""
QUIET_LOOKS = 3
"""A post that both opinions called empty so many times in a row gets the second one only at every third look."""


class PersonDetector:
    """Looks for people at posts.

    Every picture is first stretched to its full contrast, which makes a dark or washed-out one as good as a normal one.
    Where a post then shows nobody for certain, a second opinion is asked on a median-filtered copy: noise and coarse
    JPEG blocks hide people from the net far more than a soft picture does (measured: a person at score 0.00 in a
    JPEG of quality 5 comes back with 0.85).
    """

    name = "detector"

    def __init__(self, posts: PostMap, net: PersonNet) -> None:
        self._posts = posts
        self._net = net
        self._passing = [PassingFilter() for _ in posts.posts]
        self._recent: deque[tuple[float, Image]] = deque(maxlen=4)
        self._quiet = [0] * len(posts.posts)
        self._departure = [DepartureCheck() for _ in posts.posts]
        self.people: list[Person] = []
        """The people of the last look, boxes as they lie in the view the posts were drawn on."""

    def look(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> Sequence[Look]:
        return run_alone(self.looking(picture, shift))

    def looking(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> Asking[Sequence[Look]]:
        """As :meth:`look`, with the net's answers handed in. A net that fails makes every look ``late_detector``."""
        try:
            return (yield from self._looking(picture, shift))
        except NoAnswerError as error:
            log.warning("the person detector did not answer: %s", error)
            return [Look(None, 0.0, "late_detector") for _ in self._posts.posts]

    def _looking(self, picture: Picture, shift: Shift) -> Asking[Sequence[Look]]:
        plain = stretched(self._net.fit(picture.image))
        # The posts were drawn on the first view; where the camera has shifted since, so has everybody in it.
        right, down = shift[0] / picture.small.shape[1], shift[1] / picture.small.shape[0]
        people = _moved_back((yield Question(self._net, plain)), right, down)
        best = self._best(people)
        poor = noise_of(plain) > NOISY or blockiness_of(picture.grey) > BLOCKY
        doubt = POOR_DOUBT_SCORE if poor else DOUBT_SCORE
        while self._recent and not 0 <= picture.t - self._recent[0][0] <= TOGETHER:
            self._recent.popleft()
        self._recent.append((picture.t, plain))
        if self._in_doubt(best):
            # Noise is another one in every picture, people are not.
            base = np.mean([image for _, image in self._recent], axis=0) if poor else plain
            softened = np.asarray(cv2.medianBlur(base.astype(np.uint8), 5), dtype=np.uint8)
            answer = [Person(p.box, SECOND_WEIGHT * p.score) for p in (yield Question(self._net, softened))]
            second = _moved_back(answer, right, down)
            people = people + second
            best = [_better(a, b) for a, b in zip(best, self._best(second), strict=True)]
        for index, person in enumerate(best):
            self._quiet[index] = self._quiet[index] + 1 if person is None or person.score < doubt else 0
        self.people = [person for person in people if person.score >= SEEN_SCORE]
        looks = [self._answer(index, person, doubt, picture, shift) for index, person in enumerate(best)]
        return self._counted(looks)

    def _counted(self, looks: Sequence[Look]) -> list[Look]:
        """The looks with how many are at each post, and whether somebody is at its public side."""
        places = self._places(self.people)
        done = []
        for index, (post, look) in enumerate(zip(self._posts.posts, looks, strict=True)):
            there = sum(place.counts and index in place.posts for place in places)
            people = None if look.seen is None else max(1, there) if look.seen else 0
            waiting = any(index in place.public for place in places) if post.public else None
            done.append(replace(look, people=people, waiting=waiting))
        return done

    def stay(self, t: float) -> None:
        """Notes that at ``t`` everybody was still where the last look saw him."""
        for passing in self._passing:
            passing.stay(t)

    def _in_doubt(self, best: Sequence[Person | None]) -> bool:
        """Whether a second opinion is wanted: not at every look where a post has long been empty without any doubt."""
        return any(
            (person is None or person.score < SEEN_SCORE)
            and (quiet < QUIET_LOOKS or quiet % QUIET_LOOKS == 0)
            for person, quiet in zip(best, self._quiet, strict=True)
        )

    def _places(self, people: Sequence[Person]) -> list[Place]:
        return self._posts.places([p.box for p in people], [p.score for p in people])

    def _best(self, people: Sequence[Person]) -> list[Person | None]:
        best: list[Person | None] = [None] * len(self._posts.posts)
        for person, place in zip(people, self._places(people), strict=True):
            for index in place.posts:
                best[index] = _better(best[index], person)
        return best

    def _answer(
        self, index: int, person: Person | None, doubt: float, picture: Picture, shift: Shift
    ) -> Look:
        score = person.score if person else 0.0
        if person is not None and score >= SEEN_SCORE:
            passing = self._passing[index].step(picture.t, person.box)
            self._departure[index].saw(picture, person.box, score, shift)
            return Look(None, score, "passing") if passing else Look(True, score)
        self._passing[index].step(picture.t, None)
        if score >= doubt or self._departure[index].still_there(picture, shift):
            return Look(None, score, "low_score")
        return Look(False, score)


def _moved_back(people: Sequence[Person], right: float, down: float) -> list[Person]:
    return [
        Person((x - right, y - down, w, h), person.score) for person in people for x, y, w, h in [person.box]
    ]


def stretched(image: Image) -> Image:
    """The image with its 1st and 99th percentile drawn out to 0 and 255 (same shape)."""
    low, high = np.percentile(image[::4, ::4], (1, 99))
    scale = 255.0 / max(float(high - low), 8.0)
    levels: NDArray[np.float64] = (np.arange(256) - low) * scale
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def noise_of(image: Image) -> float:
    """Standard deviation of the noise in grey levels, by a mask that cancels edges (Immerkær 1996), by the median."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    mask = np.asarray([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    return float(np.median(np.abs(cv2.filter2D(grey, -1, mask)[1:-1, 1:-1]))) / (0.6745 * 6)


def blockiness_of(grey: Image) -> float:
    """How much stronger steps are at the borders of 8-pixel blocks than anywhere: about 1, above 2 in a ruined JPEG."""
    steps = np.abs(np.diff(grey.astype(np.int16), axis=1))
    return float(steps[:, 7::8].mean() / (steps.mean() + 0.5)) if grey.shape[1] > 8 else 0.0


def _better(a: Person | None, b: Person | None) -> Person | None:
    return b if a is None or (b is not None and b.score > a.score) else a
