"""The command line. Every command imports what it needs when it runs, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer

from domain.errors import InputError, MingjingError

app = typer.Typer(
    name="mingjing",
    help="明镜：政务服务中心办件时限与窗口在岗监察 · Watches a service centre: time limits of cases, staffing of windows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]


@app.command()
def version() -> None:
    """版本 · Print the version."""
    from importlib.metadata import version as installed

    typer.echo(f"mingjing {installed('mingjing')}")


@app.command()
def run(
    name: Annotated[
        str, typer.Argument(help="database, worker, cameras, rules, sender, wall, door, gateway, simulator")
    ],
    data: DataOption = None,
) -> None:
    """运行一个进程 · Run one process of the system until SIGTERM."""
    from mingjing.processes import run_process
    from mingjing.settings import load_settings

    run_process(name, load_settings(data=data))


@app.command()
def migrate(
    data: DataOption = None,
    wait: Annotated[float, typer.Option(help="等待数据库的秒数 · seconds to wait for the database")] = 0.0,
) -> None:
    """建立或升级数据库结构 · Bring the database schema up to date."""
    from mingjing.processes import migrate_database
    from mingjing.settings import load_settings

    for line in migrate_database(load_settings(data=data), wait=wait):
        typer.echo(line)


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="数据目录 · folder for everything the demo keeps")] = Path(
        "demo-data"
    ),
    speed: Annotated[
        float, typer.Option(min=1, max=600, help="模拟时间倍速 · simulated seconds per real second")
    ] = 60.0,
    port: Annotated[int, typer.Option(min=1, max=65535, help="大屏端口 · port of the wall")] = 8050,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="WINDOW=URL or file: 用真实视频源替换模拟摄像机 · a real source in place of a simulated camera"
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, max=60, help="窗口数 · number of windows")] = 12,
) -> None:
    """演示中心：全套系统，直到 Ctrl-C · The whole system with a demo centre, until Ctrl-C."""
    from mingjing.demo.command import DemoOptions, run_demo

    run_demo(DemoOptions(data=data, speed=speed, port=port, cameras=tuple(camera or ()), windows=windows))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and ends the process with its exit status. What a user can cause is one sentence."""
    try:
        status = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except MingjingError as error:
        _fail(str(error), error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep the interpreter's own flush quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", InputError.exit_status)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(sentence: str, status: int) -> NoReturn:
    sys.stderr.write(f"mingjing: {' '.join(sentence.split())}\n")
    sys.exit(status)
