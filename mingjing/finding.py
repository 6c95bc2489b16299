"""``mingjing finding``: the life of a finding from the command line, step by step."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from domain.chain import Entry
from domain.errors import InputError
from mingjing.act_words import words_of

if TYPE_CHECKING:
    from domain.centre import Centre
    from domain.finding_life import LifeStep
    from domain.findings import Severity
    from mingjing.context import Context
    from store.connection import Connection
    from store.finding_life import FindingLife, Tell

app = typer.Typer(
    help="监察发现 · The life of a finding: show, answer, appeal, decide, rectify, close.",
    rich_markup_mode=None,
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
FindingArgument = Annotated[str, typer.Argument(metavar="ID", help="监察发现编号 · finding_id")]
ByOption = Annotated[str, typer.Option("--by", help="经手人编号 · id of the person in the centre file")]
TextOption = Annotated[str, typer.Option("--text", help="说明 · what the person says")]
SawOption = Annotated[
    int | None,
    typer.Option(
        help="看到的序号，见 show；其后如有变化则拒绝 · number that show printed: refused if anything happened since",
        show_default=False,
    ),
]
LangOption = Annotated[str, typer.Option("--lang", help="zh, en")]


@dataclass(frozen=True)
class Desk:
    """What a step needs: the database, the centre of the finding, the clock, and who tells people."""

    connection: Connection
    centre: Centre
    now: datetime
    tell: Tell


@contextmanager
def open_desk(data: Path | None, finding: str | None = None, centre: str | None = None) -> Iterator[Desk]:
    """The desk of a finding's centre, or of the one named (a system of one needs no name)."""
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store.reading import finding as read_finding

    context = Context(load_settings(data=data))
    with open_database(context.settings) as connection:
        if finding is not None:
            centre = read_finding(connection, finding).centre
        yield Desk(connection, *_of_centre(context, centre))


def _of_centre(context: Context, code: str | None) -> tuple[Centre, datetime, Tell]:
    from alerts.planner import Planner

    if code is None and context.centres.several:
        raise InputError("--centre: the system watches several centres; name one")
    centre = context.centres.first if code is None else context.centres.get(code)
    if centre is None:
        raise InputError(f"there is no centre {code} in the centre files")
    planner = Planner(centre, context.links, channel=context.channel, kinds=context.channel_kinds)
    return centre, context.clock.now(), planner


@app.command("show")
def show_command(
    finding: FindingArgument,
    data: DataOption = None,
    by: Annotated[
        str | None, typer.Option(help="查阅人，缺省为登录用户 · who looks; default: the login name")
    ] = None,
    lang: LangOption = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object")] = False,
) -> None:
    """查看 · Where a finding stands, what was done, what is awaited. The look itself is kept as evidence."""
    from store import chain
    from store.finding_life import read_life

    words_of(lang)
    with open_desk(data, finding) as desk:
        found = read_life(desk.connection, desk.centre, finding)
        look = {"person": by or getpass.getuser(), "what": "finding show"}
        with desk.connection.transaction():
            entry = Entry("evidence.looked", found.finding.subject, look, finding)
            chain.append(desk.connection, desk.centre.centre.id, [entry], desk.now)
    typer.echo(
        json.dumps(as_row(found), ensure_ascii=False)
        if as_json
        else "\n".join(lines(found, desk.centre, desk.now, lang))
    )


@app.command("list")
def list_command(
    life: Annotated[
        str | None,
        typer.Option(help="处理状态 · only those that are open, acknowledged, answered, appealed …"),
    ] = None,
    late: Annotated[bool, typer.Option("--late", help="只列逾期 · only what is overdue")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    centre: Annotated[
        str | None, typer.Option(help="中心编号 · id of the centre, where there are several")
    ] = None,
    data: DataOption = None,
    lang: LangOption = "zh",
) -> None:
    """列出待办 · Findings about which something is to be done, the oldest first, with what is awaited until when."""
    from store.finding_life import open_lives
    from store.reminders import reminded_of

    words = words_of(lang)
    with open_desk(data, centre=centre) as desk:
        found = open_lives(
            desk.connection, desk.centre, life=life, late_at=desk.now if late else None, limit=limit
        )
        reminded = reminded_of(desk.connection, [each.finding.finding_id for each in found])
    for each in found:
        waits = [pending for pending in each.awaited if not late or pending.is_late(desk.now)]
        row, zone = each.finding, desk.centre.zone
        parts = [
            row.finding_id,
            words[row.severity],
            row.rule,
            row.case or "",
            row.window or "",
            words[each.life.state],
        ]
        for pending in waits:
            until = "" if pending.due_at is None else f" {pending.due_at.astimezone(zone):%Y-%m-%d %H:%M}"
            parts.append(
                f"{words[pending.step]}{until}{' ' + words['late'] if pending.is_late(desk.now) else ''}"
            )
        if row.finding_id in reminded:
            parts.append(
                f"{words['reminded']} " + ", ".join(words[step] for step in reminded[row.finding_id])
            )
        typer.echo("  ".join(part for part in parts if part))


def _command(step: LifeStep, chinese: str, english: str) -> None:
    def run(
        finding: FindingArgument,
        by: ByOption,
        text: TextOption = "",
        saw: SawOption = None,
        data: DataOption = None,
        lang: LangOption = "zh",
    ) -> None:
        from store.finding_life import take_step

        words = words_of(lang)
        with open_desk(data, finding) as desk:
            found = take_step(
                desk.connection, desk.centre, finding, step,
                person=by, now=desk.now, text=text, saw=saw, tell=desk.tell,
            )  # fmt: skip
        typer.echo(f"{finding}: {words[found.life.state]} ({words['number']} {found.life.number})")

    run.__doc__ = f"{chinese} · {english}"
    app.command(step)(run)


_command("acknowledge", "确认", "The unit has seen it.")
_command("answer", "反馈", "The unit says what happened.")
_command("appeal", "申诉", "The unit contests it; an inspector decides.")
_command("uphold", "维持", "An inspector rejects an appeal: the finding stands.")
_command("revoke", "撤销", "An inspector takes the finding back; it stays on record as revoked.")
_command("rectify", "整改", "The unit says what it has put right.")
_command("close", "办结", "An inspector closes the matter, once its cause has ended.")


@app.command("open")
def open_command(
    rule: Annotated[str, typer.Option(help="人工规则 · a rule of the manual kind: manual.…")],
    severity: Annotated[str, typer.Option(help="notice, yellow, red")],
    text: TextOption,
    by: ByOption,
    case: Annotated[str | None, typer.Option(help="办件号 · case", show_default=False)] = None,
    window: Annotated[str | None, typer.Option(help="窗口 · window", show_default=False)] = None,
    centre: Annotated[
        str | None, typer.Option(help="中心编号 · id of the centre, where there are several")
    ] = None,
    data: DataOption = None,
) -> None:
    """人工发现 · A finding of an inspector's own, with the same life, evidence and messages."""
    from store.finding_life import open_manual

    if severity not in ("notice", "yellow", "red"):
        raise InputError(f"--severity: expected notice, yellow or red, not '{severity}'")
    with open_desk(data, centre=centre) as desk:
        found = open_manual(
            desk.connection, desk.centre,
            rule=rule, severity=cast("Severity", severity), person=by, text=text, now=desk.now, case=case, window=window,
            tell=desk.tell,
        )  # fmt: skip
    typer.echo(found.finding.finding_id)


def lines(found: FindingLife, centre: Centre, now: datetime, lang: str) -> Iterator[str]:
    """A finding as a person reads it."""
    words, row, zone = words_of(lang), found.finding, centre.zone

    def at(moment: datetime | None) -> str:
        return "–" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    people = {person.id: person.name for person in centre.people}
    yield f"{words['finding']} {row.finding_id}  {words[row.severity]}  {row.rule}"
    subject = [
        f"{words[key]} {value}" for key, value in (("case", row.case), ("window", row.window)) if value
    ]
    yield "  " + "  ".join(
        [*subject, f"{words['issued']} {at(row.issued_at)}", f"{words['due']} {at(row.due_at)}"]
    )
    moment = row.revoked_at if row.state == "revoked" else row.closed_at
    reason = (row.revoked_reason or "").replace("\n", " / ")
    yield f"  {words['cause']}: {words[f'cause_{row.state}'].format(at=at(moment), reason=reason)}"
    yield f"  {words['life']}: {words[found.life.state]}  ({words['number']} {found.life.number})"
    yield f"{words['acts']}:"
    for act in found.life.acts:
        who = words["rules"] if act.person is None else f"{people.get(act.person, '')} {act.person}".strip()
        late = f"  {words['late']}" if act.detail.get("late") else ""
        text = str(act.detail.get("text") or act.detail.get(lang) or "")
        yield f"  {act.number}  {at(act.at)}  {words.get(act.step, act.step)}  {who}{late}  {text}".rstrip()
    yield f"{words['awaited']}:" if found.awaited else words["none_awaited"]
    for each in found.awaited:
        who = "/".join(
            words[role] for role in ("handler", "superior", "leader", "inspector") if role in each.roles
        )
        until = words["until"].format(at=at(each.due_at)) if each.due_at else ""
        late = words["late"] if each.is_late(now) else ""
        yield f"  {words[each.step]}  {who}  {until}  {late}".rstrip()
    if found.life.state in ("open", "acknowledged", "answered") and not found.life.appealed:
        yield f"  {words['appeal_until']} {at(found.appeal_until)}"


def as_row(found: FindingLife) -> dict[str, object]:
    """The same for machines."""
    row, life = found.finding, found.life
    return {
        "finding_id": row.finding_id, "rule": row.rule, "severity": row.severity, "centre": row.centre, "case": row.case,
        "window": row.window, "cause": row.state, "life": life.state, "number": life.number,
        "appeal_until": found.appeal_until.isoformat(),
        "acts": [
            {"number": act.number, "at": act.at.isoformat(), "step": act.step, "person": act.person, "detail": act.detail}
            for act in life.acts
        ],
        "awaited": [
            {"step": each.step, "roles": sorted(each.roles), "due_at": each.due_at.isoformat() if each.due_at else None}
            for each in found.awaited
        ],
    }  # fmt: skip
