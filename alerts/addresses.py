"""Where a person is reached: the address for each channel, in the order of the channels. Pure.

What kind of address a channel takes its hook says (:data:`alerts.hooks.registry.ADDRESSES`); the composition root reads it
from the file of channels (:func:`mingjing.channels.address_kinds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from domain.centre import Person

#: A telephone number; an e-mail address; an id of the provider's own, that only the person's ``addresses`` can know; a room (a
#: group's robot), where everybody reads along and no address is needed.
AddressKind = Literal["phone", "email", "user", "room"]
#: Address of a person without a number in a room: who is meant stands in the text.
IN_ROOM = "room"


def addresses_of(
    person: Person, channels: Iterable[str], kinds: Mapping[str, AddressKind]
) -> tuple[tuple[str, str], ...]:
    """(channel, address) for each channel that reaches a person, in order.

    ``person.addresses`` wins over the kind. A channel of which nobody knows the kind is none that could send. In a room a number
    is given where there is one, for robots that call people by it.
    """
    found = ((channel, address_of(person, channel, kinds)) for channel in dict.fromkeys(channels))
    return tuple((channel, address) for channel, address in found if address)


def missing_of(
    person: Person, channels: Iterable[str], kinds: Mapping[str, AddressKind]
) -> dict[str, AddressKind | None]:
    """The channels that do not reach a person, with the kind of address that is missing; None: there is no such channel."""
    return {
        channel: kinds.get(channel)
        for channel in dict.fromkeys(channels)
        if not address_of(person, channel, kinds)
    }


def address_of(person: Person, channel: str, kinds: Mapping[str, AddressKind]) -> str | None:
    """A person's address for one channel; None where there is none."""
    kind = kinds.get(channel)
    if kind is None:
        return None
    own = person.addresses.get(channel)
    if own:
        return own
    if kind == "email":
        return person.email or None
    if kind == "room":
        return person.phone or IN_ROOM
    return (person.phone or None) if kind == "phone" else None


__all__ = ["IN_ROOM", "AddressKind", "address_of", "addresses_of", "missing_of"]
