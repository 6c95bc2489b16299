"""The house rules that a tool can check."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest
import yaml

from mingjing import cli
from mingjing.processes import PROCESSES
from mingjing.settings import PREFIX, Settings
from streams.settings import StreamSettings
from tests.conftest import ROOT

ROOMS = ("domain", "detectors", "store", "camera_adapters", "streams", "alerts", "dashboard", "mingjing")
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def sources() -> list[tuple[str, ast.Module]]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))) for path in found]


def test_every_command_of_the_readme_exists():
    named = set(re.findall(r"`?mingjing ([a-z][a-z-]+)", README + ARCHITECTURE))
    named -= {"run", "in"}
    assert named <= set(cli.COMMANDS), named - set(cli.COMMANDS)


def test_every_process_of_the_documents_exists():
    for words in re.findall(r"mingjing run ([a-z |]+)", README):
        assert {word for word in re.split(r"[ |]+", words) if word} <= set(PROCESSES)
    table = re.findall(r"^\| `([a-z]+)` \| ", ARCHITECTURE, re.MULTILINE)
    assert {name for name in table if name in PROCESSES} == set(PROCESSES)


def test_every_make_target_of_the_documents_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text("utf-8") + (ROOT / ".ci" / "run").read_text("utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text, re.MULTILINE))
    assert named >= {"demo", "check", "test"}
    assert named <= targets, named - targets


def test_the_example_in_the_readme_is_a_valid_centre_file(tmp_path):
    from domain.centre import load_centre

    block = next(text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "centre:" in text)
    (tmp_path / "centre.yaml").write_text(block, "utf-8")
    centre = load_centre(tmp_path / "centre.yaml")
    assert centre.windows[0].id == "A07"
    assert yaml.safe_load(block)["cameras"]


def test_links_in_the_documents_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "docs/architecture.md"):
        path = ROOT / name
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), (name, target)


def test_every_setting_is_in_the_table_and_nothing_else():
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
    table = ARCHITECTURE.partition("## Settings")[2].partition("\n## ")[0]
    assert set(re.findall(PREFIX + r"[A-Z_]+", table)) == known


def test_no_agent_runs_twice_at_once():
    """With ``concurrency`` above 1 Faust commits past a message that is still in work (faust-streaming issue 606)."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "concurrency":
                assert isinstance(node.value, ast.Constant), name
                assert node.value.value == 1, name


def test_nothing_asks_faust_for_exactly_once():
    for name, tree in sources():
        values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        if name != "streams/local_transport/transport.py":  # the one place that names it, to refuse it
            assert "exactly_once" not in values, name


def test_only_the_composition_root_makes_a_clock():
    """Everybody else is handed one; the stand-alone worker (`faust -A streams.app worker`) has nobody to hand it one."""
    for name, tree in sources():
        if name.startswith("mingjing/") or name in ("domain/clock.py", "streams/app.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr != "from_spec", name


def test_rules_and_words_read_no_clock():
    for name, tree in sources():
        if name.split("/")[0] not in ("domain", "detectors") or name == "domain/clock.py":
            continue
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not calls & {"datetime.now", "time.time", "time.monotonic", "date.today", "datetime.utcnow"}, (
            name
        )


def test_no_machine_path_is_in_a_tracked_file():
    ours = re.compile(r"/(?:work|tmp/brief|root|home/[a-z]+)/[\w./-]+")
    allowed = re.compile(r"/home/[a-z]+/\.|/root/data")
    for name in tracked():
        text = (ROOT / name).read_bytes()
        if b"\0" in text:
            continue
        for place in ours.findall(text.decode("utf-8", "replace")):
            assert allowed.match(place), (name, place)


def test_modules_stay_readable():
    """About 400 lines; a module beyond 450 has two nouns."""
    for name, _ in sources():
        lines = (ROOT / name).read_text("utf-8").count("\n")
        assert lines <= 450 or "catalogue" in name, (name, lines)


def test_every_room_has_tests():
    for room in ROOMS:
        assert list((ROOT / "tests" / room).glob("**/test_*.py")), room


def test_catalogues_say_everything_in_both_languages():
    from alerts import catalogue as messages
    from dashboard import catalogue as wall

    checked = 0
    for module in (messages, wall):
        for name, table in vars(module).items():
            if isinstance(table, dict) and {"zh-CN", "en"} <= set(table):
                chinese, english = table["zh-CN"], table["en"]
                if isinstance(chinese, dict):
                    assert set(chinese) == set(english), (module.__name__, name)
                    assert all(english.values())
                    assert all(chinese.values())
                    checked += 1
    assert checked >= 2


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
