"""Areas of a picture: what is none is refused with its place, staff sides do not lie over each other."""

from __future__ import annotations

import pytest

from domain.centre_file import parse_centre
from domain.errors import CentreFileError
from domain.polygons import area_of, fault_of, overlap_of

LEFT = [(0.0, 0.2), (0.4, 0.2), (0.4, 0.8), (0.0, 0.8)]
ARROW = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.3), (0.5, 1.0)]


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        (LEFT, None),
        ([*LEFT, LEFT[0]], None),  # closed by repeating the first corner
        (ARROW, None),
        ([(0, 0), (1, 0), (1, 1)], None),
        ([(0, 0), (1.2, 0), (1, 1)], "corner 2 (1.2, 0)"),
        ([(0, 0), (float("nan"), 0), (1, 1)], "corner 2"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "cross"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "no part"),
        ([(0, 0), (0, 0), (1, 1)], "fewer than 3"),
    ],
)
def test_what_is_no_area(polygon, words):
    fault = fault_of(polygon)
    assert (fault is None) if words is None else (fault is not None and words in fault)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (LEFT, LEFT, 0.24),
        (LEFT, [(x + 0.2, y) for x, y in LEFT], 0.12),
        (LEFT, [(x + 0.5, y) for x, y in LEFT], 0.0),
        (ARROW, ARROW, 0.325),
        # Around a corner that bends inwards: the boxes meet, the areas do not.
        (ARROW, [(0.6, 0.4), (1.0, 0.4), (1.0, 1.0), (0.6, 1.0)], 0.0),
        ([(0, 0), (1, 0), (1, 1)], [(0, 0), (0, 1), (1, 1)], 0.0),
    ],
)
def test_what_two_areas_share(one, other, shared):
    assert overlap_of(one, other) == pytest.approx(shared, abs=0.002)
    assert overlap_of(other, one) == pytest.approx(shared, abs=0.002)
    if one is other:
        assert area_of(one) == pytest.approx(shared)


def file(*posts: str) -> str:
    rows = "\n".join(f"      - {{window: A, {post}}}" for post in posts)
    return f"centre: {{id: '1'}}\nwindows: [{{id: A}}]\ncameras:\n  - id: k\n    url: sim://k\n    posts:\n{rows}\n"


WHOLE = "polygon: [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]"


@pytest.mark.parametrize(
    ("posts", "line", "words"),
    [
        (["name: a, polygon: [[0, 0], [900, 0], [1, 1]]"], 7, "outside the picture"),
        ([f"name: a, {WHOLE}, public: [[0, 0], [1, 1], [1, 0], [0, 1]]"], 7, "public: the edges"),
        ([f"name: a, {WHOLE}, public: [[0.4, 0], [1, 0], [1, 0.5], [0.4, 0.5]]"], 7, "staff side"),
        ([f"name: a, {WHOLE}, public: [[0, 0]]"], 7, "at least 3"),
        ([f"name: a, {WHOLE}, empty: ['']"], 7, "at least 1"),
        (
            [f"name: a, {WHOLE}", "name: b, polygon: [[0.3, 0], [0.8, 0], [0.8, 0.5], [0.3, 0.5]]"],
            6,
            "a and b overlap by 40%",
        ),
        # Half inside the other: neither apart nor one place.
        ([f"name: a, {WHOLE}", "name: b, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]"], 6, "overlap by 100%"),
    ],
)
def test_areas_that_would_accuse_the_wrong_person_are_refused(posts, line, words):
    with pytest.raises(CentreFileError) as caught:
        parse_centre(file(*posts))
    assert words in str(caught.value)
    assert caught.value.line == line


def test_neighbours_a_desk_of_two_names_and_a_public_side():
    centre = parse_centre(
        file(
            f"name: a, {WHOLE}, public: [[0, 0.5], [0.5, 0.5], [0.5, 1], [0, 1]], empty: [a.jpg]",
            f"name: the same, {WHOLE}",
            "name: b, polygon: [[0.45, 0], [0.9, 0], [0.9, 0.5], [0.45, 0.5]]",
        )
    )
    first, second, _ = centre.cameras[0].posts
    assert first.public is not None
    assert first.empty == ["a.jpg"]
    assert second.public is None
    # What does not use the new keys is written as before.
    assert set(second.model_dump()) == {"name", "window", "polygon", "required"}
