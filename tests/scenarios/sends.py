"""What lies ahead for a finding, as the pages show it."""

from __future__ import annotations

from alerts.rounds.outlook import outlook
from tests.scenarios.probes import Probe, World, finding_ids, person_of


def next_sends(about: str, *wanted: tuple[str, str, str]) -> Probe:
    """The next sends of a finding are these: (moment of the day, why, person), in this order, and no others."""

    def look(world: World) -> str | None:
        found = outlook(world.connection, world.centre, finding_ids(world, about)[0], world.now)
        said = [
            (
                each.at.astimezone(world.centre.zone).strftime("%H:%M"),
                str(each.why),
                _name(world, each.person),
            )
            for each in found
        ]
        return None if said == list(wanted) else str(said)

    return Probe(f"next about {about}: {', '.join(' '.join(each) for each in wanted) or 'nothing'}", look)


def _name(world: World, person: str) -> str:
    found = person_of(world.centre, person)
    return found.name if found else person
