"""The command line: a table of commands, each loaded only when it is called, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

import typer

from domain.errors import InputError, MingjingError


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives (``module:name`` of a function, or of a Typer with commands of its own) and its line."""

    target: str
    line: str

    def load(self) -> Any:
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


COMMANDS: dict[str, Command] = {
    "demo": Command("mingjing.commands:demo", "演示中心 · The whole system with a demo centre, until Ctrl-C"),
    "start": Command(
        "mingjing.start:start_command", "启动本中心 · The whole system for a real centre, until Ctrl-C"
    ),
    "replay": Command(
        "mingjing.replay:replay_command", "重放事件文件 · The live rules over a file of events"
    ),
    "import": Command(
        "mingjing.importing.command:import_command", "导入事件日志 · Events out of permits, XES, CSV"
    ),
    "watch": Command("mingjing.watch:watch_command", "识别视频 · Presence at each post of one recording"),
    "send": Command("mingjing.commands:send", "发送事件文件 · Put a file of events into the running system"),
    "dead-letters": Command("mingjing.letters:app", "死信 · Lines that were refused: list, show, replay"),
    "messages": Command(
        "mingjing.messages:app", "短信 · What became of messages: counts, dead, retry, hold, release"
    ),
    "alerts": Command(
        "mingjing.alerts.command:app",
        "通知 · Whether messages arrive, and why they were sent or not: test, explain, next, channels",
    ),
    "silences": Command(
        "mingjing.silences:app", "静默 · Messages of some findings wait for a while: list, add, end"
    ),
    "model": Command("mingjing.models:model_app", "识别模型 · Detector models: list, install"),
    "camera": Command(
        "mingjing.camera.command:camera_app", "摄像机 · What an operator does about cameras, e.g. calibrate"
    ),
    "run": Command("mingjing.commands:run", "运行一个进程 · One process of the system, until SIGTERM"),
    "migrate": Command("mingjing.commands:migrate", "升级数据库结构 · Bring the database schema up to date"),
    "backup": Command(
        "mingjing.backup.command:app", "备份 · Backups of a running system: make, list, verify"
    ),
    "restore": Command(
        "mingjing.backup.command:restore_command", "恢复 · A backup into an empty place, never over data"
    ),
    "topics": Command("mingjing.topics:app", "主题 · The topics on Kafka: create, list, check"),
    "move-log": Command(
        "mingjing.move_log:move_log_command", "迁移日志 · What the local log still holds, over to Kafka"
    ),
    "doctor": Command(
        "mingjing.doctor:doctor_command", "自检 · What a system here would run on, and what is missing"
    ),
    "trace": Command(
        "mingjing.trace:trace_command", "查找 · Where an event, a case or a finding is on its way"
    ),
    "finding": Command(
        "mingjing.finding:app",
        "监察发现 · The life of a finding: show, answer, appeal, decide, rectify, close",
    ),
    "desk": Command(
        "mingjing.desk.command:app", "工作台 · Accounts of the inspectors' desk: add, list, remove"
    ),
    "scores": Command(
        "mingjing.scores:scores_command", "评分 · Scores, rates and ranks of a month, quarter or year"
    ),
    "why": Command(
        "mingjing.why.command:why_command", "为什么发牌 · Why there is a card, day by day as on a calendar"
    ),
    "why-not": Command("mingjing.why.command:why_not_command", "为什么没有发牌 · Why a case has no card"),
    "spot-check": Command(
        "mingjing.spot_check:app",
        "抽查 · Random looks by people: plan, answer, report how good the findings are",
    ),
    "audit": Command("mingjing.audit.command:app", "证据 · The evidence chain: head, check, export, verify"),
    "backtest": Command(
        "mingjing.backtest:backtest_command", "回测 · What proposed rules would change over a stored history"
    ),
    "shadow": Command("mingjing.shadow:app", "试运行 · What rules in shadow would have issued: report, list"),
    "version": Command("mingjing.commands:version", "版本 · Print the version"),
}


def build_app(called: str | None) -> typer.Typer:
    """The command line with the called command in full and the others as their one line.

    Args:
        called: name of the command whose module is to be imported; None imports none.
    """
    app = typer.Typer(
        name="mingjing",
        help="明镜：政务服务中心办件时限与窗口在岗监察 · "
        "Watches a service centre: time limits of cases, staffing of windows.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, command in COMMANDS.items():
        body = command.load() if name == called else _nothing
        if isinstance(body, typer.Typer):
            app.add_typer(body, name=name, help=command.line, no_args_is_help=True)
        else:
            app.command(name, help=None if name == called else command.line)(body)
    return app


def _nothing() -> None:
    """Stands for a command that was not called."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and ends the process with its exit status. What a user can cause is one sentence."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    called = next((word for word in given if not word.startswith("-")), None)
    try:
        build_app(called if called in COMMANDS else None)(args=given)
    except MingjingError as error:
        _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep the interpreter's own flush quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", InputError.exit_status)
    sys.exit(0)


def _fail(sentence: str, status: int) -> NoReturn:
    sys.stderr.write(f"mingjing: {' '.join(sentence.split())}\n")
    sys.exit(status)
