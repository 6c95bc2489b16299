"""What ``mingjing … --help`` says, without a process for each question."""

from __future__ import annotations

from functools import cache

from typer.testing import CliRunner

from mingjing import cli


@cache
def help_of(*words: str) -> str:
    """The help of a command or subcommand; fails the test where there is none."""
    result = CliRunner().invoke(cli.build_app(words[0]), [*words, "--help"], env={"COLUMNS": "300"})
    assert result.exit_code == 0, (words, result.output)
    return result.output
