"""What is kept with a case: the families' settings where they are on, and not a letter more where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from domain.centre import CASE_FAMILIES, Centre
from streams.rule_settings import centre_under, settings_id, settings_of
from tests.streams.test_rule_loop import CENTRE


def with_rules(**rules: Any) -> Centre:
    whole = CENTRE.model_dump(mode="json")
    return Centre.model_validate(whole | {"rules": whole["rules"] | rules})


def test_without_families_the_content_is_that_of_the_contract() -> None:
    assert set(settings_of(CENTRE)) == {"version", "timezone", "office_hours", "time_limit", "items"}
    # Families about other subjects judge by the settings of the day.
    assert settings_of(with_rules(complaints={}, attendance={})) == settings_of(CENTRE)


@pytest.mark.parametrize("family", CASE_FAMILIES)
def test_a_family_is_kept_with_the_cases_that_began_under_it(family: str) -> None:
    on = with_rules(**{family: {}})
    kept = settings_of(on)
    assert settings_id(kept) != settings_id(settings_of(CENTRE))
    under = centre_under(CENTRE, kept)
    assert getattr(under.rules, family) == getattr(on.rules, family)
    assert getattr(centre_under(on, settings_of(CENTRE)).rules, family) is None
    assert settings_of(under) == kept


def test_whether_a_family_runs_in_the_shadow_is_a_matter_of_today() -> None:
    silent, loud = with_rules(procedure={"shadow": True}), with_rules(procedure={})
    assert settings_of(silent) == settings_of(loud)
    for today in (silent, loud):
        under = centre_under(today, settings_of(loud))
        assert under.rules.procedure == today.rules.procedure
