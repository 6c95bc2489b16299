"""Settings of ``rules.both_doors``: work done outside the centre (两头受理、体外循环).

Behind it stands Anyang's regulation on government services (L13) art. 56(1): an agency that has moved into the hall accepts
nothing elsewhere without consent. The signs are ours, and for a person to judge; no source gives a number for them.
"""

from __future__ import annotations

from domain.model import Code, Days, Model, added
from domain.rules import FamilySettings


class BothDoorsSettings(FamilySettings):
    """The family.

    ``patience``: working days until a ticket, a certificate or a case must have its counterpart: it may be entered later
    that day, and a feed may come at night. ``without_case``: what a ticket may be for that gives no case
    (``data.service``). ``online``: channels of a case that pass no ticket machine. ``outside``: channels that are not
    the centre's (``data.channel``; Hunan's case source 6, the department's own system).
    """

    patience: Days = 1
    without_case: tuple[Code, ...] = ("consultation", "咨询")
    online: tuple[Code, ...] = ("online", "web", "mobile", "courier", "kiosk")
    outside: tuple[Code, ...] = ("department",)


class ItemDoors(Model):
    """Keys of an item that only ``rules.both_doors`` reads."""

    #: It may be accepted outside the centre, with consent.
    elsewhere: bool = added(False)


class WindowDoors(Model):
    """Keys of a window that only ``rules.both_doors`` reads."""

    #: Whoever comes to it has drawn a number, and the queue system names the case.
    ticket_machine: bool = added(False)
