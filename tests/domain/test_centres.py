"""A folder of centre files: read quickly, refused with every defect, and never blinded by one broken file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.province import divisions, make_centre, write_province
from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.errors import CentreFileError, CentreFilesError, EventError
from domain.events import parse_event

EVENT = {"event_id": "e1", "kind": "case.received", "occurred_at": "2026-11-20T09:00:00+08:00", "source": "s"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_province(tmp_path / "centres", centres=3, windows=4)
    return tmp_path / "centres"


def break_it(file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("windows:", "wndows:"), "utf-8")


def test_one_file_is_a_system_of_one(folder: Path):
    centres = load_centres(folder / "530102.yaml")
    assert list(centres) == ["530102"]
    assert not centres.several
    assert centres.only is centres["530102"]


def test_a_folder_is_all_its_files_in_the_order_of_their_names(folder: Path):
    (folder / "README.txt").write_text("x")
    (folder / ".530102.yaml.swp").write_text("x")
    (folder / "old").mkdir()
    centres = load_centres(folder)
    assert list(centres) == ["530100", "530102", "530103"]
    assert centres.several
    assert centres.only is None
    assert centres.ignored == ("README.txt", "old")
    centres.refuse_problems()


def test_every_defect_is_named_with_file_and_line(folder: Path):
    for name in ("530100", "530103"):
        break_it(folder / f"{name}.yaml")
    centres = load_centres(folder)
    assert list(centres) == ["530102"]
    with pytest.raises(CentreFilesError) as caught:
        centres.refuse_problems()
    assert caught.value.exit_status == 2
    text = str(caught.value)
    assert text.count("unknown key 'wndows' (did you mean 'windows'?)") == 2
    assert all(f"{name}.yaml:" in text for name in ("530100", "530103"))
    assert all(problem.line for problem in caught.value.problems)


def test_an_id_in_two_files_names_both(folder: Path):
    (folder / "copy.yaml").write_text((folder / "530102.yaml").read_text("utf-8"), "utf-8")
    centres = load_centres(folder)
    assert len(centres) == 3
    with pytest.raises(CentreFileError, match=r"copy\.yaml: .*'530102' is the id of .*530102\.yaml"):
        centres.refuse_problems()


@pytest.mark.parametrize("broken", [False, True])
def test_a_folder_without_any_usable_file_is_refused(tmp_path: Path, broken: bool):
    if broken:
        (tmp_path / "a.yaml").write_text("centre: {}", "utf-8")
    with pytest.raises(CentreFileError, match=r"a\.yaml" if broken else "holds no centre file"):
        load_centres(tmp_path)


def test_the_last_good_reading_stands_in_for_a_file_that_breaks(folder: Path, tmp_path: Path):
    kept = tmp_path / "kept"
    before = load_centres(folder, kept=kept)
    break_it(folder / "530102.yaml")
    (folder / "530103.yaml").chmod(0o644)
    (folder / "530104.yaml").write_text("nonsense", "utf-8")  # never read before
    after = load_centres(folder, kept=kept)
    assert list(after) == list(before)
    assert after["530102"] == before["530102"]
    assert [Path(problem.file).name for problem in after.problems] == ["530102.yaml", "530104.yaml"]


def test_what_is_kept_says_what_the_file_says_until_that_changes(folder: Path, tmp_path: Path):
    kept = tmp_path / "kept"
    first, again = load_centres(folder, kept=kept), load_centres(folder, kept=kept)
    assert [c.model_dump_json() for c in first.values()] == [c.model_dump_json() for c in again.values()]
    file = folder / "530102.yaml"
    file.write_text(file.read_text("utf-8").replace("五华区", "呈贡区"), "utf-8")
    assert load_centres(folder, kept=kept)["530102"].centre.name == "呈贡区政务服务中心"
    (kept / "530102.yaml.json").write_text("{", "utf-8")
    assert load_centres(folder, kept=kept)["530102"].centre.name == "呈贡区政务服务中心"


def test_an_unchanged_folder_is_read_again_much_faster_than_it_was_first(tmp_path: Path):
    write_province(tmp_path / "c", centres=8)

    def took() -> float:
        began = time.perf_counter()
        load_centres(tmp_path / "c", kept=tmp_path / "kept")
        return time.perf_counter() - began

    cold = took()
    assert min(took() for _ in range(3)) < cold / 2


def test_the_province_has_145_centres_of_different_codes():
    codes = [code for code, _ in divisions()]
    assert len(codes) == len(set(codes)) == 145
    assert all(len(code) == 6 and code.isdigit() for code in codes)


def test_of_several_centres_an_event_must_name_one(folder: Path):
    checks = load_centres(folder).checks
    with pytest.raises(EventError) as caught:
        parse_event({**EVENT, "case": "C1"}, **checks)
    assert (caught.value.code, caught.value.field) == ("missing_centre", "centre")
    with pytest.raises(EventError) as caught:
        parse_event({**EVENT, "case": "C1", "centre": "110000"}, **checks)
    assert caught.value.code == "unknown_centre"
    assert parse_event({**EVENT, "case": "C1", "centre": "530103"}, **checks).centre == "530103"


def test_windows_are_those_of_the_events_own_centre():
    first, second = (
        Centre.model_validate(make_centre(code, "", windows=count, cameras=False))
        for code, count in (("530100", 2), ("530102", 1))
    )
    checks = Centres([first, second]).checks
    row = {**EVENT, "case": "C1", "window": first.windows[1].id}
    assert parse_event({**row, "centre": "530100"}, **checks).window == row["window"]
    with pytest.raises(EventError) as caught:
        parse_event({**row, "centre": "530102"}, **checks)
    assert caught.value.code == "unknown_window"


def test_a_system_of_one_goes_on_inferring_the_centre(folder: Path):
    checks = load_centres(folder / "530102.yaml").checks
    assert parse_event({**EVENT, "case": "C1"}, **checks).centre is None
    with pytest.raises(EventError) as caught:
        parse_event({**EVENT, "case": "C1", "centre": "530103"}, **checks)
    assert caught.value.code == "wrong_centre"
