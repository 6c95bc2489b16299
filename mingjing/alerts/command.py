"""The commands of ``mingjing alerts``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError
from mingjing.alerts.switching import app as channels_app

if TYPE_CHECKING:
    from alerts.hooks.base import Hook
    from domain.centre import Centre, Person
    from mingjing.alerts.trying import Test
    from mingjing.context import Context

LangOption = Annotated[str, typer.Option("--lang", help="zh, en")]
app = typer.Typer(
    help="通知 · Whether messages arrive, why they were sent or not, and which come next.",
    rich_markup_mode=None,
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
CentreOption = Annotated[
    str | None, typer.Option(help="中心编号 · id of the centre, where there are several", show_default=False)
]

LANGUAGES = {"zh": "zh-CN", "en": "en"}
#: Exit status of `test` when nobody knows within the time whether it has arrived, and when it has not.
UNKNOWN, FAILED = 3, 1
STATES = {
    "ready": "待发送 waits for the sender", "leased": "发送中 being sent", "sent": "已移交 handed over",
    "delivered": "已送达 delivered", "undelivered": "未送达 undelivered", "unknown": "送达情况不明 fate unknown",
    "dead": "未能发出 given up", "skipped": "未发送 not sent", "held": "暂缓 held", "gathered": "并入他条 told in another",
}  # fmt: skip


@app.command("test")
def try_command(
    to: Annotated[str, typer.Option("--to", help="收件人编号 · id of a person in the centre file")],
    channel: Annotated[
        str | None,
        typer.Option(help="通道，缺省为第一个 · name of the channel; default: the first", show_default=False),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=1, max=3600, help="等待秒数 · seconds to wait for its end")
    ] = 60.0,
    centre: CentreOption = None,
    data: DataOption = None,
) -> None:
    """发送测试 · One real message to a person, and what became of it.

    Exit status 0: it has arrived, or was handed over on a channel that confirms nothing; 3: nobody knows yet; 1: it has not.
    """
    from alerts.channel_state import list_off
    from mingjing.alerts.trying import Post, run_test
    from mingjing.channels import open_channels
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings

    context = Context(load_settings(data=data))
    name = channel or context.channel
    place = _centre_of(context, centre, to)
    person = next(each for each in place.people if each.id == to)
    address = _address(context, person, name)

    def hook() -> Hook:
        hooks = open_channels(context.settings)
        mine = hooks.pop(name)
        for other in hooks.values():
            other.close()
        return mine

    test: Test | None = None
    with open_database(context.settings) as connection:
        connection.autocommit = True
        off = {each.channel: each.error or each.reason for each in list_off(connection)}
        post = Post(connection, context.dsn, context.clock, context.links, hook)
        words = f"the channel is off: {off[name]}" if name in off else ""
        for change in run_test(post, place, to, name, address, seconds=wait, off=words):
            if test is None:
                _head(change, person)
            test = change
            typer.echo(_line(test, place))
    assert test is not None
    if test.arrived is None:
        typer.echo(
            f"{wait:g} 秒内尚不知是否送达 nobody knows within {wait:g} s whether it has arrived", err=True
        )
        raise typer.Exit(UNKNOWN)
    if not test.arrived:
        raise typer.Exit(FAILED)


@app.command("explain")
def explain_command(
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="监察发现编号 · finding_id")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object")] = False,
    data: DataOption = None,
    by: Annotated[
        str | None,
        typer.Option(help="查阅人，缺省为登录用户 · who looks; default: the login name", show_default=False),
    ] = None,
    lang: LangOption = "zh",
) -> None:
    """说明 · Why this person, this channel, this moment; why not others; and the next five sends. The look is kept."""
    from mingjing.alerts.explaining import explain_json, explain_lines, read_explained

    language = _language(lang)
    explained, centre, now = read_explained(data, finding, by)
    if as_json:
        typer.echo(explain_json(explained, centre))
        return
    for line in explain_lines(explained, centre, now, language):
        typer.echo(line)


@app.command("next")
def next_command(
    person: Annotated[
        str | None, typer.Option(help="只看该收件人 · only to this person", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    centre: CentreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 · one JSON object a line")] = False,
    data: DataOption = None,
    lang: LangOption = "zh",
) -> None:
    """接下来 · The next sends of the whole centre, soonest first, unless somebody acts."""
    from mingjing.alerts.explaining import coming_rows

    language = _language(lang)
    for row, line in coming_rows(data, centre, person, limit, language):
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else line)


def _language(lang: str) -> str:
    if lang not in LANGUAGES:
        raise InputError(f"--lang: expected zh or en, not '{lang}'")
    return LANGUAGES[lang]


def _centre_of(context: Context, code: str | None, person: str) -> Centre:
    """The centre named, else the one that knows the person.

    Raises:
        InputError: there is none, or more than one.
    """
    if code is not None and code not in context.centres:
        raise InputError(f"--centre: there is no centre {code} in the centre files")
    asked = list(context.centres.values()) if code is None else [context.centres[code]]
    found = [each for each in asked if person in each.people_ids]
    if not found:
        raise InputError(f"--to: there is no person '{person}' in the centre file")
    if len(found) > 1:
        raise InputError(
            f"--centre: '{person}' is known in {', '.join(each.centre.id for each in found)}; name one"
        )
    return found[0]


def _address(context: Context, person: Person, channel: str) -> str:
    """
    Raises:
        InputError: there is no such channel, or the person has no address for it.
    """
    from alerts.addresses import address_of
    from mingjing.channels import address_kinds

    kinds = address_kinds(context.settings)
    if channel not in kinds:
        raise InputError(f"--channel: there is no channel '{channel}'; there are {', '.join(kinds)}")
    address = address_of(person, channel, kinds)
    if not address:
        wants = {"phone": "phone", "email": "email"}.get(kinds[channel], f"addresses: {{{channel}: …}}")
        raise InputError(
            f"--to: {person.id} has no address for the channel '{channel}' ({wants} in the centre file)"
        )
    return address


def _head(test: Test, person: Person) -> None:
    from mingjing.alerts.trying import masked

    typer.echo(f"{person.name} {person.id}  {masked(test.address)}  {test.channel}  {test.key}")
    typer.echo(f"{test.text}  （{test.parts} 条 SMS parts）")
    if test.alone:
        typer.echo(f"由本命令自行发送 sent by this command itself: {test.alone}")


def _line(test: Test, centre: Centre) -> str:
    """The state a test has reached, with its moment."""
    at = test.moments[-1][1]
    said = "  ".join(part for part in (test.reason, test.error) if part)
    more = "" if test.receipts or test.state != "sent" else "（该通道不回执 this channel confirms nothing）"
    local = at.astimezone(centre.zone)
    return f"{local:%H:%M:%S}  {test.seconds:6.1f} s  {STATES.get(test.state, test.state)}{more}  {said}".rstrip()


app.add_typer(channels_app, name="channels")

__all__ = ["app"]
