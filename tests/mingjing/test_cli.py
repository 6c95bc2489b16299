"""The command line: fast help, one clear sentence for what a user can cause, exit statuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from domain.errors import CentreFileError, StoreError
from mingjing import cli


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mingjing", *arguments], capture_output=True, text=True, timeout=60
    )


def test_help_names_every_command_and_imports_none_of_their_modules():
    program = (
        "import sys; from mingjing import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('faust', 'cv2', 'av', 'dash', 'psycopg', 'numpy', 'pydantic')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert shown.stdout.strip().endswith("[]")
    assert all(f"  {name} " in shown.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_exists(name):
    assert callable(cli.COMMANDS[name].load())


@pytest.mark.process
@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_explains_itself(name):
    shown = call(name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Usage: mingjing " + name in shown.stdout.replace("python -m mingjing", "mingjing")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            CentreFileError("centre.yaml", 3, "unknown key 'widows'", "windows"),
            2,
            "centre.yaml:3: unknown key",
        ),
        (StoreError("the database does not answer\nsecond line"), 1, "does not answer second line"),
        (FileNotFoundError(2, "No such file or directory", "events.jsonl"), 2, "events.jsonl: No such file"),
    ],
)
def test_an_error_is_one_sentence_and_its_status(error, status, said, monkeypatch, capsys):
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli.Command, "load", lambda self: fail)
    with pytest.raises(SystemExit) as left:
        cli.main(["version"])
    assert left.value.code == status
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert "Traceback" not in shown.err


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.Command, "load", lambda self: fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["version"])


@pytest.mark.process
def test_an_unknown_process_is_named_with_those_there_are(tmp_path):
    shown = call("run", "kitchen", "--data", str(tmp_path))
    assert shown.returncode == 2
    assert "no process is called 'kitchen'" in shown.stderr
    assert "Traceback" not in shown.stderr
