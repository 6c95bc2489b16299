"""What each event speaks of beside its case, by the families a centre file turns on: made here, for the store knows no rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detectors.absence import DESK, WANTED, windows_of
from detectors.families import FAMILIES, subjects_of, wanted_families
from detectors.family import Family
from domain.centre import Centre
from domain.events import Event
from store.subjects import WINDOW, Linking
from streams.rule_settings import settings_id

#: Kinds that concern a window only by the family ``staffing``; those of the desk name their window themselves.
AT_WINDOWS = WANTED - frozenset(DESK)


def linking_of(centres: Mapping[str, Centre], families: Sequence[Family] = FAMILIES) -> Linking | None:
    """How events of these centres are linked; None where no family that is on wants to know."""
    wanted = {code: wanted_families(centre, families) for code, centre in centres.items()}
    kinds: dict[str, frozenset[str]] = {}
    signatures: dict[str, str] = {}
    for code, centre in centres.items():
        of_centre = frozenset[str]().union(*(family.kinds for family in wanted[code].values()))
        if centre.rules.staffing is not None:
            of_centre |= AT_WINDOWS
        if of_centre:
            kinds[code] = of_centre
            signatures[code] = _signature(centre, wanted[code], of_centre)
    if not kinds:
        return None

    def told(event: Event, code: str) -> Iterator[str]:
        centre = centres[code]
        for family, name in subjects_of(event, centre, families):
            yield f"{family.subject}:{name}"
        if event.kind in AT_WINDOWS and centre.rules.staffing is not None:
            for window in windows_of(event, centre):
                yield WINDOW + window

    return Linking(told, kinds, signatures)


def _signature(centre: Centre, wanted: Mapping[str, Family], kinds: frozenset[str]) -> str:
    """Changes when any link may: what a name rests on are the event and the centre's settings."""
    whole = centre.model_dump(mode="json")
    staffing = centre.rules.staffing is not None
    content = {
        "centre": whole["centre"],
        "calendar": whole["calendar"],
        "families": {subject: whole["rules"][family.name] for subject, family in wanted.items()},
        "kinds": sorted(kinds),
        "windows": whole["windows"] if staffing else None,
    }
    return settings_id(content)


__all__ = ["AT_WINDOWS", "linking_of"]
