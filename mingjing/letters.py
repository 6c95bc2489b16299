"""``mingjing dead-letters``: what was refused, why, and another try once the cause is mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import InputError

app = typer.Typer(
    help="死信 · Lines that were refused, with the reason; nothing is ever dropped.", rich_markup_mode=None
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
WAITING, ALL = "waiting", "all"


@app.command("list")
def list_command(
    data: DataOption = None,
    state: Annotated[str, typer.Option(help="waiting, replayed, resolved, all")] = WAITING,
    code: Annotated[str | None, typer.Option(help="原因代码 · only this reason code")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """列出死信 · One line a letter, newest first."""
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store.dead_letters import count_dead_letters, list_dead_letters

    if state not in (WAITING, "replayed", "resolved", ALL):
        raise InputError(f"--state: expected waiting, replayed, resolved or all, not '{state}'")
    wanted = None if state == ALL else state
    with open_database(load_settings(data=data)) as connection:
        letters = list_dead_letters(connection, state=wanted, code=code, limit=limit)
        counts = count_dead_letters(connection)
    for letter in letters:
        field = f"{letter.field}: " if letter.field else ""
        typer.echo(
            f"{letter.letter_id:>6}  {letter.last_at:%Y-%m-%d %H:%M:%S}Z  {letter.code:<20} "
            f"×{letter.times:<4} {letter.origin} {letter.place or ''}  {field}{letter.reason}"
        )
    total = sum(
        n
        for (is_state, is_code), n in counts.items()
        if wanted in (None, is_state) and code in (None, is_code)
    )
    typer.echo(f"{len(letters)} of {total}", err=True)


@app.command("show")
def show_command(
    number: Annotated[int, typer.Argument(help="编号 · number, as list prints it")], data: DataOption = None
) -> None:
    """显示一条死信 · One letter in full, as JSON, with the line as it came."""
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store.dead_letters import show_dead_letter, to_json

    with open_database(load_settings(data=data)) as connection:
        letter = show_dead_letter(connection, number)
    typer.echo(json.dumps(to_json(letter), ensure_ascii=False, indent=2, default=str))


@app.command("replay")
def replay_command(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="编号，缺省为全部 · numbers; default: all that wait")
    ] = None,
    data: DataOption = None,
) -> None:
    """重新送入 · Sends letters through the log again; what is still wrong comes back here."""
    from mingjing.clocks import make_clock
    from mingjing.processes import open_database
    from mingjing.publishing import open_log
    from mingjing.sending import as_message, known_centres
    from mingjing.settings import load_settings
    from store.dead_letters import letters_to_replay, mark_replayed
    from streams.topics import CASE_EVENTS

    settings = load_settings(data=data)
    clock, centres = make_clock(settings), known_centres(settings)
    several = centres is not None and centres.several
    with open_database(settings) as connection, open_log(settings) as publisher:
        letters = letters_to_replay(connection, numbers or None)
        publisher.publish(CASE_EVENTS, [as_message(letter.raw, several=several) for letter in letters])
        # Only now: a letter that is not in the log again must go on waiting.
        mark_replayed(connection, [letter.letter_id for letter in letters], now=clock.now())
    typer.echo(f"{len(letters)} letters sent again")
    missing = sorted(set(numbers or ()) - {letter.letter_id for letter in letters})
    if missing:
        raise InputError(f"not waiting, or not a line of input: {', '.join(map(str, missing))}")
