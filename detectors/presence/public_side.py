"""Who waits before a post, without a person detector: the public side is compared with its empty picture.

What is learned here is never kept: it is made anew from hours in which nobody can be there, and ends with the process.
"""

from __future__ import annotations

from collections.abc import Sequence

from detectors.presence.correlation import EmptyPostCorrelation
from detectors.presence.picture import Picture, Shift
from detectors.presence.posts import Post


class PublicSides:
    """The public sides of a camera's posts, as far as they have one.

    Args:
        still: seconds without motion that make an empty picture while nobody can be there.
    """

    def __init__(self, posts: Sequence[Post], still: float) -> None:
        self._numbers = {
            index: number for number, index in enumerate(i for i, post in enumerate(posts) if post.public)
        }
        sides = [Post(post.name, post.public) for post in posts if post.public]
        self._count = len(posts)
        self._sides = EmptyPostCorrelation(sides, None, still)

    def learn_empty(self, picture: Picture, index: int) -> None:
        """Takes the picture as one in which nobody waits before post ``index``."""
        if index in self._numbers:
            self._sides.learn_empty(picture, self._numbers[index])

    def look(self, picture: Picture, shift: Shift, nobody: bool) -> list[bool | None]:
        """For each post whether somebody is at its public side; None where there is none or it cannot be said."""
        if not self._numbers:
            return [None] * self._count
        looks = self._sides.look(picture, shift, nobody)
        return [
            looks[self._numbers[index]].seen if index in self._numbers else None
            for index in range(self._count)
        ]
