"""Every error of the house, in one tree.

::

    MingjingError                exit status 1
    ├── InputError               2  what a user handed in cannot be used; names the place
    │   ├── CentreFileError         the centre file: file, line, nearest known key
    │   ├── CentreFilesError        several of them
    │   ├── EventError              one event: code, field, reason (goes to the dead letters)
    │   ├── SettingsError           an environment variable or option
    │   ├── MediaError              a video, posts file or camera address
    │   ├── ModelError              a detector model: missing, wrong checksum
    │   └── StepRefusedError        a step in the life of a finding may not be taken
    ├── CalendarError            1  working time cannot be computed
    ├── StoreError               1  the database cannot be used
    ├── LogError                 1  the event log cannot be used
    │   ├── LogRefusedError      2  it is there and refuses us, or the topic: waiting does not help
    │   └── MessagesRefusedError 1  it will never take some messages; the others are in it
    └── SendError                1  a message was not handed over (permanent or passing)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal


class MingjingError(Exception):
    """Base of all; ``exit_status`` is what a command ends with."""

    exit_status = 1


class InputError(MingjingError):
    """What a user handed in cannot be used. The text is one sentence that names the place."""

    exit_status = 2


class CentreFileError(InputError):
    """The centre file is broken.

    Args:
        file: path as the user gave it.
        line: 1-based line, or None where none can be named.
        reason: one sentence.
        nearest: the known key nearest to an unknown one.
    """

    def __init__(self, file: str, line: int | None, reason: str, nearest: str | None = None) -> None:
        self.file, self.line, self.reason, self.nearest = file, line, reason, nearest
        place = file if line is None else f"{file}:{line}"
        hint = f" (did you mean '{nearest}'?)" if nearest else ""
        super().__init__(f"{place}: {reason}{hint}")


class CentreFilesError(InputError):
    """Several centre files of a folder are broken: each with its place and reason, in one sentence.

    Args:
        problems: one for each defect, at least one.
    """

    def __init__(self, problems: Sequence[CentreFileError]) -> None:
        self.problems = tuple(problems)
        each = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"{len(self.problems)} centre files cannot be used: {each}")


class EventError(InputError):
    """One event is refused.

    Args:
        code: stable machine name, e.g. ``unknown_kind``.
        field: which field, dotted, or None for the whole line.
        reason: one sentence for a person.
    """

    def __init__(self, code: str, field: str | None, reason: str) -> None:
        self.code, self.field, self.reason = code, field, reason
        super().__init__(f"{field}: {reason}" if field else reason)


class SettingsError(InputError):
    """An environment variable or an option has a value that cannot be used."""


class MediaError(InputError):
    """A video, a posts file or a camera address cannot be used."""


class ModelError(InputError):
    """A detector model is missing or is not the pinned one."""


class StepRefusedError(InputError):
    """A step in the life of a finding may not be taken: not by this person, not in this state, or not any more.

    Args:
        code: ``role``, ``own_cause``, ``stale``, ``revoked``, ``state``, ``late``, ``cause``, ``text``, ``rule``, ``subject``.
        reason: one sentence.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class CalendarError(MingjingError):
    """Working time cannot be computed."""


class StoreError(MingjingError):
    """The database cannot be used as it is."""


class LogError(MingjingError):
    """The event log cannot be read or written."""


class LogRefusedError(LogError):
    """The event log is there and refuses: a password, a certificate, a right, a topic. Waiting does not help."""

    exit_status = 2


class MessagesRefusedError(LogError):
    """The event log will never take some messages. All others of the same call are in it.

    Args:
        reasons: one sentence by the message's index in the call.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        self.reasons = dict(reasons)
        first = next(iter(self.reasons.values()), "")
        super().__init__(f"{len(self.reasons)} messages are refused; the first {first}")


class SendError(MingjingError):
    """A message was not handed over.

    Args:
        reason: one sentence.
        permanent: True if trying again cannot help.
        retry_after: seconds for which the gateway wants to hear nothing, of any message.
        wait: seconds before this one message is worth another try; others are not held up.
        scope: with ``permanent``, what is refused: this message, or the whole channel (key, account, arrears, signature), by
            which nothing is worth trying until somebody has put that right.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        wait: float | None = None,
        scope: Literal["message", "channel"] = "message",
    ) -> None:
        self.reason, self.permanent, self.retry_after, self.wait = reason, permanent, retry_after, wait
        self.scope = scope
        super().__init__(reason)
