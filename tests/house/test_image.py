"""The image without an engine: what the Dockerfile says, and that the wheel it builds is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.compose import BASE, load, ours, target
from tests.house.test_house import ROOMS, tracked

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
IGNORE = (ROOT / ".dockerignore").read_text("utf-8").split()


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) in order, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, rest in pairs]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for pair in instructions():
        if pair[0] == "FROM":
            found.append([])
        found[-1].append(pair)
    return found


def test_it_uses_known_instructions_only() -> None:
    known = {"FROM", "ENV", "ARG", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in instructions()} <= known


def test_both_stages_stand_on_the_same_pinned_image() -> None:
    bases = {rest.partition(" AS ")[0] for word, rest in instructions() if word == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", bases.pop())


def test_the_last_stage_builds_nothing_and_runs_as_an_ordinary_user() -> None:
    last = stages()[-1]
    runs = " ".join(rest for word, rest in last if word == "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc|make)\b", runs)
    assert [rest for word, rest in last if word == "COPY"] == ["--from=build /opt/mingjing /opt/mingjing"]
    (user,) = [rest for word, rest in last if word == "USER"]
    uid = user.split(":")[0]
    assert uid.isdigit()
    assert int(uid) >= 1000
    assert f"--uid {uid}" in runs
    # A new volume takes its owner from the folder it covers.
    assert "install -d -o mingjing -g mingjing -m 0700 /data" in runs
    for name, service in ours(load(BASE)).items():
        assert "/data" in [target(volume) for volume in service["volumes"]], name


def test_the_environment_stays_where_it_was_built() -> None:
    """A virtual environment has its own path in its scripts."""
    assert "python -m venv /opt/mingjing" in DOCKERFILE
    assert "PATH=/opt/mingjing/bin:$PATH" in DOCKERFILE
    assert ("ENTRYPOINT", '["mingjing"]') in stages()[-1]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    allowed = {word[1:] for word in IGNORE if word.startswith("!")}
    assert IGNORE[0] == "*", "nothing is sent that is not named"
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in allowed, source
    copied = {source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]}
    assert set(ROOMS) <= copied


def test_every_library_is_pinned() -> None:
    text = (ROOT / "ops" / "constraints.txt").read_text("utf-8")
    pinned = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in project["dependencies"]}
    assert wanted <= pinned, (
        f"missing in ops/constraints.txt (its head says how it is made): {wanted - pinned}"
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git knows, as the image builds it from what .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        if name.split("/")[0] in (*ROOMS, "pyproject.toml", "README.md", "LICENSE"):
            target = folder / "src" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check", "--wheel-dir", str(folder), "."],
        cwd=folder / "src", capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    if built.returncode != 0 and "setuptools" in built.stderr and not os.environ.get("CI"):
        pytest.skip(f"no wheel can be built here: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
@pytest.mark.process
def test_the_wheel_holds_every_file_of_the_rooms(wheel: Path) -> None:
    """Code opens SQL, YAML, CSS and JavaScript beside itself; all that is not a page for readers must be there."""
    names = set(zipfile.ZipFile(wheel).namelist())
    source = wheel.parent / "src"
    files = {
        str(path.relative_to(source))
        for room in ROOMS
        for path in (source / room).rglob("*")
        if path.is_file()
    }
    wanted = {name for name in files if not name.endswith(".md")}
    assert len(wanted) > 100
    assert wanted <= names, wanted - names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


@pytest.mark.slow
@pytest.mark.process
def test_it_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere and found first, with the libraries of this environment: commands answer, files are found."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "lib")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    environ |= {"PYTHONPATH": str(tmp_path / "lib"), "MINGJING_DATA": str(tmp_path / "data")}

    def python(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    check = """
import mingjing, pathlib
from store.migrate import load_migrations
from domain.centre import load_centre
import dashboard, mingjing.demo, mingjing.processes, streams.app, alerts.sender, camera_adapters.runner
print(len(load_migrations()), pathlib.Path(mingjing.__file__).parent)
load_centre(pathlib.Path(mingjing.demo.__file__).parent / "centre.yaml")
assert (pathlib.Path(dashboard.__file__).parent / "assets" / "wall.js").read_text()
"""
    count, place = python("-c", check).split(maxsplit=1)
    assert place.strip() == str(tmp_path / "lib" / "mingjing")
    assert int(count) == len(list((ROOT / "store" / "migrations").glob("*.sql")))
    assert "worker" in python("-m", "mingjing", "run", "--help")
    assert "mingjing" in python("-m", "mingjing", "--help")
