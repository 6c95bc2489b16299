"""The centre file: readable, its calendar published, and what people forget to write into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.errors import CentreFileError, CentreFilesError
from domain.working_time import base_year, parse_week
from mingjing.doctor.report import Result, fault, ok, some, warning
from mingjing.doctor.scene import Scene

#: From this month on the next year's calendar is asked for: the State Council publishes it in late autumn.
ASK_FOR_NEXT_YEAR = 11
_UPGRADE = "pip install -U chinesecalendar（或在中心文件写 calendar.holidays / workdays · or write them into the centre file）"


def centre_file(scene: Scene) -> Iterator[Result]:
    place = scene.settings.centre_file
    if not place.exists():
        yield fault(
            "centre.file", f"缺少中心文件 {place}", f"{place} is missing", "MINGJING_CENTRE=…/centre.yaml"
        )
        return
    try:
        centres = load_centres(place)
    except (CentreFileError, CentreFilesError) as error:
        yield fault("centre.file", "中心文件有误", str(error), f"改正 · mend {place}")
        return
    for problem in centres.problems:
        yield fault("centre.file", "中心文件有误", str(problem), "改正该文件 · mend that file")
    windows, items, cameras = (
        sum(len(getattr(centre, name)) for centre in centres.values())
        for name in ("windows", "items", "cameras")
    )
    first = centres.first.centre
    name = f"{len(centres)} centres" if centres.several else first.name or first.id
    yield ok(
        "centre.file",
        f"{name}：{windows} 个窗口，{items} 个事项，{cameras} 台摄像机",
        f"{name}: {windows} windows, {items} items, {cameras} cameras",
    )
    if centres.ignored:
        yield warning(
            "centre.ignored",
            f"目录中不是中心文件：{some(list(centres.ignored))}",
            f"no centre files, ignored: {some(list(centres.ignored))}",
            "移走或改名为 .yaml · move them away, or name them .yaml",
        )


def calendar(scene: Scene) -> Iterator[Result]:
    """This year's working days, and from November on the next year's."""
    today = scene.now().date()
    years = [today.year] + ([today.year + 1] if today.month >= ASK_FOR_NEXT_YEAR else [])
    bases: dict[str, list[Centre]] = {}
    for centre in (scene.centres or {}).values():
        bases.setdefault(centre.calendar.base, []).append(centre)
    for base, centres in bases.items():
        for year in years:
            check = f"calendar.{'this' if year == today.year else 'next'}_year"
            own = all(
                any(date.year == year for date in (*each.calendar.holidays, *each.calendar.workdays))
                for each in centres
            )
            zh, en = f"{year} 年工作日历（{base}）", f"the calendar of {year} ({base})"
            if base_year(base, year).published:
                yield ok(check, f"{zh}已有", f"{en} is there")
            elif year == today.year and not own:
                yield fault(
                    check, f"{zh}缺失，时限均为暂定", f"{en} is missing: every limit is provisional", _UPGRADE
                )
            else:
                yield warning(
                    check, f"{zh}尚未公布或未安装", f"{en} is not published, or not installed", _UPGRADE
                )


def _each(scene: Scene, find: Callable[[Centre], list[str]]) -> list[str]:
    """What ``find`` gives for every centre, with the centre's code where there are several."""
    centres = scene.centres
    if centres is None:
        return []
    return [
        f"{code}/{name}" if centres.several else name
        for code, centre in centres.items()
        for name in find(centre)
    ]


def office_hours(scene: Scene) -> Iterator[Result]:
    def odd(centre: Centre) -> list[str]:
        hours = {
            day: sum(end - begin for begin, end in spans) / 60
            for day, spans in parse_week(centre.centre.office_hours).items()
            if spans
        }
        return sorted({f"{centre.centre.id} {span:g} h" for span in hours.values() if not 4 <= span <= 13})

    found = _each(scene, odd)
    if found:
        yield warning(
            "centre.office_hours",
            f"办公时间异常：{some(found)}",
            f"strange office hours: {some(found)}",
            'centre.office_hours: ["09:00-12:00", "13:30-17:00"]',
        )


def limits(scene: Scene) -> Iterator[Result]:
    bare = _each(
        scene,
        lambda centre: [item.code for item in centre.items if not (item.legal_limit or item.promised_limit)],
    )
    late = _each(
        scene,
        lambda centre: [
            item.code
            for item in centre.items
            if item.legal_limit
            and item.promised_limit
            and item.legal_limit.unit == item.promised_limit.unit
            and item.promised_limit.days > item.legal_limit.days
        ],
    )
    if bare:
        yield warning(
            "centre.limits",
            f"事项没有时限，不会超期：{some(bare)}",
            f"items without any limit are never overdue: {some(bare)}",
            "items[].legal_limit: {days: 20, unit: working_day}",
        )
    if late:
        yield warning(
            "centre.limits",
            f"承诺时限长于法定时限：{some(late)}",
            f"promised limits longer than the legal ones: {some(late)}",
            "items[].promised_limit.days ≤ legal_limit.days",
        )
    if scene.centres is not None and not bare and not late:
        yield ok("centre.limits", "每个事项都有时限", "every item has a limit")


def posts(scene: Scene) -> Iterator[Result]:
    """Windows no camera looks at, where there are cameras."""

    def unwatched(centre: Centre) -> list[str]:
        return (
            [window.id for window in centre.windows if not centre.posts_of(window.id)]
            if centre.cameras
            else []
        )

    if found := _each(scene, unwatched):
        yield warning(
            "centre.posts",
            f"窗口没有岗位，离岗无法识别：{some(found)}",
            f"no post watches these windows, absence is never seen: {some(found)}",
            "cameras[].posts: {name: …, window: …, polygon: […]}",
        )


def people(scene: Scene) -> Iterator[Result]:
    """Every window has somebody; whether they can be reached is asked in :mod:`mingjing.doctor.messages`."""

    def nobody(centre: Centre) -> list[str]:
        if not any(role in centre.messages.red for role in ("handler", "superior", "leader")):
            return []
        return [w.id for w in centre.windows if not (w.handler or w.superior or w.leader)]

    if found := _each(scene, nobody):
        yield warning(
            "centre.responsible",
            f"窗口没有责任人：{some(found)}",
            f"windows for which nobody is told: {some(found)}",
            "windows[].handler / superior / leader",
        )


def clock_setting(scene: Scene) -> Iterator[Result]:
    """A simulated clock has no business in a real centre."""
    if scene.settings.clock != "real":
        yield warning("clock.setting", "使用模拟时钟", "the clock is a simulated one", "MINGJING_CLOCK=real")
    ahead = scene.now() - scene.now().replace(year=2026, month=1, day=1)
    if ahead < timedelta(0):
        yield fault(
            "clock.setting",
            "本机日期早于程序发布日",
            "the machine's date lies before this program was made",
            "timedatectl set-ntp true",
        )


CHECKS = (centre_file, calendar, clock_setting, office_hours, limits, posts, people)
