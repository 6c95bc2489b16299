"""The command as a whole: exit status, JSON, nothing raised whatever is broken."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mingjing.cli import build_app
from mingjing.doctor import command, examine
from mingjing.doctor.report import fault, ok, warning
from mingjing.settings import load_settings


def run(monkeypatch, results, *arguments):
    monkeypatch.setattr(command, "CHECKS", (lambda scene: results,))
    return CliRunner().invoke(build_app("doctor"), ["doctor", *arguments])


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([ok("a", "好", "good")], 0),
        ([ok("a", "好", "good"), warning("b", "注意", "look", "do it")], 1),
        ([fault("c", "坏", "broken", "mend it"), warning("b", "注意", "look", "do it")], 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(monkeypatch, tmp_path, results, status):
    shown = run(monkeypatch, results, "--data", str(tmp_path))
    assert shown.exit_code == status
    assert all(result.zh in shown.stdout and result.mend in shown.stdout for result in results)
    quiet = run(monkeypatch, results, "--data", str(tmp_path), "--quiet").stdout
    assert "good" not in quiet
    machine = json.loads(run(monkeypatch, results, "--data", str(tmp_path), "--json").stdout)
    assert machine["status"] == status
    assert [row["verdict"] for row in machine["results"]] == [result.verdict for result in results]


def test_a_check_that_fails_is_a_fault_and_the_others_go_on(monkeypatch, tmp_path):
    def broken(scene):
        yield ok("first", "好", "good")
        raise OSError(5, "Input/output error", "disk")

    monkeypatch.setattr(command, "CHECKS", (broken, lambda scene: [ok("last", "好", "good")]))
    said = list(examine(load_settings(data=tmp_path)))
    assert [result.verdict for result in said] == ["ok", "fault", "ok"]
    assert "Input/output error" in said[1].en


def test_an_empty_folder_lacks_only_the_centre_file(tmp_path):
    said = {result.check: result for result in examine(load_settings(data=tmp_path))}
    assert [name for name, result in said.items() if result.verdict == "fault"] == ["centre.file"]


def test_nothing_in_what_is_said_is_a_secret(patient):
    patient.write({"cameras": [{"id": "c", "url": "rtsp://admin:geheim@127.0.0.1:1/x", "posts": [
        {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}]}]})  # fmt: skip
    settings = load_settings(
        data=patient.folder, database="postgresql://u:hidden@127.0.0.1:1/none?connect_timeout=2"
    )
    said = json.dumps([result.to_json() for result in examine(settings, patient.scene())], ensure_ascii=False)
    assert "geheim" not in said
    assert "hidden" not in said
