"""A partial centre file of proposed rules: what it names replaces, what it does not name stays, what is unknown is refused."""

from __future__ import annotations

import pytest

from domain.centre_file import parse_centre, parse_rules
from domain.errors import CentreFileError

CENTRE = parse_centre(
    """
centre: {id: "530502"}
rules:
  time_limit: {notice_before: 3, deadline_at: midnight}
  procedure: {receipts: false}
windows: [{id: A01}]
"""
)


def test_what_is_not_named_stays():
    proposed = parse_rules(
        "rules:\n  time_limit: {notice_before: 1}\n  absence: {red: 45}\n", "r.yaml", CENTRE
    )
    assert (proposed.rules.time_limit.notice_before, proposed.rules.time_limit.deadline_at) == (1, "midnight")
    assert (proposed.rules.absence.red, proposed.rules.absence.yellow) == (45, 15)
    assert proposed.rules.procedure == CENTRE.rules.procedure
    assert proposed.windows == CENTRE.windows


def test_a_family_is_turned_on_and_off():
    assert parse_rules("rules: {procedure: null}", "r.yaml", CENTRE).rules.procedure is None
    on = parse_rules("rules: {time: {shadow: true}}", "r.yaml", CENTRE)
    assert on.rules.time is not None
    assert on.rules.time.shadow


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules:\n  time_limit:\n    notice_befor: 1\n", "r.yaml:3: unknown key 'notice_befor' in rules.time_limit (did you mean 'notice_before'?)"),
        ("rules: {}\nitems: []\n", "r.yaml:2: unknown key 'items'"),
        ("rules:\n  time_limit: {notice_before: 0}\n", "r.yaml:2: rules.time_limit.notice_before"),
        ("time_limit: {}\n", "r.yaml:1: unknown key 'time_limit'"),
        ("", "r.yaml: must begin"),
        ("rules: }", "r.yaml:1: not YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_line(text, says):
    with pytest.raises(CentreFileError) as error:
        parse_rules(text, "r.yaml", CENTRE)
    assert says in str(error.value)
