"""How well each post of a camera can be seen, measured on pictures of it; and which posts cannot be seen well enough.

The thresholds are chosen from what was measured, and the estimate of error is made on looks that had no part in choosing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median

import cv2
import numpy as np

from detectors.confidence import clopper_pearson
from detectors.presence.health import CameraHealth, View
from detectors.presence.nets.net import PersonNet
from detectors.presence.person_detector import DOUBT_SCORE, SEEN_SCORE
from detectors.presence.picture import Picture, Plane
from detectors.presence.posts import Box, Post, PostMap
from detectors.presence.references import MOST, Limits
from detectors.presence.region import Cut, Frame, framer
from domain.polygons import area_of, overlap_of
from mingjing.camera.refusals import Refusal, refusals_of

Span = tuple[float, float]
AROUND = 1.0
"""Seconds around a change of the truth that are not used."""
ENOUGH = 20
"""Looks of either kind from which on thresholds are chosen from them; with fewer the usual ones stand."""
_KEPT = 400
"""Looks that are kept; of a longer stretch every second one is dropped, again and again."""
_MOST_BOXES = 40


@dataclass(frozen=True)
class Truth:
    """What is known of a post: spans in seconds with nobody there, and with somebody."""

    empty: tuple[Span, ...] = ()
    present: tuple[Span, ...] | None = None

    def says(self, t: float) -> bool | None:
        """Whether somebody is there at ``t``; None: not known, or too near a change."""
        if self.present is not None:
            if any(abs(t - edge) <= AROUND for span in self.present for edge in span if edge > 0.05):
                return None
            return any(begin <= t <= end for begin, end in self.present)
        return False if any(begin <= t <= end for begin, end in self.empty) else None


@dataclass(frozen=True, slots=True)
class Errors:
    """``wrong`` of ``looks``; ``highest``: what the share of errors may be for all that (95 %, Clopper–Pearson)."""

    wrong: int
    looks: int

    @property
    def share(self) -> float | None:
        return self.wrong / self.looks if self.looks else None

    @property
    def highest(self) -> float | None:
        bounds = clopper_pearson(self.wrong, self.looks)
        return bounds[1] if bounds else None


@dataclass
class PostReport:
    """What was measured at one post. Shares 0 … 1, sizes in pixels of the camera's picture, times in seconds."""

    name: str
    size: tuple[int, int]
    side: float
    texture: float = 0.0
    level: float = 0.0
    noise: float = 0.0
    fill: float | None = None
    fill_from: str = ""
    empties: list[float] = field(default_factory=list)
    occupied: list[float] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    chosen: bool = False
    false_absent: Errors = Errors(0, 0)
    false_present: Errors = Errors(0, 0)
    left_out: int = 0
    """Visits that were each left out of choosing and judged by the others; 0: no truth was given."""
    references: list[Plane] = field(default_factory=list)
    empty_picture: bytes | None = None
    occupied_picture: bytes | None = None
    """JPEG of the whole view, in memory only: what is shown of it is blackened first."""
    refused: list[Refusal] = field(default_factory=list)


@dataclass
class CameraReport:
    """What was measured at a camera."""

    name: str
    posts: list[PostReport]
    looks: int
    seconds: float
    interval: float | None
    interval_worst: float | None
    fresh: float | None
    size: tuple[int, int]
    known: float
    sharpness: float
    matches: tuple[float, float] | None
    reasons: dict[str, int]
    method: str
    view: View | None = None
    refused: list[Refusal] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.refused and not any(post.refused for post in self.posts)

    @property
    def proven(self) -> bool:
        """Whether every post was judged with somebody at it, too."""
        return all(post.occupied for post in self.posts)


@dataclass(frozen=True)
class _Seen:
    """One look at one post."""

    t: float
    cut: Cut
    truth: bool | None
    picture: bytes


def calibrate(
    name: str,
    posts: Sequence[Post],
    pictures: Iterable[Picture],
    *,
    truths: Sequence[Truth],
    given: Sequence[Sequence[Picture]] = (),
    net: PersonNet | None = None,
    fresh: float | None = None,
    interval: Sequence[float] = (),
    spacing: float = 0.5,
) -> CameraReport:
    """Measures a camera on its pictures, in their order.

    Args:
        truths: what is known of each post.
        given: pictures of the operator that show each post empty.
        net: finds people; then it says at which looks a post is empty, where nobody else does.
        fresh: seconds for which a picture says something; with ``interval``, the seconds between pictures, checked.
        spacing: seconds between looks that are used.

    Raises:
        ValueError: there is no picture.
    """
    health, people = CameraHealth(posts), PostMap(posts)
    frames = [framer(post) for post in posts]
    seen: list[list[_Seen]] = [[] for _ in posts]
    boxes: list[list[float]] = [[] for _ in posts]
    sizes: list[float] = []
    reasons: dict[str, int] = {}
    matches: list[float] = []
    first = last = None
    due = float("-inf")
    looks = 0
    for picture in pictures:
        if first is not None and picture.t < due:
            health.keyframe(picture)
            continue
        due = picture.t + spacing - 1e-6
        first, last = first or picture, picture
        looks += 1
        found = health.check(picture)
        if found.match is not None:
            matches.append(found.match)
        if found.reason is not None:
            reasons[found.reason] = reasons.get(found.reason, 0) + 1
            continue
        said = _ask(net, picture, people, boxes, sizes, posts) if net is not None else [None] * len(posts)
        kept = _jpeg(picture)
        for index, truth in enumerate(truths):
            known = truth.says(picture.t)
            if known is None and truth.present is None:
                known = said[index]
            cut = frames[index](picture).cut(picture, found.shift)
            seen[index].append(_Seen(picture.t, cut, known, kept))
        if len(seen[0]) > _KEPT:
            seen = [each[::2] for each in seen]
            spacing *= 2
    if first is None or last is None:
        raise ValueError("there is no picture to calibrate with")
    view = health.view()
    report = CameraReport(
        name,
        [],
        looks,
        last.t - first.t,
        median(interval) if interval else None,
        float(np.percentile(interval, 95)) if interval else None,
        fresh,
        (first.width, first.height),
        float(view.known.mean()) if view else 0.0,
        view.sharpness if view else 0.0,
        (min(matches), median(matches)) if matches else None,
        reasons,
        "detector" if net else "correlation",
        view,
    )
    for index, post in enumerate(posts):
        own = [_Seen(0.0, frames[index](p).cut(p), False, _jpeg(p)) for p in (given[index] if given else ())]
        report.posts.append(
            _measure(post, first, frames[index](first), own, seen[index], boxes[index], sizes)
        )
    shared = [
        (
            one.name,
            other.name,
            overlap_of(one.polygon, other.polygon) / min(area_of(one.polygon), area_of(other.polygon)),
        )
        for one, other in combinations(posts, 2)
    ]
    refusals_of(report, shared)
    return report


def _ask(
    net: PersonNet,
    picture: Picture,
    people: PostMap,
    boxes: list[list[float]],
    sizes: list[float],
    posts: Sequence[Post],
) -> list[bool | None]:
    """What a net says of each post; None where it is not sure. Notes how much of each a person fills."""
    (found,) = net.find([net.fit(picture.image)])
    scores = [0.0] * len(posts)
    for person in found:
        if person.score >= SEEN_SCORE:
            sizes.append(person.box[2] * person.box[3])
        for index, post in enumerate(posts):
            overlap = people.overlap(person.box, index)
            if overlap >= 0.1:
                scores[index] = max(scores[index], person.score)
            if overlap >= 0.4 and person.score >= SEEN_SCORE and len(boxes[index]) < _MOST_BOXES:
                boxes[index].append(_filled(post, person.box))
    return [None if DOUBT_SCORE / 2 <= score < SEEN_SCORE else score >= SEEN_SCORE for score in scores]


def _filled(post: Post, box: Box) -> float:
    """Share of the post that a person's box covers."""
    x, y, w, h = box
    corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    return min(1.0, overlap_of(post.polygon, corners) / area_of(post.polygon))


def _jpeg(picture: Picture) -> bytes:
    """The picture, not larger than a page shows it."""
    image = picture.image
    if picture.width > 960:
        size = (960, round(picture.height * 960 / picture.width))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def _measure(
    post: Post,
    first: Picture,
    frame: Frame,
    given: list[_Seen],
    seen: list[_Seen],
    boxes: list[float],
    sizes: list[float],
) -> PostReport:
    corners = post.corners(first.width, first.height)
    span = corners.max(axis=0) - corners.min(axis=0)
    report = PostReport(post.name, (int(span[0]), int(span[1])), frame.side)
    cuts = [each.cut for each in seen]
    if cuts:
        report.level = float(
            median(float(cut.grey[frame.inside].mean()) for cut in cuts[:: max(1, len(cuts) // 50)])
        )
        changes = [
            float(np.median(np.abs(b.grey - a.grey)[frame.inside])) / (0.6745 * 1.4142)
            for a, b in pairwise(cuts)
        ]
        report.noise = float(median(changes)) if changes else 0.0
    empties = [each for each in seen if each.truth is False]
    references = _spread(given, MOST) or _spread(empties, MOST)
    report.references = [each.cut.grey for each in references]
    if not references:
        report.fill, report.fill_from = _fill(boxes, [], sizes, post)
        return report
    reliefs = [each.cut.relief for each in references]
    report.texture = frame.texture(reliefs[0])
    chosen = {id(each) for each in references}
    labelled = [
        (each, score)
        for each in seen
        if id(each) not in chosen
        if (score := _score(each, reliefs)) is not None
    ]
    report.empties = [score for each, score in labelled if each.truth is False]
    report.occupied = [score for each, score in labelled if each.truth is True]
    report.empty_picture = references[0].picture
    there = [
        (score, each)
        for each, score in labelled
        if each.truth is True or (each.truth is None and score >= 0.2)
    ]
    if there:
        there.sort(key=lambda row: row[0])
        report.occupied_picture = there[len(there) // 2][1].picture
    report.fill, report.fill_from = _fill(boxes, [score for score, _ in there], sizes, post)
    report.limits, report.chosen = chosen_limits(report.empties, report.occupied)
    _estimate(report, labelled)
    return report


def _spread(seen: list[_Seen], most: int) -> list[_Seen]:
    """Up to ``most`` looks, evenly chosen."""
    if not seen:
        return []
    step = max(1, len(seen) // most)
    return seen[step // 2 :: step][:most]


def _score(seen: _Seen, reliefs: Sequence[Plane]) -> float | None:
    found = [difference.share for relief in reliefs if (difference := seen.cut.differs(relief))]
    return min(found) if found else None


def _fill(
    boxes: list[float], shares: list[float], sizes: list[float], post: Post
) -> tuple[float | None, str]:
    """Share of the post that a person fills, and how that is known."""
    if boxes:
        return float(median(boxes)), "detector"
    if len(shares) >= 10:
        return float(median(shares)), "change"
    if sizes:
        # As large as the people at the other posts; of a person's box about four fifths are the person.
        return min(1.0, 0.8 * float(median(sizes)) / area_of(post.polygon)), "others"
    return None, ""


def chosen_limits(empties: Sequence[float], occupied: Sequence[float]) -> tuple[Limits, bool]:
    """Limits between what was measured; the usual ones (False) where too little was, or nothing lies between."""
    if len(empties) < ENOUGH or len(occupied) < ENOUGH:
        return Limits(), False
    high, low = float(np.percentile(empties, 99)), float(np.percentile(occupied, 1))
    if low - high < 0.05:
        return Limits(), False
    # Nearer to the empty side: to call somebody absent who is there is the worse error.
    leave = float(np.clip(high + 0.25 * (low - high), 0.04, 0.12))
    enter = float(np.clip(high + 0.5 * (low - high), leave + 0.03, 0.25))
    return Limits(round(enter, 3), round(leave, 3)), True


def _estimate(report: PostReport, labelled: Sequence[tuple[_Seen, float]]) -> None:
    """Errors on looks that had no part in choosing: each visit judged by the limits of the others."""
    known = [(each, score) for each, score in labelled if each.truth is not None]
    visits: list[list[tuple[_Seen, float]]] = []
    for each, score in known:
        if not visits or visits[-1][-1][0].truth != each.truth or each.t - visits[-1][-1][0].t > 5.0:
            visits.append([])
        visits[-1].append((each, score))
    absent = present = empty_looks = there_looks = 0
    for index, visit in enumerate(visits):
        rest = [row for number, other in enumerate(visits) if number != index for row in other]
        limits, _ = chosen_limits(
            [s for each, s in rest if each.truth is False], [s for each, s in rest if each.truth is True]
        )
        for each, score in visit:
            if each.truth:
                there_looks += 1
                absent += score <= limits.leave
            else:
                empty_looks += 1
                present += score >= limits.enter
    report.left_out = len(visits) if len(visits) > 1 else 0
    report.false_absent, report.false_present = Errors(absent, there_looks), Errors(present, empty_looks)
