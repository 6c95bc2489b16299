"""Why a message was not written, why it waits, why it exists: one list of names for all who decide."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message is not sent, or not yet. In the column ``reason`` of the outbox."""

    STALE = "stale"  # opened too long ago: importing a history must not flood phones
    NOT_CONFIGURED = "not_configured"  # the centre file names no role for this severity
    NO_WINDOW = "no_window"  # the finding names no window, or one that the centre file does not know
    NO_PERSON = "no_person"  # the window has nobody in this role, or the person is not in the file
    NO_PHONE = "no_phone"  # the person has no address for any channel
    SAME_PHONE = "same_phone"  # another recipient of this finding and step has the same number
    REVOKED = "revoked"  # withdrawn before it was sent
    REOPENED = "reopened"  # a correction withdrawn before it was sent: the finding stands after all
    OVER = "over"  # an early notice, or a message that waited, whose matter is closed
    ACKNOWLEDGED = "acknowledged"  # a reminder that waited while somebody acted
    SUPERSEDED = "superseded"  # a reminder that waited until a later one about the same leaves
    NOT_MESSAGED = "not_messaged"  # a revocation nobody needs to hear of
    ALREADY_TOLD = (
        "already_told"  # opens again, but nobody was told that it was over; or told at an earlier step
    )
    NO_NEWS = "no_news"  # a closing sends nothing
    ON_LEAVE = "on_leave"  # somebody else acts for the person at this moment; ``detail`` says who
    COVERED = "covered"
    OFF_DUTY = "off_duty"
    INHIBITED = "inhibited"  # a worse finding about the same thing is open; ``detail`` names it
    # … and why one waits:
    HOLD_FOR = "hold_for"  # the finding has to last before anybody is told
    GROUP = "group"  # messages to a leader within a short time leave as one
    SILENCED = "silenced"  # ``detail`` names the silence
    QUIET_HOURS = "quiet_hours"  # also outside the hours of its route
    FLOOD = "flood"  # too many for one person in a short time
    BUDGET = "budget"  # the number has had its messages of the day
    DAILY = "daily"  # for the digest of the day


class Why(StrEnum):
    """What a message is for. In the column ``why`` of the outbox."""

    OPENED = "opened"
    REOPENED = "reopened"
    REVOKED = "revoked"
    LATE = "late"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    NEXT_CHANNEL = "next_channel"
    DIGEST = "digest"
    SYSTEM = "system"
    TEST = "test"


__all__ = ["Reason", "Why"]
