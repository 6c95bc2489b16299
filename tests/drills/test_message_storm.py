"""Storms of messages, small. ``python -m tests.drills storm-of-messages`` runs them at their full size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.drills.camera_storm import Plan as Cameras
from tests.drills.camera_storm import apart, together
from tests.drills.message_storm import BOUNDED, CARDS, SHORT, storm

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(("title", "settings"), [("cards", CARDS), ("bounded", BOUNDED)])
def test_every_finding_is_told_or_says_why_not(
    database: str, title: str, settings: Mapping[str, Any]
) -> None:
    account = storm(database, SHORT, title, settings)
    print(f"\n{account}")
    account.check()
    assert account.messages["leader"]["digest.group"] <= 2 * SHORT.leaders * (SHORT.minutes + 1)
    assert account.found["leader"]["single"] <= account.messages["leader"]["digest.group"]
    if title == "cards":
        assert set(account.found["handler"]) == set(account.found["superior"]) == {"single"}
        assert account.most > 50, "no number needs a budget here; the other storm proves nothing"
    else:
        assert account.most == 40
        assert account.found["superior"]["digest.flood"]


def test_a_site_that_fails_is_one_message_and_its_return_is_none(database: str) -> None:
    accounts = together(database, Cameras(cameras=24, windows=4))
    for account in accounts:
        print(f"\n{account}")
        assert account.messages == {"source.silent site": 1}
        assert not account.waiting
    away, back, _ = accounts
    assert (away.inhibited, away.findings) == (24, {"source.silent site open": 1})
    assert (back.inhibited, back.findings) == (0, {"source.silent site closed": 1})


def test_cameras_that_fail_for_themselves_are_bounded(database: str) -> None:
    account = apart(database, Cameras(cameras=48, sites=4, windows=6), 2)
    print(f"\n{account}")
    assert account.messages["source.silent site"] == 2
    assert account.inhibited == 24
    assert account.findings["source.silent camera open"] == 12
    assert account.most_in_ten_minutes <= 11  # ten, and a digest
    assert account.messages["digest.flood"] >= 1
    assert not account.waiting
