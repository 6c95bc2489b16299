"""Every word of the desk stands in the catalogue, and every name it makes up from a code is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import dashboard.desk
from dashboard.catalogue import ZH
from dashboard.desk.accounts import AccountRole
from dashboard.desk.findings_page import MANUAL, VIEWS
from dashboard.desk.scores_page import BY, COUNTS, KINDS, OTHERS, RATES
from domain.finding_life import STEPS, LifeState
from domain.rule_names import NAMES
from mingjing.score_words import COUNTS as ALL_COUNTS
from mingjing.score_words import LINES

ROOM = Path(dashboard.desk.__file__).parent
PAGES = [path for path in sorted(ROOM.glob("*.py")) if not path.name.startswith("catalogue")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_chinese_stands_outside_the_catalogue(path: Path):
    code = re.sub(r'"""(?:.|\n)*?"""|#.*', "", path.read_text("utf-8"))
    assert not re.findall(r"[\u4e00-\u9fff]+", code)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_word_that_is_asked_for_is_there(path: Path):
    asked = set(re.findall(r'words\(\s*"([\w.]+)"', path.read_text("utf-8")))
    assert asked <= set(ZH)


def test_every_code_has_its_name():
    wanted = {
        *(f"desk_role_{role}" for role in get_args(AccountRole)),
        *(f"desk_step_{step}" for step in STEPS),
        *(f"desk_text_{step}" for step, rule in STEPS.items() if rule.needs_text),
        *(f"desk_kind_act.{state}" for state in get_args(LifeState) if state != "open"),
        *(f"desk_view_{view}" for view in VIEWS),
        *(f"desk_family_{rule.partition('.')[0]}" for rule in (*NAMES, *MANUAL)),
        *(f"rule_{rule}" for rule in MANUAL),
        *(f"desk_{kind}" for kind in KINDS),
        *(f"desk_by_{by}" for by in BY),
        *(f"desk_rate_{name}" for name in RATES),
        *(f"desk_count_{name}" for name in ALL_COUNTS),
        *(f"desk_line_{name}" for name in LINES),
    }
    assert wanted <= set(ZH), wanted - set(ZH)


def test_no_count_of_a_card_is_left_out():
    assert set(COUNTS) | set(OTHERS) == set(ALL_COUNTS)
