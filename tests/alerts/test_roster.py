"""Who holds a role at a moment, and why: a table over leave, cover, AB posts and the roster of duty."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.roster import Ground, Holders, Roster
from alerts.roster_words import grounds_words
from domain.centre import Centre
from domain.events import Event

PEOPLE = ("a", "b", "c", "h", "l", "j1", "j2", "o", "n")
WINDOW = {"id": "A07", "staff": ["a", "c"], "handler": "a", "superior": "h", "leader": "l"}


def clock(text: str) -> datetime:
    """``"03-03 10:00"`` of 2026 in China (a Tuesday)."""
    return datetime.fromisoformat(f"2026-{text}+08:00")


NOW = clock("03-03 10:00")


def make_centre(
    window: dict[str, Any] | None = None, staffing: dict[str, Any] | None = None, **messages: Any
) -> Centre:
    return Centre.model_validate(
        {
            "centre": {"id": "1"},
            "people": [{"id": person, "name": person} for person in PEOPLE],
            "windows": [WINDOW | (window or {}), {"id": "A08", "staff": ["n"], "handler": "n"}],
            "rules": {"staffing": staffing} if staffing else {},
            "messages": {"inspectors": ["j1", "j2"], **messages},
        }
    )


_number = iter(range(1, 100_000))


def event(kind: str, when: str, *, window: str | None = None, staff: str | None = None, **data: Any) -> Event:
    data = {key.rstrip("_"): value for key, value in data.items()}
    return Event(f"E{next(_number)}", kind, clock(when), "oa", window=window, staff=staff, data=data)


def leave(
    staff: str,
    substitute: str | None = None,
    first: str = "2026-03-02",
    last: str = "2026-03-06",
    granted: str = "02-27 16:00",
) -> Event:
    return event("leave.granted", granted, staff=staff, from_=first, to=last, substitute=substitute)


def cover(
    staff: str | None = "b", when: str = "03-03 09:30", kind: str = "cover.started", **more: Any
) -> Event:
    return event(kind, when, staff=staff, window=more.pop("window", "A07"), **more)


def ask(role: str, window: str | None = "A07", **messages: Any) -> Holders:
    return Roster(make_centre(**messages)).holders(role, window, NOW)


AB = {"ab_posts": [{"a": "a", "b": "b"}]}
A_AWAY = leave("a")


@pytest.mark.parametrize(
    ("role", "people"),
    [
        ("handler", ["a"]),
        ("superior", ["h"]),
        ("leader", ["l"]),
        ("staff", ["a", "c"]),
        ("inspectors", ["j1", "j2"]),
        ("operators", ["o"]),
        ("n", ["n"]),
    ],
)
def test_with_everybody_there_the_file_says_it(role: str, people: list[str]) -> None:
    found = ask(role, operators=["o"])
    assert list(found.people) == people
    assert set(found.why) == set(people)
    assert not found.why_not


@pytest.mark.parametrize(
    ("role", "window", "file", "gap"),
    [
        ("handler", None, {}, "no_window"),
        ("staff", "Z99", {}, "no_window"),
        ("leader", "A08", {}, "no_person"),
        ("operators", "A07", {}, "no_person"),
        ("inspectors", None, {"inspectors": []}, "no_person"),
        ("nobody", "A07", {}, "no_person"),
    ],
)
def test_what_the_file_does_not_name_is_a_gap(role, window, file, gap) -> None:
    found = ask(role, window=window, **file)
    assert (found.people, found.gap) == ((), gap)


@pytest.mark.parametrize(
    ("name", "facts", "window", "people", "codes"),
    [
        ("substitute", [leave("a", "c")], {}, ["c"], ["role", "substitute"]),
        ("the substitute goes before the B-post", [leave("a", "c")], AB, ["c"], ["role", "substitute"]),
        ("without one the B-post", [A_AWAY], AB, ["b"], ["role", "b_post"]),
        ("without either the superior", [A_AWAY], {}, ["h"], ["up", "role"]),
        ("followed on", [leave("a", "c"), leave("c", "n")], {}, ["n"], ["role", "substitute", "substitute"]),
        ("a loop ends", [leave("a", "c"), leave("c", "a")], {}, ["h"], ["up", "role"]),
        ("a loop of one ends", [leave("a", "a")], {}, ["h"], ["up", "role"]),
        ("a stranger stands in for nobody", [leave("a", "x")], {}, ["h"], ["up", "role"]),
        ("a stranger and a B-post", [leave("a", "x")], AB, ["b"], ["role", "b_post"]),
        ("substitute and B-post away", [leave("a", "b"), leave("b")], AB, ["h"], ["up", "role"]),
        ("up, and his substitute", [A_AWAY, leave("h", "n")], {}, ["n"], ["up", "role", "substitute"]),
        ("up twice", [A_AWAY, leave("h")], {}, ["l"], ["up", "up", "role"]),
        ("up thrice", [A_AWAY, leave("h"), leave("l")], {}, ["j1", "j2"], ["up", "up", "up", "listed"]),
        ("the last one granted counts", [leave("a", "b"), leave("a", "c", granted="03-02 09:00")], {}, ["c"], ["role", "substitute"]),
        ("back early", [A_AWAY, event("leave.ended", "03-03 08:50", staff="a")], {}, ["a"], ["role"]),
        ("back tomorrow", [A_AWAY, event("leave.ended", "03-03 10:01", staff="a")], {}, ["h"], ["up", "role"]),
        ("over since yesterday", [leave("a", last="2026-03-02")], {}, ["a"], ["role"]),
        ("not yet begun", [leave("a", first="2026-03-04")], {}, ["a"], ["role"]),
        ("granted afterwards", [leave("a", granted="03-03 10:30")], {}, ["a"], ["role"]),
        ("the B-post has taken over", [cover()], AB, ["b"], ["role", "cover"]),
        ("nobody named a B-post: anybody may", [cover("n")], {}, ["n"], ["role", "cover"]),
        ("somebody who may not", [cover("n")], AB, ["a"], ["role"]),
        ("of another post", [cover("n")], {"ab_posts": [{"a": "a", "b": "b"}, {"a": "c", "b": "n"}]}, ["a"], ["role"]),
        ("A is back at the post", [cover(), cover(kind="cover.ended", when="03-03 09:50")], AB, ["a"], ["role"]),
        ("a cover ends with its day", [cover(when="03-02 16:00")], AB, ["a"], ["role"]),
        ("the newest cover counts", [cover("b"), cover("n", "03-03 09:40")], {}, ["n"], ["role", "cover"]),
        ("who covers is away too", [cover(), leave("b", "n")], AB, ["n"], ["role", "cover", "substitute"]),
        ("who covers is away, nobody for him", [cover(), leave("b")], AB, ["a"], ["role"]),
        ("on leave and covered: B carries it", [leave("a", "c"), cover()], AB, ["b"], ["role", "cover"]),
        ("the paired window serves", [cover(None, by_window="A08")], {"pair": "A08"}, ["n"], ["role", "cover"]),
        ("an other window is covered", [cover("n", window="A08")], {}, ["a"], ["role"]),
    ],
)  # fmt: skip
def test_who_acts_for_the_handler(name, facts, window, people, codes) -> None:
    found = Roster(make_centre(window), facts).holders("handler", "A07", NOW)
    assert list(found.people) == people, name
    assert [ground.code for ground in found.why[people[0]]] == codes, name
    if "a" not in people:
        assert "a" in found.why_not, name


def test_everybody_away_is_told_all_the_same() -> None:
    away = [leave(person) for person in ("a", "h", "l", "j1", "j2")]
    found = Roster(make_centre(operators=["o"]), away).holders("handler", "A07", NOW)
    assert found.people == ("o",)
    found = Roster(make_centre(), away).holders("handler", "A07", NOW)
    assert found.people == ("a",)
    assert [ground.code for ground in found.why["a"]] == ["role", "all_the_same"]
    assert set(found.why_not) == {"h", "l", "j1", "j2"}


def test_of_several_only_those_who_are_there_or_stood_in_for() -> None:
    assert Roster(make_centre(), [leave("j1")]).holders("inspectors", None, NOW).people == ("j2",)
    assert Roster(make_centre(), [leave("j1", "n")]).holders("inspectors", None, NOW).people == ("n", "j2")
    assert Roster(make_centre(), [leave("j1", "j2")]).holders("inspectors", None, NOW).people == ("j2",)
    assert Roster(make_centre(), [leave("c", "b")]).holders("staff", "A07", NOW).people == ("a", "b")


def test_a_cover_of_the_window_says_nothing_of_its_superior() -> None:
    assert Roster(make_centre(), [cover("n")]).holders("superior", "A07", NOW).people == ("h",)


def test_somebody_named_by_id_is_told_though_away_unless_somebody_stands_in() -> None:
    assert Roster(make_centre(), [leave("n", "b")]).holders("n", None, NOW).people == ("b",)
    alone = Roster(make_centre(), [leave("n")]).holders("n", None, NOW)
    assert alone.people == ("n",)
    assert alone.why["n"][-1].code == "all_the_same"


@pytest.mark.parametrize(
    ("minutes", "rules", "people"),
    [("10:20", None, ("a",)), ("10:31", None, ("h",)), ("10:20", {"short_leave": 10}, ("h",))],
)
def test_a_short_leave_hands_nothing_on(minutes, rules, people) -> None:
    short = leave(
        "a", first="2026-03-03T09:55:00+08:00", last=f"2026-03-03T{minutes}:00+08:00", granted="03-03 09:00"
    )
    assert Roster(make_centre(None, rules), [short]).holders("handler", "A07", NOW).people == people


def test_leave_that_was_granted_late_counts_from_then_on() -> None:
    late = [leave("a", "c", granted="03-03 09:30")]
    roster = Roster(make_centre(), late)
    assert roster.holders("handler", "A07", clock("03-03 09:29")).people == ("a",)
    assert roster.holders("handler", "A07", clock("03-03 09:30")).people == ("c",)
    assert roster.holders("handler", "A07", clock("03-06 23:59")).people == ("c",)
    assert roster.holders("handler", "A07", clock("03-07 00:00")).people == ("a",)


ROSTER = {
    "roster": [
        {"staff": ["c"], "hours": ["09:00-12:00"]},
        {"staff": ["n"], "days": ["tue"], "hours": ["13:30-17:00"]},
    ]
}


@pytest.mark.parametrize(
    ("now", "people"),
    [
        ("03-03 10:00", ("c",)),
        ("03-03 14:00", ("n",)),
        ("03-04 14:00", ("a", "c")),
        ("03-07 10:00", ("a", "c")),
    ],
)
def test_staff_are_those_of_the_shift(now: str, people: tuple[str, ...]) -> None:
    found = Roster(make_centre(ROSTER)).holders("staff", "A07", clock(now))
    assert found.people == people
    if people == ("c",):
        assert found.why_not == {"a": (Ground("off_shift"),)}


# -- duty ----------------------------------------------------------------------------------------------------------------

WEEKENDS = {"role": "inspectors", "person": "j2", "days": ["rest"]}
NIGHTS = {"role": "inspectors", "person": "n", "hours": ["18:00-08:00"], "days": ["working"]}
SPRING = {
    "role": "inspectors",
    "person": "b",
    "from": "2026-03-03",
    "until": "2026-03-04",
    "hours": ["18:00-08:00"],
}


@pytest.mark.parametrize(
    ("now", "duty", "people"),
    [
        ("02-07 10:00", [WEEKENDS], ["j2"]),  # a Saturday
        ("02-14 10:00", [WEEKENDS], ["j1", "j2"]),  # a Saturday that is a working day: the Spring Festival is made up for
        ("02-16 10:00", [WEEKENDS], ["j2"]),  # a Monday that is none
        ("02-14 10:00", [{**WEEKENDS, "days": ["sat"]}], ["j2"]),  # whoever writes Saturday means every one
        ("02-14 10:00", [{**WEEKENDS, "days": ["working"]}], ["j2"]),
        ("03-03 17:59", [NIGHTS], ["j1", "j2"]),
        ("03-03 18:00", [NIGHTS], ["n"]),
        ("03-04 07:59", [NIGHTS], ["n"]),
        ("03-04 08:00", [NIGHTS], ["j1", "j2"]),
        ("03-07 07:59", [NIGHTS], ["n"]),  # the night of a Friday
        ("03-07 18:00", [NIGHTS], ["j1", "j2"]),
        ("03-02 18:00", [SPRING], ["j1", "j2"]),
        ("03-03 07:00", [SPRING], ["j1", "j2"]),
        ("03-03 18:00", [SPRING], ["b"]),
        ("03-05 07:59", [SPRING], ["b"]),  # the last night begins on the last day
        ("03-05 18:00", [SPRING], ["j1", "j2"]),
        ("03-03 20:00", [SPRING, NIGHTS], ["b"]),  # the first that holds: an override stands above
        ("03-05 20:00", [SPRING, NIGHTS], ["n"]),
        ("03-03 10:00", [{"role": "leader", "person": "b"}], ["j1", "j2"]),  # of another role
    ],
)  # fmt: skip
def test_duty_goes_before_the_list_on_the_legal_calendar(now: str, duty, people) -> None:
    found = Roster(make_centre(duty=duty)).holders("inspectors", None, clock(now))
    assert list(found.people) == people
    if len(people) == 1:
        assert found.why[people[0]][0].code == "duty"
        assert found.why_not["j1"] == (Ground("off_duty", {"by": people[0]}),)


def test_whoever_is_on_duty_and_on_leave_is_stood_in_for_or_passed_by() -> None:
    saturday, away = (
        clock("02-07 10:00"),
        {"first": "2026-02-06", "last": "2026-02-08", "granted": "02-01 09:00"},
    )
    centre = make_centre(duty=[WEEKENDS, {**WEEKENDS, "person": "n"}])
    assert Roster(centre, [leave("j2", "b", **away)]).holders("inspectors", None, saturday).people == ("b",)
    assert Roster(centre, [leave("j2", **away)]).holders("inspectors", None, saturday).people == ("n",)
    both = [leave("j2", **away), leave("n", **away)]
    assert Roster(centre, both).holders("inspectors", None, saturday).people == ("j1",)


def test_a_leader_on_duty_needs_no_window() -> None:
    centre = make_centre(duty=[{"role": "leader", "person": "b"}])
    assert Roster(centre).holders("leader", None, NOW).people == ("b",)


def test_a_duty_override_and_the_b_post_together() -> None:
    """Row 13 of the table of features: duty roster, overrides, B-post."""
    centre = make_centre(
        AB, duty=[{"role": "handler", "person": "c", "from": "2026-03-04", "until": "2026-03-04"}]
    )
    roster = Roster(centre, [A_AWAY, cover("b", "03-05 09:00")])
    assert roster.holders("handler", "A07", clock("03-03 10:00")).people == ("b",)
    assert roster.holders("handler", "A07", clock("03-04 10:00")).people == ("c",)
    found = roster.holders("handler", "A07", clock("03-05 10:00"))
    assert [ground.code for ground in found.why["b"]] == ["role", "cover"]


@pytest.mark.parametrize(
    ("facts", "messages", "empty"),
    [
        ([], {}, []),
        ([], {"inspectors": []}, ["03-03 08:00 03-09 08:00"]),
        ([], {"inspectors": [], "duty": [WEEKENDS, {**NIGHTS, "hours": ["17:00-08:00"]}]},
         ["03-03 08:00 03-03 17:00", "03-04 08:00 03-04 17:00", "03-05 08:00 03-05 17:00", "03-06 08:00 03-06 17:00", "03-09 00:00 03-09 08:00"]),
        ([], {"inspectors": [], "duty": [WEEKENDS, {**WEEKENDS, "days": ["working"], "person": "n"}]}, []),
        ([leave("j1", last="2026-03-05")], {}, []),
        ([leave("j1", last="2026-03-05"), leave("j2", first="2026-03-05")], {}, ["03-05 00:00 03-06 00:00"]),
        ([leave("j1", last="2026-03-05"), leave("j2", "n", first="2026-03-05")], {}, []),
        ([leave("j2", first="2026-03-07", last="2026-03-07")],
         {"inspectors": [], "duty": [WEEKENDS, {**WEEKENDS, "days": ["working"], "person": "n"}]}, ["03-07 00:00 03-08 00:00"]),
    ],
)  # fmt: skip
def test_empty_shifts_are_found_ahead(facts, messages, empty) -> None:
    roster = Roster(make_centre(**messages, operators=["o"]), facts)
    found = roster.empty_shifts("inspectors", None, clock("03-03 08:00"), clock("03-09 08:00"))
    assert [
        f"{a.astimezone(NOW.tzinfo):%m-%d %H:%M} {b.astimezone(NOW.tzinfo):%m-%d %H:%M}" for a, b in found
    ] == empty


# -- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "person", "zh", "en"),
    [
        ([], "a", "A07 经办人", "handler of A07"),
        ([leave("a", "c")], "c", "A07 经办人；替<a>，其2026-03-02至2026-03-06请假（leave.granted {0}）",
         "handler of A07; stands in for <a>, on leave 2026-03-02 to 2026-03-06 (leave.granted {0})"),
        ([A_AWAY], "h", "A07 经办人均不在，逐级上报；A07 科室负责人", "in place of the handler of A07, of whom nobody is left; superior of A07"),
        ([cover()], "b", "A07 经办人；09:30起顶岗接替<a>（cover.started {0}）", "handler of A07; took over from <a> at 09:30 (cover.started {0})"),
    ],
)  # fmt: skip
def test_it_says_why(facts, person, zh, en) -> None:
    found = Roster(make_centre(), facts).holders("handler", "A07", NOW)
    ids = [fact.event_id for fact in facts]
    for language, expected in (("zh-CN", zh), ("en", en)):
        said = grounds_words(found.why[person], language, lambda who: f"<{who}>")
        assert said == expected.format(*ids)
        kept = found.to_json()["why"][person]
        assert grounds_words(kept, language, lambda who: f"<{who}>") == said


def test_it_says_why_not() -> None:
    away = [leave("a", last="2026-03-03"), leave("h", "x")]
    found = Roster(make_centre(), away).holders("handler", "A07", NOW)
    assert grounds_words(found.why_not["a"], "en").startswith(
        "on leave 2026-03-02 to 2026-03-03 (leave.granted"
    )
    assert grounds_words(found.why_not["a"], "en").endswith("nobody stands in")
    assert grounds_words(found.why_not["x"], "zh-CN") == "不在中心文件的人员名单中"


@given(
    st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from([*PEOPLE, "x", None])), max_size=12),
    st.lists(st.sampled_from(PEOPLE), max_size=3),
    st.sampled_from(["handler", "superior", "leader", "staff", "inspectors", "operators", "a"]),
)
def test_a_role_that_somebody_holds_always_reaches_somebody(away, covers, role) -> None:
    centre = make_centre({"ab_posts": [{"a": "a", "b": "b"}, {"a": "c", "b": "a"}]}, operators=["o"])
    facts = [leave(*each) for each in away] + [cover(who) for who in covers]
    found = Roster(centre, facts).holders(role, "A07", NOW)
    assert found.people
    assert not set(found.people) & set(found.why_not)
    assert set(found.why) == set(found.people)


# -- powers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "facts", "window", "roles"),
    [
        ("a", [], {}, {"handler"}),
        ("a", [leave("a", "n")], {}, {"handler"}),  # what is his stays his
        ("n", [leave("a", "n")], {}, {"handler"}),
        ("n", [leave("a", "n", last="2026-03-02")], {}, set()),
        ("n", [leave("h", "n")], {}, {"superior"}),
        ("n", [cover("n")], {}, {"handler"}),
        ("b", [], AB, {"handler"}),  # the B-post has the powers of its A-post
        ("h", [A_AWAY], {}, {"superior"}),  # told in his place; that makes him no handler
        ("j1", [leave("a"), leave("h"), leave("l")], {}, {"inspector"}),
        ("n", [leave("j1", "n")], {}, set()),  # nobody becomes an inspector by standing in for one
        ("j1", [leave("a", "j1")], {}, {"handler", "inspector"}),  # a party now, who decides nothing here
    ],
)  # fmt: skip
def test_who_stands_in_has_the_powers(person, facts, window, roles) -> None:
    roster = Roster(make_centre(window), facts)
    assert set(roster.roles_of(person, "A07", NOW)) == roles
    assert ("A07" in roster.windows_of(person, NOW)) == bool(roles - {"inspector"})
