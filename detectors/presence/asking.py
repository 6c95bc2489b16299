"""Looks that wait for a net: written as if each asked it alone, run together so that many ask in one batch.

A look that needs a net is a generator: it yields a :class:`Question`, gets the people in answer, and returns what it found.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from detectors.presence.nets.net import Person, PersonNet
from detectors.presence.picture import Image

T = TypeVar("T")
MOST_TOGETHER: Final = 16
"""Images in one batch at most: it bounds memory, and how long the first must wait for the last."""


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """Who is in the image (as ``net.fit`` gives it)?"""

    net: PersonNet
    image: Image


Asking = Generator[Question, list[Person], T]


class NoAnswerError(Exception):
    """Thrown into a look whose net failed; it may make do without, or let it pass."""


def run_together(askings: Sequence[Asking[T]]) -> list[T | Exception]:
    """Runs looks to their ends, questions to one net in batches; a look that fails does not stop the others.

    Returns:
        what each returned, or the exception it ended with, in their order.
    """
    results: dict[int, T | Exception] = {}
    waiting: list[tuple[int, Question]] = []

    def go_on(index: int, people: list[Person] | NoAnswerError | None) -> None:
        asking = askings[index]
        try:
            if isinstance(people, NoAnswerError):
                question = asking.throw(people)
            else:
                question = next(asking) if people is None else asking.send(people)
        except StopIteration as end:
            results[index] = end.value
        except Exception as error:
            results[index] = error
        else:
            waiting.append((index, question))

    for index in range(len(askings)):
        go_on(index, None)
    while waiting:
        net = waiting[0][1].net
        batch = [each for each in waiting if each[1].net is net][:MOST_TOGETHER]
        waiting = [each for each in waiting if each not in batch]
        answers: list[list[Person]] | NoAnswerError
        try:
            answers = net.find([question.image for _, question in batch])
        except (
            Exception
        ) as error:  # whatever the library raises, the posts of these looks are unknown, no more
            answers = NoAnswerError(f"{type(error).__name__}: {error}")
            answers.__cause__ = error
        for number, (index, _) in enumerate(batch):
            go_on(index, answers if isinstance(answers, NoAnswerError) else answers[number])
    return [results[index] for index in range(len(askings))]


def run_alone(asking: Asking[T]) -> T:
    """Runs one look to its end.

    Raises:
        Whatever the look raises.
    """
    (result,) = run_together([asking])
    if isinstance(result, Exception):
        raise result
    return result
