"""The centres of one system, by their code. A system of one centre is a mapping of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from domain.centre import Centre
from domain.errors import CentreFileError, CentreFilesError


class Centres(Mapping[str, Centre]):
    """Centre id → centre, in the order given.

    Args:
        centres: of different ids.
        problems: files that could not be used as they are; their centre is the last good one, or missing.
        ignored: names in the folder that are no centre files.

    Raises:
        ValueError: an id twice, or no centre at all.
    """

    def __init__(
        self,
        centres: Iterable[Centre],
        *,
        problems: Sequence[CentreFileError] = (),
        ignored: Sequence[str] = (),
    ) -> None:
        self._centres: dict[str, Centre] = {}
        for centre in centres:
            if centre.centre.id in self._centres:
                raise ValueError(f"the centre {centre.centre.id} is there twice")
            self._centres[centre.centre.id] = centre
        if not self._centres:
            raise ValueError("no centre")
        self.problems, self.ignored = tuple(problems), tuple(ignored)

    @classmethod
    def of(cls, centre: Centre) -> Centres:
        """A system of one."""
        return cls([centre])

    def __getitem__(self, code: str) -> Centre:
        return self._centres[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._centres)

    def __len__(self) -> int:
        return len(self._centres)

    @property
    def several(self) -> bool:
        """Whether an event has to say which centre it belongs to."""
        return len(self._centres) > 1

    @property
    def first(self) -> Centre:
        """The only centre; of several the first."""
        return next(iter(self._centres.values()))

    @property
    def only(self) -> Centre | None:
        """The centre of a system of one; None where there are several."""
        return None if self.several else self.first

    @cached_property
    def checks(self) -> dict[str, Any]:
        """Keywords for :func:`domain.events.parse_event`: what an event is checked against."""
        if self.several:
            return {"centres": {code: centre.window_ids for code, centre in self._centres.items()}}
        return {"centre": self.first.centre.id, "windows": self.first.window_ids}

    def refuse_problems(self) -> None:
        """For a start, and for whoever checks.

        Raises:
            CentreFileError, CentreFilesError: a file cannot be used; every one is named.
        """
        self.refuse(self.problems)

    @staticmethod
    def refuse(problems: Sequence[CentreFileError]) -> None:
        """The same, of a list."""
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise CentreFilesError(problems)


__all__ = ["Centres"]
