"""The cameras of a province on several machines: each camera has exactly one, and observations say whose they are."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.province import divisions, make_centre
from camera_adapters.runner import CameraRunner, cameras_of
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock
from domain.errors import SettingsError
from domain.shares import Share

PROVINCE = Centres(
    Centre.model_validate(make_centre(code, name, windows=10)) for code, name in list(divisions())[:12]
)


@pytest.mark.parametrize("of", [1, 2, 4, 7])
def test_each_camera_has_exactly_one_machine(of: int):
    names = Counter(each.name for n in range(1, of + 1) for each in cameras_of(PROVINCE, Share(n, of)))
    assert len(names) == 120
    assert set(names.values()) == {1}


def test_shares_are_about_equal_and_the_same_after_every_restart():
    sizes = [len(cameras_of(PROVINCE, Share(number, 4))) for number in range(1, 5)]
    assert max(sizes) < 2 * min(sizes)
    # Written down, because another way of hashing would let two machines watch one camera during an update.
    assert [each.name for each in cameras_of(PROVINCE, Share(1, 40))] == FIRST_OF_FORTY


FIRST_OF_FORTY = ["530100/K10", "530102/K01", "530103/K01", "530124/K03", "530127/K02"]


def test_a_new_centre_moves_no_camera_to_another_machine():
    before = {each.name for each in cameras_of(PROVINCE, Share(2, 4))}
    more = Centres([*PROVINCE.values(), Centre.model_validate(make_centre("539999", "新增", windows=10))])
    after = {each.name for each in cameras_of(more, Share(2, 4)) if not each.name.startswith("539999/")}
    assert after == before


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/99999"])
def test_what_is_no_share_is_refused(text: str):
    with pytest.raises(SettingsError, match="--share"):
        Share.parse(text)


def test_in_a_system_of_one_a_camera_keeps_its_short_name():
    only = Centres.of(PROVINCE.first)
    assert cameras_of(only)[0].name == "K01"
    assert cameras_of(PROVINCE)[0].name == "530100/K01"


def test_cameras_of_one_name_in_two_centres_say_whose_they_are():
    centres = []
    for code in ("530100", "530102"):
        made = make_centre(code, "", windows=1)
        made["cameras"][0]["url"] = "sim://counter"
        centres.append(Centre.model_validate(made))
    published = []
    asked = []

    class Nobody:
        def present(self, window, at):
            return False

        def trouble(self, camera, at):
            return None

    def script(centre: Centre) -> Nobody:
        asked.append(centre.centre.id)
        return Nobody()

    runner = CameraRunner(
        cameras_of(Centres(centres)),
        Clock(),
        published.extend,
        wait=lambda _: True,
        make_script=script,
        workers=1,
    )
    for posting in runner.postings:
        posting.reader.run()
    runner.step(runner.shares[0])
    assert asked == ["530100", "530102"]
    assert [posting.name for posting in runner.postings] == ["530100/K01", "530102/K01"]
    assert {each.centre for each in published} == {"530100", "530102"}
    assert len({each.observation_id for each in published}) == len(published)
