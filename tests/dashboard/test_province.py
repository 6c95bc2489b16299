"""The wall of all centres: lights, order, words, the map, and the walls behind it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dashboard import province_server
from dashboard.catalogue import LANGUAGES
from dashboard.demo_snapshot import BEATS, NOON, ZONE, FakeSource, absence_finding, mixed
from dashboard.facts import Beat
from dashboard.lights import LightSettings
from dashboard.province import CentreFacts, judge_centre
from dashboard.province_view import CARDS, ProvincePainter, blank_facts, columns_of, groups_of
from dashboard.server import listen, run_wall
from dashboard.words import Words
from domain.centres import Centres
from domain.clock import Clock
from domain.divisions import prefecture, province_name, short_name
from tests.dashboard.province_scenes import FakeProvince, morning, province, well

PROVINCE = province(windows=3)
WORDS = Words("zh", ZONE)
HEALTHY = CentreFacts("530502", "隆阳区", "5305", 62, watched=60, heard_at=NOON, rules_silent=1.0)


def judged(facts: CentreFacts, **more: Any) -> Any:
    return judge_centre(
        facts, now=NOON, words=WORDS, settings=LightSettings(), beats=more.pop("beats", BEATS), **more
    )


@pytest.mark.parametrize(
    ("values", "light", "count"),
    [
        ({}, "green", 0),
        ({"red": 2, "yellow": 5}, "red", 2),
        ({"yellow": 5, "notice": 9}, "yellow", 5),
        ({"notice": 9}, "notice", 9),
        ({"open_now": False}, "off", 0),
        ({"open_now": False, "red": 1}, "red", 1),
        ({"unknown": 6}, "green", 0),
        ({"unknown": 7}, "grey", 7),
        ({"heard_at": None}, "grey", 0),
        ({"silent_feeds": 1}, "grey", 0),
        ({"rules_silent": 31.0}, "grey", 0),
        ({"rules_silent": None}, "grey", 0),
    ],
)
def test_the_light_of_a_centre(values: dict[str, Any], light: str, count: int):
    found = judged(replace(HEALTHY, **values))
    assert (found.light.light, found.count) == (light, count)


def test_a_red_centre_whose_rules_are_silent_says_so():
    found = judged(replace(HEALTHY, red=1, rules_silent=125.0))
    assert found.light.light == "red"
    assert found.ill == "规则判定已停 2 分钟"


def test_nothing_is_green_while_the_worker_or_the_store_is_away():
    beats = [beat for beat in BEATS if beat.role != "worker"] + [Beat("worker", 90.0)]
    assert judged(HEALTHY, beats=beats).light.light == "grey"
    found = judged(replace(HEALTHY, red=3), blind=timedelta(minutes=2))
    assert (found.light.light, found.light.reason) == ("grey", "数据库无应答 2 分钟")


def test_unknown_windows_are_counted_wherever_they_are():
    assert judged(replace(HEALTHY, unknown=4)).rest == "未知 4/60 窗口"
    assert judged(replace(HEALTHY, red=1, yellow=2, unknown=4)).rest == "黄牌 2 · 未知 4/60 窗口"


def parts(scene: Any, centres: Centres = PROVINCE, language: str = "zh") -> dict[str, Any]:
    painted = ProvincePainter(centres, 1.0).paint(scene(centres, NOON), NOON, None)
    return {part: json.loads(text) for part, text in painted[language].items()}


def test_the_worst_centres_have_the_cards_and_all_have_their_place():
    shown = parts(morning)
    cards = [shown[f"card-{slot}"]["className"].split("-")[-1] for slot in range(CARDS)]
    assert cards == ["red"] * 5 + ["yellow"] * 3
    counts = [int(shown[f"card-{slot}-count"]["children"]) for slot in range(5)]
    assert counts == sorted(counts, reverse=True)
    chips = [shown[f"chip-{index}"]["data-centre"] for index in range(145)]
    assert chips == list(PROVINCE)
    assert shown["map-more"]["children"] == "另有 44 个中心有待办，见下方"
    assert [shown[f"lamp-{light}-count"]["children"] for light in ("red", "yellow", "grey")] == [
        "5",
        "18",
        "4",
    ]


def test_a_province_in_which_all_is_well_says_so():
    shown = parts(well)
    assert all(shown[f"card-{slot}"]["className"] == "card empty" for slot in range(CARDS))
    assert shown["cards-none"]["children"]
    assert shown["map-more"]["children"] == ""


def test_before_the_first_reading_every_centre_is_grey():
    painted = ProvincePainter(PROVINCE, 1.0).paint(None, NOON, None)
    shown = {part: json.loads(text) for part, text in painted["zh"].items()}
    assert shown["lamp-grey-count"]["children"] == "145"


def test_few_centres_all_have_a_card_and_no_map():
    few = province(5, windows=2)
    shown = parts(well, few)
    assert [shown[f"card-{slot}-name"]["children"] for slot in range(5)] == [
        "昆明市",
        "五华区",
        "盘龙区",
        "官渡区",
        "西山区",
    ]
    assert not any(part.startswith("chip-") for part in shown)
    prefecture = parts(morning, province(15, windows=2))
    assert "card-14-name" in prefecture
    assert prefecture["name"]["children"] == "昆明市政务服务监察"
    assert not any(part.startswith("chip-") for part in prefecture)


def test_cards_say_what_is_wrong_where_and_lead_to_the_wall_of_the_centre():
    def scene(centres: Centres, now: Any) -> Any:
        calm = well(centres, now)
        facts = list(calm.centres)
        worst = absence_finding("C21", "red", now - timedelta(minutes=5), 30)
        facts[7] = replace(facts[7], red=1, worst=worst)
        return replace(calm, centres=tuple(facts), problems=2)

    shown = parts(scene)
    assert shown["card-0-what"]["children"] == "C21 空岗 35 分钟"
    assert shown["card-0-group"]["children"] == "昆明市 530115"
    assert shown["card-0"]["href"] == "/centre/530115/"
    assert shown["method"]["children"] == "2 个中心文件有误，沿用上次内容"
    assert parts(scene, language="en")["card-0"]["href"] == "/centre/530115/?lang=en"


def test_every_language_has_every_part():
    painted = ProvincePainter(PROVINCE, 1.0).paint(morning(PROVINCE, NOON), NOON, None)
    assert set(painted) == set(LANGUAGES)
    assert len({frozenset(each) for each in painted.values()}) == 1


def test_regions_are_dealt_into_columns_in_order_and_none_is_left_out():
    sizes = [len(members) for _, _, members in groups_of(blank_facts(PROVINCE))]
    dealt, rows = columns_of(sizes)
    assert [index for column in dealt for index in column] == list(range(16))
    assert len(dealt) == 4
    assert rows == max(sum(-(-sizes[i] // 4) for i in column) for column in dealt) == 12
    assert columns_of([500]) == ([[0]], 125)


def test_codes_name_province_and_prefecture():
    assert (prefecture("530502"), prefecture("530502001"), prefecture("hall")) == ("5305", "5305", "")
    assert province_name(["530502", "530100"]) == "云南省"
    assert province_name(["530502", "110100"]) == province_name(["hall"]) == ""
    assert short_name("隆阳区政务服务中心", "530502") == "隆阳区"
    assert short_name("政务服务中心", "1") == "政务服务中心"
    assert short_name("", "530502") == "530502"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Address of a served province of three, and the centres whose sources were opened."""
    centres = province(3, windows=4)
    clock = Clock(real_start=time.time(), sim_start=NOON.timestamp())
    opened: list[str] = []

    def centre_source(centre: Any) -> FakeSource:
        opened.append(centre.centre.id)
        return FakeSource(lambda now: mixed(centre, now))

    app = province_server.create_province(
        centres,
        clock,
        lambda: FakeProvince(lambda now: morning(centres, now)),
        centre_source,
        gap=0.01,
        linger=0.2,
    )
    sock, stop = listen("127.0.0.1", 0), threading.Event()
    thread = threading.Thread(
        target=run_wall, args=(app,), kwargs={"sock": sock, "stop_event": stop}, daemon=True
    )
    thread.start()
    yield f"127.0.0.1:{sock.getsockname()[1]}", opened
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_each_centre_has_its_page_under_its_own_path(served: tuple[str, list[str]]):
    base, opened = f"http://{served[0]}", served[1]
    assert httpx.get(f"{base}/").status_code == 200
    answer = httpx.get(f"{base}/centre/530102", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/centre/530102/")
    page = httpx.get(f"{base}/centre/530102/")
    assert page.status_code == 200
    assert "/centre/530102/assets/wall.js" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    layout = httpx.get(f"{base}/centre/530102/_dash-layout").json()
    assert layout["props"]["data-line"] == "/centre/530102/live"
    assert httpx.get(f"{base}/centre/110000/").status_code == 404
    assert httpx.get(f"{base}/healthz").status_code == 200
    assert opened == []  # nobody looks yet


def test_a_centres_wall_reads_only_while_somebody_looks(served: tuple[str, list[str]]):
    from websockets.sync.client import connect

    address, opened = served

    def look(code: str) -> dict[str, Any]:
        with connect(f"ws://{address}/centre/{code}/live?lang=zh", origin=f"http://{address}") as line:  # type: ignore[arg-type]
            shown: dict[str, Any] = {}
            end = time.monotonic() + 10
            while shown.get("list-count", {}).get("children") in (None, "0") and time.monotonic() < end:
                shown |= json.loads(line.recv(timeout=10))["set"]
            return shown

    assert look("530102")["name"]["children"] == "五华区政务服务中心"
    assert opened == ["530102"]
    readers = 2  # that of all centres, and this one's
    end = time.monotonic() + 5
    while readers > 1 and time.monotonic() < end:
        time.sleep(0.02)
        readers = sum(thread.name == "wall-reader" for thread in threading.enumerate())
    assert readers == 1
    look("530102")
    assert opened == ["530102", "530102"]
