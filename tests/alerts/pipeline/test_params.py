"""What a message shows: who is to act, and how people are called."""

from __future__ import annotations

import pytest

from alerts.pipeline.draft import News
from alerts.pipeline.params import named, params_of, template_of
from alerts.reasons import Why
from alerts.roster import Roster
from domain.centre import Person
from domain.messages import Route
from tests.alerts.conftest import NOW, make_centre, make_finding


@pytest.mark.parametrize(
    ("name", "how", "called"),
    [
        ("张三丰", "full", "张三丰"),
        ("张三丰", "surname", "张某"),
        ("欧阳修", "surname", "欧阳某"),
        ("Ann Smith", "surname", "Smith"),
        ("张三丰", "role", "科长"),
    ],
)
def test_people_are_called_as_the_centre_wants_it(name: str, how: str, called: str) -> None:
    assert named(Person(id="p", name=name, title="科长"), how) == called


def test_who_has_no_title_is_called_by_the_general_word() -> None:
    assert named(Person(id="p", name="张三"), "role") is None
    centre = make_centre(names="role")
    params = params_of(News(make_finding(), Why.OPENED, "opened"), Route(to=[]), centre, Roster(centre), NOW)
    assert "who" not in params
    assert "张" not in str(params)


@pytest.mark.parametrize(
    ("why", "template"),
    [
        (Why.OPENED, "finding.yellow"),
        (Why.REOPENED, "finding.yellow"),
        (Why.REVOKED, "finding.correction"),
        (Why.REMINDER, "finding.again"),
        (Why.ESCALATION, "finding.escalated"),
    ],
)
def test_each_kind_of_news_has_its_template(why: Why, template: str) -> None:
    assert template_of(News(make_finding(), why, "x")) == template


def test_of_what_supervision_lacks_the_operator_is_asked_to_act() -> None:
    finding = make_finding(
        rule="source.silent", severity="notice", case=None, window="A07",
        explain={"minutes": 1, "last_seen": NOW.isoformat(), "source": "C04", "kind": "camera"},
    )  # fmt: skip
    for operators, who in (["p3"], "王五"), ([], "张三"):
        centre = make_centre(operators=operators)
        params = params_of(News(finding, Why.OPENED, "opened"), Route(to=[]), centre, Roster(centre), NOW)
        assert (params["who"], params["source"], params["kind"]) == (who, "C04", "camera")
