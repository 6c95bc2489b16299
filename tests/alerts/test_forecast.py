"""Messages that findings would have made, against what a provider sends to one number a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from alerts.forecast import LIMITS, forecast
from domain.centre import Centre
from domain.findings import Finding
from tests.detectors.making import at

CENTRE = Centre.model_validate(
    {
        "centre": {"id": "530502"},
        "windows": [{"id": "A01", "handler": "zhang", "superior": "li"}],
        "people": [{"id": "zhang", "name": "张三", "phone": "13800000001"}, {"id": "li", "name": "李四"}],
    }
)


def card(number, opened="03-02 09:30", severity="yellow", **more):
    return Finding(str(number), "time_limit.promised", severity, "530502", at(opened), window="A01", **more)


def test_nothing_found_nobody_told():
    load = forecast([], CENTRE)
    assert (load.total, load.per_day, load.busiest_day, load.over) == (0, None, None, ())


def test_each_day_and_person():
    load = forecast(
        [card(1), card(2), card(3, "03-03 09:30"), card(4, "03-03 23:59", severity="notice")], CENTRE
    )
    assert (load.total, load.per_day, load.busiest_day) == (4, 2.0, (date(2026, 3, 2), 2))
    assert [(p.day.day, p.person, p.template, p.messages) for p in load.peaks] == [
        (2, "zhang", "finding.yellow", 2),
        (3, "zhang", "finding.notice", 1),
        (3, "zhang", "finding.yellow", 1),
    ]


def test_above_the_providers_limit_is_said_and_at_it_not():
    limit = LIMITS[0].per_day
    many = [replace(card(n), opened_at=at("03-02 09:30") + timedelta(minutes=n)) for n in range(limit + 1)]
    assert forecast(many[:limit], CENTRE).over == ()
    ((peak, provider),) = forecast(many, CENTRE).over
    assert (peak.messages, provider.provider) == (51, "阿里云 Aliyun")


def test_two_people_of_one_number_have_one_budget():
    people = [{"id": "zhang", "name": "张三", "phone": "138"}, {"id": "li", "name": "李四", "phone": "138"}]
    windows = [{"id": "A01", "handler": "zhang"}, {"id": "A02", "handler": "li"}]
    shared = Centre.model_validate({"centre": {"id": "530502"}, "windows": windows, "people": people})
    ((peak),) = forecast([card(1), replace(card(2), window="A02")], shared).peaks
    assert (peak.person, peak.messages) == ("zhang", 2)


def test_shadow_tells_nobody():
    assert forecast([card(1, shadow=True)], CENTRE).total == 0


def test_closed_by_now_was_told_then():
    assert forecast([card(1, state="closed", closed_at=at("03-02 10:00"))], CENTRE).total == 1
