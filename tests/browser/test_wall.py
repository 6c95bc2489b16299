"""The wall in a real browser: what a director would see, and how fast, and what happens when things break."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from dashboard.demo_snapshot import NOON, calm, case_finding, grey, many, mixed
from dashboard.facts import Snapshot
from dashboard.source import StoreSource
from domain.centre import Centre
from tests.browser.conftest import Wall, until

#: Notes in the page when a tile takes a class, by the page's own clock.
WATCH_TILE = """() => {
  const tile = document.getElementById('tile-0');
  window.turned = null;
  new MutationObserver(() => {
    if (window.turned === null && tile.classList.contains('light-red')) { window.turned = Date.now(); }
  }).observe(tile, {attributes: true});
}"""

#: Texts that are wider than their box and are not meant to be cut.
CUT_OFF = """() => [...document.querySelectorAll(
  '.tile-word, .tile-id, .lamp-word, .lamp-count, .total-label, .total-value, .clock-time, .alive, .finding-word, .finding-act, .finding-state, .health')]
  .filter(node => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline')
  .concat([...document.querySelectorAll('.tile-reason')].filter(node => node.scrollHeight > node.clientHeight + 3))
  .map(node => node.className + ': ' + node.textContent)"""

#: Boxes that reach out of the screen.
OUTSIDE = """() => [...document.querySelectorAll('#wall *')].filter(node => {
    const box = node.getBoundingClientRect();
    return box.width && box.height && getComputedStyle(node).visibility !== 'hidden' && !node.closest('.panel, .lost, .list-rows')
      && (box.right > innerWidth + 1 || box.bottom > innerHeight + 1);
  }).map(node => node.id || node.className)"""


#: Texts under 7:1, by the nearest colour behind them (of a hatched ground the lighter stripe).
FAINT = """() => {
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      if (style.backgroundImage.startsWith('repeating')) { return numbers(style.backgroundImage.split('rgb')[1]); }
      const colour = numbers(style.backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return colour; }
    }
    return [11, 16, 22];
  };
  return [...document.querySelectorAll('#wall *')]
    .filter(node => node.offsetParent && node.textContent.trim() && !node.children.length)
    .map(node => {
      const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
      return [node.className || node.id, Math.round((a + 0.05) / (b + 0.05) * 10) / 10];
    }).filter(([name, ratio]) => ratio < 7);
}"""


def red_tile(centre: Centre, now: datetime) -> Snapshot:
    base = calm(centre, now)
    window = base.windows[0]
    finding = case_finding(
        window.window, "C-0001", "time_limit.legal", "red", now - timedelta(minutes=1), now
    )
    return replace(
        base, windows=(replace(window, findings=(finding,)), *base.windows[1:]), findings=(finding,)
    )


def scrolls(page) -> bool:
    return page.evaluate(
        "document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth"
    )


def test_a_tile_turns_red_within_a_second_of_the_change(staged, open_page):
    wall = staged(12, calm)
    page = open_page(wall.url).page
    page.wait_for_selector("#tile-0.light-green")
    page.evaluate(WATCH_TILE)
    begun = time.time() * 1000
    wall.show(red_tile)
    until(page, "window.turned !== null")
    assert page.evaluate("window.turned") - begun < 1000
    assert page.inner_text("#tile-0-word") == "红牌"
    assert "C-0001 超法定时限 1 分钟" in page.inner_text("#tile-0-reason")
    assert page.inner_text("#lamp-red-count") == "1"
    assert "C-0001" in page.inner_text("#row-0-text")


def test_a_tile_turns_red_within_a_second_of_the_commit_in_the_store(open_page, database, request):
    from dashboard.demo_snapshot import demo_centre

    centre = demo_centre(12)
    wall = Wall(centre, lambda: StoreSource(database, centre)).start()
    request.addfinalizer(wall.stop)
    page = open_page(wall.url).page
    page.wait_for_selector("#tile-0.light-grey")
    until(page, "document.getElementById('wall').classList.contains('is-well')")
    page.evaluate(WATCH_TILE)
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into finding (finding_id, rule, severity, centre, case_id, window_id, subject, opened_at, state, due_at,"
            " issued_at, updated_at) values ('f1', 'time_limit.legal', 'red', '530502', 'C-0042', 'A01', 'case:C-0042',"
            " %(at)s, 'open', %(at)s, %(at)s, %(at)s)",
            {"at": NOON - timedelta(minutes=5)},
        )
        connection.execute("select pg_notify('mingjing', 'finding')")
        connection.commit()
        begun = time.time() * 1000
    until(page, "window.turned !== null")
    assert page.evaluate("window.turned") - begun < 1000
    assert "C-0042" in page.inner_text("#row-0-text")


@pytest.mark.parametrize(
    ("windows", "scene", "language"),
    [
        (12, mixed, "zh"),
        (60, many, "zh"),
        (60, many, "en"),
        (12, mixed, "en"),
        (60, grey, "zh"),
        (24, mixed, "zh"),
        (36, mixed, "zh"),
    ],
)
def test_everything_fits_the_screen_without_scrolling(
    staged, open_page, screenshots, windows, scene, language
):
    wall = staged(windows, scene, 60.0)
    watched = open_page(f"{wall.url}?lang={language}")
    page = watched.page
    page.wait_for_timeout(300)
    assert page.locator(".tile").count() == windows
    assert not scrolls(page)
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CUT_OFF) == []
    if screenshots:
        page.screenshot(path=screenshots / f"{scene.__name__}-{windows}-{language}.png")
    assert watched.errors == []
    assert watched.hosts == {f"127.0.0.1:{wall.port}"}


def test_every_text_has_a_contrast_of_seven_to_one(staged, open_page):
    wall = staged(12, mixed, 60.0)
    page = open_page(wall.url).page
    assert page.evaluate(FAINT) == []
    page.click("#row-0")
    page.wait_for_selector(".panel.shown .days")
    assert page.evaluate(FAINT) == []


def test_on_a_2160_line_screen_everything_is_twice_as_large(staged, open_page):
    wall = staged(60, many)
    small = open_page(wall.url).page.locator("#tile-0-id").bounding_box()
    page = open_page(wall.url, 3840, 2160).page
    large = page.locator("#tile-0-id").bounding_box()
    assert not scrolls(page)
    assert large["height"] == pytest.approx(2 * small["height"], rel=0.05)


def test_the_language_follows_the_address_and_the_switch(staged, open_page):
    wall = staged(12, mixed)
    page = open_page(f"{wall.url}?lang=en").page
    until(page, "document.getElementById('tile-0-word').textContent === 'Normal'")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.inner_text("#tile-1-reason") == "Empty for 17 min"
    page.click("#switch")
    until(page, "document.getElementById('tile-0-word').textContent === '正常'")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title() == "隆阳区政务服务中心 · 监察大屏"


def test_a_silent_source_is_grey_in_word_and_shape(staged, open_page):
    wall = staged(12, grey)
    page = open_page(wall.url).page
    page.wait_for_selector("#tile-0.light-grey")
    assert page.inner_text("#tile-0-word") == "未知"
    assert page.inner_text("#tile-0-reason") == "事件处理已停 4 分钟"
    assert page.inner_text("#health-worker") == "事件 停了 4 分钟"
    assert page.locator(".tile.light-green").count() == 0


def test_the_clock_shows_the_systems_time_and_the_age_is_alive(staged, open_page):
    wall = staged(12, calm)
    page = open_page(wall.url).page
    until(page, "document.getElementById('clock-time').textContent.startsWith('10:42')")
    assert page.inner_text("#clock-date") == "2026年11月24日 星期二"
    assert re.fullmatch("实时 · 更新于 (刚刚|. 秒前)", page.inner_text("#alive"))
    assert re.fullmatch("数据 (刚刚|. 秒前)", page.inner_text("#tile-0-age"))
    assert not page.is_visible("#badge")


def test_the_wall_says_that_the_server_is_gone_and_returns_alone_after_ten_minutes(
    staged, open_page, screenshots
):
    wall = staged(12, mixed)
    page = open_page(wall.url, before=lambda page: page.clock.install()).page
    page.wait_for_selector("#wall.is-well")
    page.evaluate("window.sameDocument = true")
    wall.stop()
    page.clock.fast_forward(11_000)
    page.wait_for_selector("#wall.is-cut")
    assert page.is_visible("#band")
    assert "与服务器的连接中断，画面停在 10:42:" in page.inner_text("#band")
    assert page.inner_text("#alive").startswith("停止")
    if screenshots:
        page.screenshot(path=screenshots / "cut.png")
    page.clock.fast_forward(10 * 60_000)
    page.wait_for_selector("#wall.is-lost")
    assert page.is_visible("#lost")
    assert "与服务器失去联系" in page.inner_text("#lost")
    assert "已 10 分钟" in page.inner_text("#lost")
    if screenshots:
        page.screenshot(path=screenshots / "lost.png")
    wall.show(red_tile)
    wall.start()
    page.clock.fast_forward(6_000)
    page.wait_for_selector("#wall.is-well")
    page.wait_for_selector("#tile-0.light-red")
    assert not page.is_visible("#lost")
    assert not page.is_visible("#band")
    # The same version: no need to load the page anew.
    assert page.evaluate("window.sameDocument") is True


def test_a_new_version_of_the_server_reloads_the_page(staged, open_page, monkeypatch):
    wall = staged(12, calm)
    page = open_page(wall.url).page
    page.wait_for_selector("#wall.is-well")
    page.evaluate("window.oldDocument = true")
    wall.stop()
    monkeypatch.setattr("dashboard.server.fingerprint", lambda centre: "another-build")
    wall.start()
    until(page, "window.oldDocument === undefined && document.getElementById('wall') !== null")
    page.wait_for_selector("#wall.is-well")
    assert page.get_attribute("#wall", "data-build") == "another-build"


def test_when_the_store_is_away_the_wall_says_so_although_the_server_lives(staged, open_page):
    wall = staged(12, calm)
    stamped = wall.source.make
    wall.source.make = lambda now: replace(stamped(now), read_at=time.time() - 20)
    wall.source.notify()
    page = open_page(wall.url).page
    page.wait_for_selector("#wall.is-stale")
    assert page.inner_text("#band").startswith("数据库无应答，数据停在 10:4")


def test_a_finding_explains_itself_day_by_day(staged, open_page, screenshots):
    wall = staged(12, mixed)
    watched = open_page(wall.url)
    page = watched.page
    page.click("#row-0")
    page.wait_for_selector(".panel.shown .days")
    assert page.locator(".days tbody tr").count() == 32
    assert page.inner_text(".days .due") == "2026-11-23 星期一\t20\t到期日"
    assert "专家评审" in page.inner_text(".days .excluded")
    assert "为什么是红牌" in page.inner_text("#panel")
    if screenshots:
        page.screenshot(path=screenshots / "detail.png")
    page.keyboard.press("Escape")
    page.wait_for_selector("#panel:not(.shown)", state="attached")
    page.focus("#tile-2")
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel.shown")
    assert "镜头被遮挡" in page.inner_text("#panel")
    assert watched.errors == []


def test_a_forgotten_panel_closes_by_itself(staged, open_page):
    wall = staged(12, mixed)
    page = open_page(wall.url, before=lambda page: page.clock.install()).page
    page.click("#tile-4")
    page.wait_for_selector(".panel.shown")
    page.clock.fast_forward(181_000)
    page.wait_for_selector("#panel:not(.shown)", state="attached")


def test_what_stands_in_an_explanation_is_text_and_never_markup(staged, open_page):
    def hostile(centre: Centre, now: datetime) -> Snapshot:
        base = red_tile(centre, now)
        finding = replace(
            base.findings[0], case="<img src=x onerror=alert(1)>", explain={"<b>k</b>": "<script>1</script>"}
        )
        return replace(
            base,
            findings=(finding,),
            windows=(replace(base.windows[0], findings=(finding,)), *base.windows[1:]),
        )

    wall = staged(12, hostile)
    watched = open_page(wall.url)
    watched.page.click("#row-0")
    watched.page.wait_for_selector(".panel.shown")
    assert "<script>1</script>" in watched.page.inner_text("#panel")
    assert watched.page.locator("#panel script, #panel img, #wall img").count() == 0
    assert watched.errors == []
