"""A shadow rule finds what it would find; its findings are marked and stand apart from the issued ones."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from detectors import case_families
from detectors.family import Family
from detectors.verdict import Claim, Verdict, settle
from domain.findings import finding_to_json
from tests.detectors.making import at, centre, event, judge

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


def claim(*_):
    return [Claim("procedure.test", "red", at("03-02 10:00"), at("03-02 10:00"), None)]


@pytest.fixture
def family(monkeypatch):
    monkeypatch.setitem(case_families.JUDGES, "procedure", claim)


def found(section, monkeypatch=None):
    made = centre(**({} if section is None else {"rules__procedure": section}))
    return judge(event("accepted", "03-02 09:30", id="a"), now="03-02 11:00", centre=made)


def test_a_shadow_rule_finds_the_same_and_marks_it(family):
    (live,), (shadow,) = found({}).findings, found({"shadow": True}).findings
    assert (live.shadow, shadow.shadow) == (False, True)
    assert (shadow.rule, shadow.severity, shadow.opened_at) == (live.rule, live.severity, live.opened_at)
    assert shadow.finding_id != live.finding_id, "switching it on opens a card, and amends nothing"
    assert found({"shadow": True}).findings == (shadow,), "the same grounds, the same id"


def test_a_family_of_another_subject_is_cast_into_the_shadow():
    def judged(name, events, place, now):
        findings, _ = settle(claim(), now, centre="530502", subject=f"complaint:{name}")
        return Verdict(tuple(findings), None)

    family = Family("complaints", "complaint", frozenset(("complaint.opened",)), lambda e, c: "1", judged)
    (live,) = family.ask("1", [], centre(rules__complaints={}), NOW).findings
    (shadow,) = family.ask("1", [], centre(rules__complaints={"shadow": True}), NOW).findings
    assert (live.shadow, shadow.shadow) == (False, True)
    assert shadow.finding_id != live.finding_id


def test_the_contracts_object_says_so_only_where_it_is_so(family):
    zone = ZoneInfo("Asia/Shanghai")
    (live,), (shadow,) = found({}).findings, found({"shadow": True}).findings
    assert "shadow" not in finding_to_json(live, zone)
    assert finding_to_json(shadow, zone)["shadow"] is True
