"""Fees: the published list, the standard, who takes the money and when (Licensing Law art. 58, 59, 75)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from detectors import fees
from detectors.family import Family
from domain.rules.fees import Fee
from tests.detectors.making import at, centre, judge, one, rows
from tests.detectors.told import told

BASIS = "发改价格〔2015〕2136号"
ITEMS = [
    {
        "code": "A",
        "fees": [
            {"code": "F1", "name": "工本费", "amount": "10.10", "basis": BASIS},
            {"name": "测绘费", "max": 2.5, "unit": "平方米"},
        ],
    },
    {"code": "F", "free": True},
    {"code": "E", "fees": []},
    {"code": "U"},
]
CENTRE = centre(items=ITEMS, rules__fees={"payees": ["国库", "财政专户"]})
COURSE = (told("accepted", "03-02 09:30"), told("closed", "03-06 10:00"))


def charge(amount, when="03-03 10:00", **more):
    return told("fee.charged", when, **{"amount": amount, "basis": BASIS, **more})


def rules_of(*charges, item="A", centre=CENTRE):
    course = [told("accepted", "03-02 09:30", item=item), told("closed", "03-06 10:00", item=item)]
    found = judge(*course, *charges, centre=centre).findings
    return sorted((f.rule, f.severity) for f in found if f.rule.startswith("fees."))


@pytest.mark.parametrize(
    ("charges", "found"),
    [
        # By the published standard, to the cent: three tenths of a float are not 0.3.
        ([charge("10.10", code="F1")], []),
        ([charge(10.1, name="工本费")], []),
        ([charge("10.11", code="F1")], [("fees.above_standard", "yellow")]),
        # What is charged for one fee of a case is added up.
        ([charge("5.05", code="F1"), charge("5.05", name="工本费")], []),
        ([charge("5.05", code="F1"), charge("5.06", name="工本费")], [("fees.above_standard", "yellow")]),
        # So much for each square metre.
        ([charge("25", name="测绘费", quantity=10)], []),
        ([charge("25", name="测绘费", quantity="9.9")], [("fees.above_standard", "yellow")]),
        ([charge("2.5", name="测绘费", quantity="many")], []),
        ([charge("2.5", name="测绘费", quantity="1e999999")], []),
        ([charge("2.51", name="测绘费", quantity=-3)], [("fees.above_standard", "yellow")]),
        # Not on the list (art. 58).
        ([charge(1, name="咨询费")], [("fees.not_published", "yellow")]),
        ([charge(0, name="咨询费")], []),
        # It does not say for what: held to the highest standard.
        ([charge("10.10")], []),
        ([charge("10.11")], [("fees.above_standard", "yellow")]),
        # No basis is told, nor published (the second fee has none).
        ([charge(1, name="测绘费", basis=" ")], [("fees.no_basis", "notice")]),
        ([charge(1, code="F1", basis=None)], []),
        # Art. 59: to the treasury.
        ([charge(1, code="F1", payee="国库")], []),
        ([charge(1, code="F1", payee="张三")], [("fees.outside", "yellow")]),
        ([charge(1, code="F1", window="Z9")], [("fees.outside", "yellow")]),
        # Paid after closing; at the very moment is in time; the courier is no fee of the licence.
        ([charge(1, "03-06 10:00", code="F1")], []),
        ([charge(1, "03-06 10:01", code="F1")], [("fees.after_closing", "notice")]),
        ([charge(12, "03-06 10:01", name="courier")], []),
    ],
)
def test_table(charges, found):
    assert rules_of(*charges) == found


@pytest.mark.parametrize(
    ("item", "found"),
    [("F", ["fees.not_published"]), ("E", ["fees.not_published"]), ("U", []), ("unknown", []), (None, [])],
)
def test_what_may_be_charged_for_an_item(item, found):
    """Free, or a list without entries: nothing. Without a list nothing is known."""
    assert [rule for rule, _ in rules_of(charge(5, name="x", item=item), item=item)] == found


def test_a_decision_does_not_end_paying():
    verdict = judge(
        told("accepted", "03-02 09:30"), told("decided", "03-04 10:00"), charge(1, "03-05 09:00", code="F1"), centre=CENTRE
    )  # fmt: skip
    assert verdict.findings == () or not any(f.rule.startswith("fees.") for f in verdict.findings)


def test_paying_back_closes_and_explains():
    """Art. 75: what was taken without right is paid back."""
    verdict = judge(
        *COURSE, charge("20", "03-03 10:00", code="F1"), charge("-9.90", "03-05 10:00", code="F1"), centre=CENTRE
    )  # fmt: skip
    assert rows(verdict, fees.ABOVE) == [("03-03 10:00", "03-05 10:00", None)]
    explain = one(verdict, fees.ABOVE).explain
    assert (explain["charged"], explain["allowed"]) == ("10.10", "10.10")
    assert [row["amount"] for row in explain["charges"]] == ["20", "-9.90"]
    assert explain["published"]["basis"] == BASIS
    assert "art. 59, 75" in explain["articles"]


def test_at_the_counter_only():
    strict = centre(items=ITEMS, rules__fees={"counter": True})
    assert rules_of(charge(1, code="F1", window=None), centre=strict) == [("fees.outside", "yellow")]
    assert rules_of(charge(1, code="F1", window=None, channel="online"), centre=strict) == []


def test_a_charge_without_a_case_is_a_subject_of_its_own():
    loose = charge(99, case=None, id="x1", code="F1")
    assert isinstance(fees.FAMILY, Family)
    assert fees.name_of(charge(1), CENTRE) is None
    assert fees.name_of(loose, CENTRE) == "test/x1"
    verdict = fees.judge("test/x1", [loose, loose], CENTRE, at("03-10 00:00"))
    assert [(f.rule, f.case, f.item, f.window) for f in verdict.findings] == [
        ("fees.above_standard", None, "A", "A01")
    ]
    assert fees.judge("test/x1", [loose], CENTRE, at("03-01 00:00")).look_at == at("03-03 10:00")


def test_a_number_that_nobody_has_entered():
    assert [f.rule for f in judge(charge(99, code="F1"), centre=CENTRE).findings] == ["fees.above_standard"]


def test_off_without_its_section():
    assert (
        judge(*COURSE, charge(99, "03-07 09:00"), centre=centre(items=ITEMS)).findings
        == judge(*COURSE, centre=centre(items=ITEMS)).findings
    )


@pytest.mark.parametrize(
    "bad",
    [{"name": "x"}, {"amount": 1}, {"name": "x", "amount": 1, "max": 2}, {"name": "x", "amount": -1}, {"name": "x", "amount": "1.00001"}],
)  # fmt: skip
def test_a_fee_is_checked(bad):
    with pytest.raises(ValidationError):
        Fee.model_validate(bad)


def test_a_free_item_has_no_fees():
    with pytest.raises(ValidationError, match="free"):
        centre(items=[{"code": "A", "free": True, "fees": [{"name": "x", "amount": 1}]}])


def test_amounts_are_exact():
    assert fees.amount_of(charge(0.1)) + fees.amount_of(charge("0.2")) == Decimal("0.3")
    assert centre(items=ITEMS).items[0].fees[1].ceiling == Decimal("2.5")
