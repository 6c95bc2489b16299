"""``mingjing spot-check``: a plan that nobody chooses, answers of people, and how good the automatic findings are."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from detectors.presence_timeline import window_timeline
from detectors.spot_checks import ANSWERS, Estimate, Quality, Seen, assess, plan_checks
from domain.centre import Centre
from domain.errors import InputError
from store import spot_checks as kept
from store.connection import Connection

app = typer.Typer(
    help="抽查 · Random looks by people, and what they say of the automatic findings.", rich_markup_mode=None
)
DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
_TICK = timedelta(microseconds=1)


@app.command("plan")
def plan_command(
    centre: Annotated[Path, typer.Argument(help="中心文件 · the centre file", metavar="CENTRE.yaml")],
    first: Annotated[str, typer.Option("--from", help="首日 · first day, 2026-11-23")],
    last: Annotated[str, typer.Option("--to", help="末日 · last day")],
    person: Annotated[str, typer.Option(help="制定人 · who makes the plan")],
    quota: Annotated[
        int, typer.Option(min=1, max=1000, help="每窗口每小时次数 · for each window and hour")
    ] = 1,
    every: Annotated[int, typer.Option(min=1, max=60, help="分钟 · minutes between possible moments")] = 5,
    seed: Annotated[
        str | None, typer.Option(help="种子，缺省随机 · the same seed draws the same; default: a random one")
    ] = None,
    window: Annotated[list[str] | None, typer.Option(help="只抽这些窗口 · only these windows")] = None,
    data: DataOption = None,
) -> None:
    """制定计划 · Draws the moments and keeps them; prints one check a line, without any name of a person."""
    from domain.centre_file import read_centre
    from mingjing.clocks import make_clock
    from mingjing.database import open_database
    from mingjing.settings import load_settings

    place, settings = read_centre(centre), load_settings(data=data)
    unknown = sorted(set(window or ()) - place.window_ids)
    if unknown:
        raise InputError(f"--window: there is no window '{unknown[0]}' in {centre}")
    days = _day("--from", first), _day("--to", last)
    if not 0 <= (days[1] - days[0]).days <= 366:
        raise InputError("--to: must be within a year after --from")
    drawn_by = seed or secrets.token_hex(8)
    with open_database(settings) as connection:
        plan_id, rows = make_plan(
            connection, place, *days, seed=drawn_by, quota=quota, every=every, windows=window, person=person,
            now=make_clock(settings).now(),
        )  # fmt: skip
    for row in rows:
        local = row.at.astimezone(place.zone)
        typer.echo(f"{plan_id}-{row.check_id}  {local:%Y-%m-%d %H:%M}  {row.window}")
    typer.echo(f"计划 plan {plan_id} · 种子 seed {drawn_by} · {len(rows)} 次 checks", err=True)


def make_plan(
    connection: Connection,
    centre: Centre,
    first: date,
    last: date,
    *,
    seed: str,
    quota: int,
    every: int,
    windows: Sequence[str] | None,
    person: str,
    now: datetime,
) -> tuple[str, list[kept.CheckRow]]:
    """Draws a plan and keeps it; returns its id and its checks."""
    checks = plan_checks(centre, first, last, seed=seed, quota=quota, every=every, windows=windows)
    grounds = [centre.centre.id, seed, str(first), str(last), str(quota), str(every), *sorted(windows or ())]
    plan_id = hashlib.sha256("\x1f".join(grounds).encode()).hexdigest()[:8]
    rows = [kept.CheckRow(c.check_id, c.window, c.hour, c.at, c.population, c.drawn) for c in checks]
    plan = kept.Plan(plan_id, centre.centre.id, seed, quota, every, first, last, now, person)
    kept.save_plan(connection, plan, rows)
    return plan_id, rows


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: '{text[:40]}' is no day like 2026-11-23") from None


@app.command("answer")
def answer_command(
    check: Annotated[str, typer.Argument(help="抽查编号 · id of the check, as `plan` prints it")],
    answer: Annotated[str, typer.Argument(help="present 在岗 · absent 无人 · unclear 看不清")],
    person: Annotated[str, typer.Option(help="抽查人 · who looked")],
    minutes: Annotated[
        float | None, typer.Option(min=0, help="空岗至少分钟 · empty for at least so long, as far as seen")
    ] = None,
    note: Annotated[str, typer.Option(help="备注 · note")] = "",
    again: Annotated[
        bool, typer.Option("--again", help="更正，两者均保留 · corrects; both are kept")
    ] = False,
    data: DataOption = None,
) -> None:
    """回答 · What a person saw. What the system saw is not shown before."""
    from mingjing.clocks import make_clock
    from mingjing.database import open_database
    from mingjing.settings import load_settings

    if answer not in ANSWERS:
        raise InputError(f"'{answer}' is none of {', '.join(ANSWERS)}")
    settings = load_settings(data=data)
    with open_database(settings) as connection:
        kept.answer_check(
            connection, check, answer, person=person, now=make_clock(settings).now(), minutes=minutes, note=note,
            again=again,
        )  # fmt: skip
    typer.echo(f"{check}: {answer}")


@app.command("report")
def report_command(
    centre: Annotated[Path, typer.Argument(help="中心文件 · the centre file", metavar="CENTRE.yaml")],
    plan: Annotated[str, typer.Argument(help="计划编号 · id of the plan")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object")] = False,
    data: DataOption = None,
) -> None:
    """结果 · Precision and recall of the findings of absence, and of the seeing, with intervals."""
    from domain.centre_file import read_centre
    from mingjing.database import open_database
    from mingjing.settings import load_settings

    with open_database(load_settings(data=data)) as connection:
        found = report(connection, read_centre(centre), plan)
    if as_json:
        typer.echo(
            json.dumps({name: quality_json(quality) for name, quality in found.items()}, ensure_ascii=False)
        )
        return
    for name, quality in found.items():
        typer.echo(_words(name, quality))


def report(connection: Connection, centre: Centre, plan_id: str) -> dict[str, Quality]:
    """``findings``: of absences as found, ``seeing``: of what the cameras said at the moment itself.

    An absence that a person saw to be shorter than the first threshold is no miss of the findings.

    Raises:
        StoreError: there is no such plan.
        InputError: it is another centre's.
    """
    plan = kept.read_plan(connection, plan_id)
    if plan.centre != centre.centre.id:
        raise InputError(f"the plan {plan_id} is of centre {plan.centre}")
    rows = kept.read_checks(connection, plan_id)
    moments = [(row.window, row.at) for row in rows]
    spans = kept.spans_at(connection, centre.centre.id, moments)
    covered = kept.absences_at(connection, centre.centre.id, moments)
    fresh = timedelta(minutes=centre.rules.sources.camera_silent)
    findings, seeing = [], []
    for row in rows:
        moment = (row.window, row.at)
        line = window_timeline(spans[moment], centre.posts_of(row.window), row.at, row.at + _TICK, fresh)
        state = line[0].state if line else "unknown"
        ours = None if state == "unknown" else state == "absent"
        absent = None if row.answer in (None, "unclear") else row.answer == "absent"
        short = row.minutes is not None and row.minutes < centre.rules.absence.notice
        found = True if covered[moment] else (None if ours is None else False)
        seeing.append(Seen(row.window, row.hour, row.population, absent, ours))
        findings.append(
            Seen(
                row.window,
                row.hour,
                row.population,
                absent and not short if absent is not None else None,
                found,
            )
        )
    return {"findings": assess(findings), "seeing": assess(seeing)}


_NAMES = {"findings": "离岗发现 findings of absence", "seeing": "在岗识别 seeing"}


def _words(name: str, quality: Quality) -> str:
    covered = "–" if quality.covered is None else f"{quality.covered:.0%}"
    return (
        f"{_NAMES[name]}: 计划 planned {quality.planned} · 有效 usable {quality.usable} · "
        f"未答 unanswered {quality.unanswered} · 未观测 blind {quality.blind} · 代表 covered {covered}\n"
        f"    查准率 precision {_estimate(quality.precision)}\n    查全率 recall {_estimate(quality.recall)}"
    )


def _estimate(found: Estimate) -> str:
    if found.value is None or found.interval is None or found.exact is None:
        return "– 无数据 no figure"
    (low, high), (least, most) = found.interval, found.exact
    return (
        f"{found.value:.1%}（{low:.1%}–{high:.1%}）；原始 bare {found.good}/{found.sample}"
        f"（{least:.1%}–{most:.1%} exact）"
    )


def quality_json(quality: Quality) -> dict[str, Any]:
    """One object; null is "no figure"."""

    def part(found: Estimate) -> dict[str, Any]:
        return {name: getattr(found, name) for name in ("good", "sample", "value", "interval", "exact")}

    row = {name: getattr(quality, name) for name in ("planned", "usable", "unanswered", "blind", "covered")}
    return {**row, "precision": part(quality.precision), "recall": part(quality.recall)}
