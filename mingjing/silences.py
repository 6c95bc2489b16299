"""``mingjing silences``: whose messages wait for a while, by whom and why; findings and the wall stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InputError, StepRefusedError

if TYPE_CHECKING:
    from alerts.silence import Silence
    from domain.centre import Centre

app = typer.Typer(
    help="静默 · Messages of some findings wait for a while; findings and the wall stay as they are.",
    rich_markup_mode=None,
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
CentreOption = Annotated[
    str | None, typer.Option(help="中心编号 · id of the centre, where there are several", show_default=False)
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by", help="监察员编号或账号 · id of an inspector in the centre file, or name of an account"
    ),
]

#: State of a silence, in words.
STATES = {
    "coming": "未开始 to come",
    "held": "生效 holds",
    "resting": "时段外 outside its hours",
    "over": "已结束 over",
}


@app.command("list")
def list_command(
    data: DataOption = None,
    centre: CentreOption = None,
    everything: Annotated[bool, typer.Option("--all", help="含已结束 · also those that are over")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object a line")] = False,
) -> None:
    """列出 · Silences in force or to come, with how many messages each keeps now."""
    from alerts import silences
    from mingjing.finding import open_desk

    with open_desk(data, centre=centre) as desk:
        place, now = desk.centre, desk.now
        found = silences.every(desk.connection, place.centre.id)
        waiting = silences.kept(desk.connection, place.centre.id)
    shown = [each for each in found if everything or each.until > now]
    for each in shown:
        row = as_row(each, place, now) | {"held": waiting.get(each.silence_id, 0)}
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else "\n".join(lines(each, row, place)))
    typer.echo(f"{len(shown)} 条 silences", err=True)


@app.command("add")
def add_command(
    reason: Annotated[str, typer.Option(help="原因 · why")],
    by: ByOption,
    until: Annotated[
        str | None,
        typer.Option(help="截止，如 '2026-11-24 08:00' · until when, local time", show_default=False),
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", help="或时长，如 '3 hours' · or for how long", show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="开始，缺省为现在 · from when; default: now", show_default=False),
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="规则，可用 * · rules, with *")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="notice, yellow, red")] = None,
    window: Annotated[list[str] | None, typer.Option(help="窗口 · windows")] = None,
    department: Annotated[list[str] | None, typer.Option(help="部门 · departments")] = None,
    item: Annotated[list[str] | None, typer.Option(help="事项 · items")] = None,
    case: Annotated[list[str] | None, typer.Option(help="办件 · cases")] = None,
    person: Annotated[list[str] | None, typer.Option(help="收件人 · people who would be told")] = None,
    days: Annotated[
        list[str] | None, typer.Option(help="只在这些日子 · only on working, rest, mon … sun")
    ] = None,
    hours: Annotated[
        list[str] | None, typer.Option(help="只在这些时段 · only at hours like 18:00-08:00")
    ] = None,
    replaces: Annotated[
        int | None, typer.Option(help="取代该条 · ends that one and takes its place", show_default=False)
    ] = None,
    centre: CentreOption = None,
    data: DataOption = None,
) -> None:
    """新增 · What fits every option given waits until the end, and then leaves if it is still true. At most 31 days."""
    from alerts import silences
    from alerts.silence import Wanted, recurring_of
    from mingjing.finding import open_desk
    from mingjing.moments import moment_of, span_of

    if (until is None) == (lasting is None):
        raise InputError("--until or --for: a silence needs one end")
    asked = {
        "rule": rule, "severity": severity, "window": window, "department": department, "item": item, "case": case,
        "person": person,
    }  # fmt: skip
    match = {key: tuple(values) for key, values in asked.items() if values}
    with open_desk(data, centre=centre) as desk:
        place, now = desk.centre, desk.now
        author = _author(by, place, data)
        begins = now if start is None else moment_of(start, place.zone, "--from")
        ends = (
            moment_of(until, place.zone, "--until")
            if until is not None
            else begins + span_of(lasting or "", "--for")
        )
        wanted = Wanted(match, reason, begins, ends, recurring_of(tuple(days or ()), tuple(hours or ())))
        made = (
            silences.create(desk.connection, place, wanted, author=author, now=now)
            if replaces is None
            else silences.replace(desk.connection, place, replaces, wanted, author=author, now=now)
        )
    typer.echo("\n".join(lines(made, as_row(made, place, now), place)))


@app.command("end")
def end_command(
    number: Annotated[int, typer.Argument(help="编号，见 list · number, as `list` prints it")],
    by: ByOption,
    centre: CentreOption = None,
    data: DataOption = None,
) -> None:
    """提前结束 · Ends one before its time; what it kept leaves if it is still true."""
    from alerts import silences
    from mingjing.finding import open_desk

    with open_desk(data, centre=centre) as desk:
        author = _author(by, desk.centre, data)
        kept = silences.kept(desk.connection, desk.centre.centre.id).get(number, 0)
        silences.end(desk.connection, desk.centre, number, by=author, now=desk.now)
    typer.echo(f"{number}: 已结束 ended; {kept} 条消息待发 messages it kept are due")


def _author(given: str, centre: Centre, data: Path | None) -> str:
    """In whose name: the inspector of the centre file, or the person of the desk account of that name.

    Raises:
        StepRefusedError: the given one is neither.
    """
    from dashboard.desk.accounts import Accounts
    from mingjing.settings import load_settings

    if given in centre.messages.inspectors:
        return given
    account = Accounts(load_settings(data=data).desk_accounts_file).get(given)
    if account is None or not account.is_inspector or account.centre not in ("", centre.centre.id):
        raise StepRefusedError(
            "role",
            f"--by: silences are for inspectors (messages.inspectors, or accounts); '{given}' is none",
        )
    return account.who


def state_of(silence: Silence, centre: Centre, now: datetime) -> str:
    """``coming``, ``held``, ``resting`` (outside its hours) or ``over``."""
    if now >= silence.until:
        return "over"
    if now < silence.starts_at:
        return "coming"
    return "held" if silence.holds(centre, now) else "resting"


def as_row(silence: Silence, centre: Centre, now: datetime) -> dict[str, Any]:
    """One silence for machines; moments with the centre's offset."""

    def at(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(centre.zone).isoformat(timespec="seconds")

    return {
        "silence": silence.silence_id, "state": state_of(silence, centre, now), "match": silence.match,
        "author": silence.author, "reason": silence.reason, "from": at(silence.starts_at), "until": at(silence.ends_at),
        "recurring": None if silence.recurring is None else silence.recurring.model_dump(mode="json"),
        "ended_at": at(silence.ended_at), "ended_by": silence.ended_by,
    }  # fmt: skip


def lines(silence: Silence, row: dict[str, Any], centre: Centre) -> Iterator[str]:
    """One silence as a person reads it."""
    names = {person.id: person.name for person in centre.people}

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(centre.zone):%Y-%m-%d %H:%M}"

    matched = "  ".join(f"{key}={','.join(values)}" for key, values in silence.match.items())
    yield f"{silence.silence_id}  {STATES[row['state']]}  {at(silence.starts_at)} – {at(silence.ends_at)}  {matched}"
    if silence.recurring is not None:
        yield "    每逢 " + " ".join([*silence.recurring.days, *silence.recurring.hours])
    yield f"    {names.get(silence.author, '')} {silence.author}: {silence.reason}".replace(
        "     ", "    ", 1
    )
    if silence.ended_at is not None:
        by = silence.ended_by or ""
        yield f"    已由 {names.get(by, '')} {by} 于 {at(silence.ended_at)} 结束 ended".replace("  ", " ")
    if row.get("held"):
        yield f"    {row['held']} 条消息等待 messages wait"


__all__ = ["app", "as_row", "lines", "state_of"]
