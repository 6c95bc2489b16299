"""Messages with a second way to go, and hooks that do as they are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from alerts.hooks import Hook
from alerts.hooks.base import Handed
from alerts.messages import Outgoing
from alerts.sender import Sender, SenderSettings
from tests.alerts.conftest import LINKS, NOW, QUICK, Desk, make_finding, save_finding

MAIL = "li.si@gov.example"
PARAMS = {
    "rule": "time_limit.promised", "severity": "yellow", "opened_at": NOW.isoformat(), "window": "A07",
    "written_at": NOW.isoformat(), "ack_until": (NOW + timedelta(hours=72)).isoformat(),
}  # fmt: skip


class Told:
    """A hook that answers by a list, the last of which it repeats, and remembers what it was given."""

    def __init__(self, *answers: Handed | Exception) -> None:
        self.answers = list(answers) or [Handed("g")]
        self.taken: list[Outgoing] = []

    def send(self, message: Outgoing) -> Handed:
        self.taken.append(message)
        return self._next()

    def close(self) -> None: ...

    def _next(self) -> Handed:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Asked(Told):
    """One that can be asked; ``knows``: what it says."""

    def __init__(self, *answers: Handed | Exception, knows: Handed | Exception | None = None) -> None:
        super().__init__(*answers)
        self.knows, self.questions = knows, 0

    def query(self, message: Outgoing) -> Handed | None:
        self.questions += 1
        if isinstance(self.knows, Exception):
            raise self.knows
        return self.knows


def put(
    desk: Desk,
    key: str = "f1:p2:opened",
    *,
    finding: str | None = "f1",
    channel: str = "sms",
    address: str = "13800000002",
    fallback: list[list[str]] | None = None,
    template: str = "finding.yellow",
    state: str = "ready",
    ack: bool = True,
    params: dict[str, Any] | None = None,
) -> int:
    """A message in the outbox, with its finding; by default it can go on by e-mail."""
    if (
        finding is not None
        and not desk.connection.execute("select 1 from finding where finding_id = %s", (finding,)).fetchone()
    ):
        save_finding(desk.connection, make_finding(int(finding[1:])))
    row = desk.connection.execute(
        """
        insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, params, state, next_try_at,
                            give_up_at, created_at, ack_token, ack_expires_at, fallback, why, route, level)
        values (%s, %s, '530502', 'p2', %s, %s, %s, %s, %s, now(), now() + interval '24 hours', %s, %s, %s, %s, 'opened', 'r1', 2)
        returning message_id
        """,
        (
            key, finding, address, channel, template, Jsonb(PARAMS if params is None else params), state, NOW,
            LINKS.digest(key) if ack else None, NOW + timedelta(hours=72) if ack else None,
            Jsonb([["mail", MAIL]] if fallback is None else fallback),
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def sender_of(desk: Desk, settings: SenderSettings = QUICK, **hooks: Hook) -> Sender:
    made = Sender(desk.dsn, hooks, desk.clock, links=LINKS, settings=settings)
    desk.opened.append(made)
    return made


def age(desk: Desk, seconds: float, where: str = "true") -> None:
    """As if the first try of messages lay so long back."""
    desk.connection.execute(
        f"update outbox set first_try_at = first_try_at - make_interval(secs => %s), next_try_at = now() where {where}",
        (seconds,),
    )


def story(desk: Desk) -> list[tuple[str, ...]]:
    """Channel, state, reason of each message, in order."""
    return desk.rows("channel, state, reason")
