"""Pictures on a cameras' machine: nothing of a citizen ever becomes a byte, a loop that is bounded, deletions that are proven."""

from __future__ import annotations

import errno
import hashlib
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

import camera_adapters
from camera_adapters import pictures_loop
from camera_adapters.pictures import Keeper, Recorder
from camera_adapters.pictures_loop import PictureLoop, safe_name
from camera_adapters.pictures_mask import Mask
from camera_adapters.source import Frame
from detectors.presence.look import Look
from detectors.presence.state import PostState
from domain.centre import Camera, Centre
from domain.centre_file import parse_centre
from domain.errors import CentreFileError
from tests.detectors.presence.scenes import noisy, room

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # a Monday, 09:00 in China
DAY = date(2026, 11, 23)
KEY = ("X", "C1")
STAFF = [(0.3, 0.1), (0.7, 0.1), (0.7, 0.5), (0.3, 0.5)]
PUBLIC = [(0.2, 0.5), (0.8, 0.5), (0.8, 1.0), (0.2, 1.0)]


def camera(public=None, **more) -> Camera:
    post = {"name": "desk", "window": "A01", "polygon": STAFF} | ({"public": public} if public else {})
    return Camera.model_validate({"id": "C1", "url": "/x.mp4", "posts": [post], **more})


def hall(**more) -> Centre:
    return Centre.model_validate(
        {
            "centre": {"id": "X"},
            "windows": [{"id": "A01"}],
            "cameras": [camera(**more).model_dump(exclude_none=True)],
        }
    )


def decoded(content: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def scrambled_outside(image: np.ndarray, kept: np.ndarray, seed: int) -> np.ndarray:
    """The same picture with other pixels wherever nothing may be kept."""
    other = np.random.default_rng(seed).integers(0, 256, image.shape, dtype=np.uint8)
    return np.where(kept[..., None], image, other)


# -- blackout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 1920])
@pytest.mark.parametrize(
    ("settings", "kept_box"),
    [
        # left, top, right, bottom of what may be kept, as shares: the staff side and its margin of 2 % of the width
        ({}, (0.28, 0.1 - 0.02 * 16 / 9, 0.72, 0.5 + 0.02 * 16 / 9)),
        ({"public": PUBLIC}, (0.28, 0.1 - 0.02 * 16 / 9, 0.72, 0.5)),
        ({"public": PUBLIC, "evidence": {"keep": "view", "margin": 0}}, None),
        ({"blackout": [[(0, 0.5), (1, 0.5), (1, 1), (0, 1)]], "evidence": {"keep": "view"}}, (0, 0, 1, 0.5)),
    ],
)
def test_what_may_not_be_kept_has_no_influence_on_any_byte(width, settings, kept_box):
    height = width * 9 // 16
    image = noisy(cv2.resize(room(3), (min(width, 780), min(height, 480))), 1)
    image = cv2.resize(image, (width, height))
    kept = np.zeros((height, width), bool)
    if kept_box is None:
        kept[:] = True
        kept[height // 2 + 1 :, int(0.2 * width) + 1 : int(0.8 * width)] = False
    else:
        left, top, right, bottom = kept_box
        # A pixel around: where an edge lies between two pixels either of them may be meant.
        kept[
            max(0, int(top * height) - 1) : int(bottom * height) + 3,
            max(0, int(left * width) - 1) : int(right * width) + 3,
        ] = True
    mask = Mask(camera(**settings))
    content = mask.jpeg(image)
    assert content is not None
    before = image.copy()
    for seed in range(2):
        assert mask.jpeg(scrambled_outside(image, kept, seed)) == content, "a hidden pixel shows in the bytes"
    assert (image == before).all(), "the picture that is looked at is not touched"
    inside = decoded(content)
    assert inside.max() > 100, "the staff side is there"
    assert inside.shape[1] <= 640


def test_what_is_hidden_is_exactly_black():
    image = np.full((720, 1280, 3), 255, np.uint8)
    view = decoded(Mask(camera(public=PUBLIC, evidence={"keep": "view", "width": 1280})).jpeg(image))
    assert view.shape == image.shape
    # The blocks of eight pixels that lie wholly in the citizens' side.
    assert (view[368:720, 264:1016] == 0).all()
    assert (view[:320, :] > 250).all()
    both = Mask(camera(blackout=[[(0, 0.45), (1, 0.45), (1, 1), (0, 1)]])).jpeg(image)
    assert (decoded(both)[-2:] > 200).all(), (
        "cut above the area that is hidden, although the staff side reaches into it"
    )


def test_no_colour_runs_over_into_what_is_black():
    image = np.full((360, 640, 3), (20, 20, 230), np.uint8)
    corner = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    post = {"name": "desk", "window": "A01", "polygon": corner}
    one = Camera.model_validate({"id": "C1", "url": "/x.mp4", "posts": [post], "evidence": {"margin": 0}})
    shown = decoded(Mask(one).jpeg(image) or b"")
    assert shown.shape == image.shape
    blocks = shown.reshape(45, 8, 80, 8, 3).max(axis=(1, 3, 4))
    row, column = np.mgrid[0:45, 0:80]
    hidden = column / 80 + row / 45 > 1.001 + 1 / 640 + 1 / 360  # by its nearest corner
    assert hidden.sum() > 1500
    assert not blocks[hidden].any()
    assert blocks[~hidden & (column / 80 + row / 45 < 0.9)].min() > 200


def test_nothing_is_kept_where_all_is_hidden_or_nothing_is_wanted():
    image = room(3)
    assert Mask(camera(blackout=[[(0, 0), (1, 0), (1, 1), (0, 1)]])).jpeg(image) is None
    assert Mask(camera(evidence={"keep": "none"})).jpeg(image) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("evidence: {keep: view}", "line 8|:8: .*'keep: view' keeps all but what is drawn"),
        ("evidence: {keep: veiw}", ":8: .*staff.*view"),
        ("evidence: {every: 0.1}", ":8: .*greater than or equal to 1"),
        ("evidence: {keeep: staff}", "unknown key 'keeep'.*did you mean 'keep'"),
        ("blackout: [[[0, 0], [2, 0], [1, 1]]]", ":8: .*blackout: area 1 corner 2 .*outside the picture"),
    ],
)
def test_the_centre_file_says_what_is_wrong(line, reason):
    text = (
        "centre: {id: X}\nwindows: [{id: A01}]\ncameras:\n  - id: C1\n    url: /x.mp4\n    posts:\n"
        "      - {name: desk, window: A01, polygon: [[0.3, 0.1], [0.7, 0.1], [0.7, 0.5]]}\n    " + line + "\n"
    )
    with pytest.raises(CentreFileError, match=reason):
        parse_centre(text)


def test_every_byte_on_the_disk_goes_through_one_module():
    """No other module of the room can write: pictures are turned into bytes and written nowhere else."""
    folder = Path(camera_adapters.__file__).parent
    writing = re.compile(
        r"imwrite|imencode|write_bytes|write_text|VideoWriter|\.write\(|open\([^)]*[\"'][wax]|os\.replace"
    )
    found = {path.name for path in folder.glob("pict*.py") if writing.search(path.read_text("utf-8"))}
    assert found == {"pictures_loop.py", "pictures_mask.py"}
    mask = (folder / "pictures_mask.py").read_text("utf-8")
    assert set(writing.findall(mask)) == {"imencode"}, "the mask makes bytes and writes none"
    loop = (folder / "pictures_loop.py").read_text("utf-8")
    assert "imencode" not in loop
    assert loop.count("file.write(") == 2  # put and _append


# -- the loop --------------------------------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


def fill(loop: PictureLoop, day: date = DAY, count: int = 5, start: float = 0.0, key=KEY) -> list[str]:
    begin = at(start) + (day - DAY)
    return [
        loop.keep(
            key,
            day,
            begin + timedelta(seconds=10 * n),
            f"{day} {start} {n}".encode() * 50,
            states={"desk": "absent"},
        ).sha256
        for n in range(count)
    ]


def test_a_picture_is_named_by_its_bytes_and_found_again(tmp_path: Path):
    loop = PictureLoop(tmp_path)
    names = fill(loop)
    stretch = PictureLoop(tmp_path).read(KEY, at(10), at(30))
    assert [kept.sha256 for kept in stretch.pictures] == names[1:4]
    assert stretch.pictures[0].at == at(10)
    content = loop.content(KEY, stretch.pictures[0])
    assert content is not None
    assert hashlib.sha256(content).hexdigest() == names[1]
    path = next(tmp_path.glob(f"*/*/*/{names[1]}.jpg"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(content[:-1] + b"x")
    assert loop.content(KEY, stretch.pictures[0]) is None, "one changed byte, and it is not that picture"


def test_a_line_that_a_crash_cut_short_spoils_no_other(tmp_path: Path):
    loop = PictureLoop(tmp_path)
    fill(loop, count=2)
    index = next(tmp_path.glob("*/*/*/index.jsonl"))
    index.write_bytes(index.read_bytes()[:-20])
    later = PictureLoop(tmp_path).keep(KEY, DAY, at(60), b"later")
    found = PictureLoop(tmp_path).read(KEY, at(0), at(100)).pictures
    assert [kept.at for kept in found] == [at(0), at(60)]
    assert found[-1].sha256 == later.sha256


def test_it_knows_why_there_is_none(tmp_path: Path):
    loop = PictureLoop(tmp_path)
    fill(loop, count=2)
    loop.note_gap(KEY, DAY, at(40), "unreachable")
    stretch = loop.read(KEY, at(60), at(100))
    assert stretch.pictures == ()
    assert stretch.gaps[-1].reason == "unreachable"
    assert stretch.speaks_of(at(30))
    assert not stretch.speaks_of(at(50))
    assert not PictureLoop(tmp_path / "other").read(KEY, at(0), at(100)).speaks_of(at(0))


@pytest.mark.parametrize(
    "code", ["A/../../x", "..", "", "一号厅·东侧球机" * 20, "deleted", "2026-11-23", "C1", "c.1-2_3"]
)
def test_any_code_is_a_folder_of_its_own(code, tmp_path: Path):
    loop = PictureLoop(tmp_path / "pictures")
    loop.keep(("中心", code), DAY, NINE, b"x")
    assert loop.cameras() == [("中心", code)]
    assert len(list((tmp_path / "pictures").glob("*/*/*/*.jpg"))) == 1
    assert "/" not in safe_name(code)
    assert safe_name(code) not in ("", ".", "..")


def test_what_is_deleted_is_written_down_first_and_stays_checkable(tmp_path: Path):
    loop = PictureLoop(tmp_path)
    names = fill(loop)
    made = loop.delete(KEY, DAY, "age", at(1e6))
    assert made is not None
    assert made.pictures == 5
    assert not list(tmp_path.glob("*/*/*/*.jpg"))
    hashes = next(tmp_path.glob("*/*/deleted/*.hashes")).read_bytes()
    assert hashlib.sha256(hashes).hexdigest() == made.digest
    assert [each.digest for each in loop.deleted_with(names[3])] == [made.digest]
    assert not list(loop.deleted_with("0" * 64))
    assert loop.deletions(KEY, unreported=True) == [made]
    loop.reported(made)
    assert loop.deletions(KEY, unreported=True) == []
    assert loop.deletions(KEY) == [made]
    assert loop.read(KEY, at(0), at(50)).gaps[0].reason == "deleted_age"


def test_the_beginning_of_a_day_may_go_alone(tmp_path: Path):
    loop = PictureLoop(tmp_path)
    names = fill(loop)
    same = loop.keep(KEY, DAY, at(45), (f"{DAY} 0.0 0").encode() * 50)
    assert same.sha256 == names[0], "a frozen camera gives the same picture again"
    made = loop.delete(KEY, DAY, "disk", at(100), until=at(20))
    assert made is not None
    assert made.pictures == 1, "the one that is needed again stays"
    left = loop.read(KEY, at(0), at(100))
    assert [kept.at for kept in left.pictures] == [at(20), at(30), at(40), at(45)]
    assert all(loop.content(KEY, kept) for kept in left.pictures)
    assert ("deleted_disk", at(0)) in [(gap.reason, gap.at) for gap in left.gaps]


def test_killed_while_deleting_it_deletes_the_rest_at_the_next_start(tmp_path: Path, monkeypatch):
    loop = PictureLoop(tmp_path)
    fill(loop)
    monkeypatch.setattr(PictureLoop, "_carry_out", lambda *_: None)
    made = loop.delete(KEY, DAY, "age", at(1e6))
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*/*/*/*.jpg"))) == 5
    PictureLoop(tmp_path).finish()
    assert not list(tmp_path.glob("*/*/*/*.jpg"))
    assert PictureLoop(tmp_path).deletions(KEY, unreported=True) == [made]


KILLED = """
import os, sys
from datetime import date, datetime, UTC
from pathlib import Path
from camera_adapters import pictures_loop
loop = pictures_loop.PictureLoop(Path(sys.argv[1]))
key, day = ("X", "C1"), date(2026, 11, 23)
loop.keep(key, day, datetime(2026, 11, 23, 1, 0, tzinfo=UTC), b"first" * 100)
real = os.replace
def die(*names):
    if sys.argv[2] == "after":
        real(*names)
    os.kill(os.getpid(), 9)
os.replace = die
loop.keep(key, day, datetime(2026, 11, 23, 1, 1, tzinfo=UTC), b"second" * 100)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_picture_and_line_nothing_is_half_there(moment, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), moment], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == -9
    loop = PictureLoop(tmp_path)
    assert [kept.at for kept in loop.read(KEY, at(0), at(100)).pictures] == [at(0)]
    assert len(list(tmp_path.glob("*/*/*/*.jpg"))) == (1 if moment == "before" else 2)
    made = loop.delete(KEY, DAY, "age", at(1e6))
    assert made is not None
    assert made.pictures == (1 if moment == "before" else 2), "also the one without a line goes, and is told"
    assert not [path for path in tmp_path.glob("*/*/*") if path.name == DAY.isoformat()]


# -- the keeper ------------------------------------------------------------------------------------------------------


class Desk:
    """A recorder and its keeper with everything about them in the hand of the test."""

    def __init__(
        self, folder: Path, limit: int | None = None, usage=lambda _: (10**9, 0, 10**9), least=0.0, **more
    ):
        self.now = NINE
        self.offset: float | None = None
        self.centre = hall(**more)
        self.keeper = Keeper(PictureLoop(folder), now=lambda: self.now, limit=limit, usage=usage)
        self.recorder = Recorder(
            self.centre,
            self.centre.cameras[0],
            self.keeper,
            now=lambda: self.now,
            least=least,
            offset=lambda: self.offset,
        )
        self.seed = 0

    def look(self, state="present", *, saw=None, picture=True, blind=None, seconds=1.0, reason=None):
        self.seed += 1
        frame = Frame(noisy(room(3), self.seed), 0.0, self.now) if picture else None
        said = PostState(state, reason, 1.0, 0.0, 0.0, 0.0)
        seen = None if blind else {"present": True, "absent": False}.get(state if saw is None else saw)
        self.recorder(frame, [said], [Look(seen, 0.0, (blind or "few_looks") if seen is None else None)])
        self.keeper.step()
        self.now += timedelta(seconds=seconds)

    def kept(self):
        return self.keeper.loop.read(KEY, NINE - timedelta(days=40), NINE + timedelta(days=40))


def test_one_every_ten_seconds_and_one_at_each_change(tmp_path: Path):
    desk = Desk(tmp_path)
    for _ in range(25):
        desk.look()
    desk.look("absent")
    for _ in range(14):
        desk.look("absent")
    found = desk.kept().pictures
    assert [(kept.at - NINE).seconds for kept in found] == [0, 10, 20, 25, 30]
    assert [kept.states["desk"] for kept in found] == ["present"] * 3 + ["absent"] * 2
    assert desk.keeper.counts.kept == 5
    assert desk.keeper.size == sum(kept.size for kept in found) == desk.keeper.counts.kept_bytes


def test_a_post_has_its_own_picture_without_the_neighbour(tmp_path: Path):
    posts = [
        {"name": "left", "window": "A01", "polygon": [(0.1, 0.2), (0.4, 0.2), (0.4, 0.6), (0.1, 0.6)]},
        {"name": "right", "window": "A02", "polygon": [(0.6, 0.2), (0.9, 0.2), (0.9, 0.6), (0.6, 0.6)]},
    ]
    centre = Centre.model_validate(
        {
            "centre": {"id": "X"},
            "windows": [{"id": "A01"}, {"id": "A02"}],
            "cameras": [{"id": "C1", "url": "/x.mp4", "posts": posts}],
        }
    )
    keeper = Keeper(PictureLoop(tmp_path), now=lambda: NINE, usage=lambda _: (10**9, 0, 10**9))
    recorder = Recorder(centre, centre.cameras[0], keeper, now=lambda: NINE)
    image = np.full((360, 640, 3), 30, np.uint8)
    image[:, 320:] = 200  # the right one's half
    for second, right in ((0, "present"), (2, "absent"), (4, "absent")):
        states = [PostState(state, None, 1.0, 0.0, 0.0, 0.0) for state in ("present", right)]
        recorder(Frame(image, 0.0, at(second)), states, [Look(True), Look(right == "present")])
        keeper.step()
    found = keeper.loop.read(KEY, at(0), at(60)).pictures
    assert [(kept.post, (kept.at - NINE).seconds, dict(kept.states)) for kept in found] == [
        ("left", 0, {"left": "present"}),
        ("right", 0, {"right": "present"}),
        ("right", 2, {"right": "absent"}),
    ], "a change is kept of the post that changed"
    left, right = (decoded(keeper.loop.content(KEY, kept) or b"") for kept in found[:2])
    assert left.max() < 60, "nothing of the neighbour"
    assert right.min() > 150


def test_a_picture_is_told_by_what_was_seen_in_it_not_by_what_was_still_said(tmp_path: Path):
    """Found on the whole way: a seat that had just become empty stood as the last that showed somebody."""
    desk = Desk(tmp_path)
    desk.look("present", seconds=10)
    desk.look("present", saw="absent", seconds=10)
    assert [kept.states["desk"] for kept in desk.kept().pictures] == ["present", "absent"]


def test_nothing_outside_of_the_open_hours(tmp_path: Path):
    desk = Desk(tmp_path)
    for hour in (8.5, 8.95, 12.05, 12.5, 13.45, 17.2):
        desk.now = NINE + timedelta(hours=hour - 9)
        desk.look()
    desk.now = NINE + timedelta(days=5)  # a Saturday
    desk.look()
    local = [kept.at.astimezone(desk.centre.zone).strftime("%H:%M") for kept in desk.kept().pictures]
    assert local == ["08:57", "12:03", "13:27"]


def test_a_camera_that_was_moved_is_not_kept_and_says_why(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.look()
    for _ in range(18):
        desk.look("unknown", blind="moved", seconds=20)
    found = desk.kept()
    assert len(found.pictures) == 1
    assert [gap.at for gap in found.gaps if gap.reason == "moved"] == [at(1), at(301)]
    desk.look("unknown", picture=False, blind="unreachable")
    assert desk.kept().gaps[-1].reason == "unreachable"


def test_the_cameras_own_clock_goes_with_the_picture(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.look(seconds=20)
    desk.offset = -93.4567
    desk.look()
    assert [kept.offset for kept in desk.kept().pictures] == [None, -93.457]


def test_a_fast_clock_does_not_keep_the_machine_busy(tmp_path: Path):
    desk = Desk(tmp_path, least=60.0)
    for _ in range(13):
        desk.look(seconds=15)
    assert [(kept.at - NINE).seconds for kept in desk.kept().pictures] == [0, 60, 120, 180]


def test_at_its_limit_the_oldest_go_first_counted_and_never_what_is_wanted(tmp_path: Path, caplog):
    loop = PictureLoop(tmp_path)
    old = [DAY - timedelta(days=n) for n in (3, 2, 1)]
    for day in old:
        fill(loop, day)
    total = sum(loop.size(KEY, day) for day in old)
    desk = Desk(tmp_path, limit=total + 10)
    desk.keeper.spared = {(KEY, old[0])}
    desk.look()
    left = desk.keeper.loop.days(KEY)
    assert old[0] in left, "wanted as evidence"
    assert old[1] not in left
    assert desk.keeper.counts.removed["disk"] >= 5
    assert desk.keeper.size <= total + 10
    assert "no room" in caplog.text
    reasons = {made.reason for made in desk.keeper.loop.deletions(KEY)}
    assert reasons == {"disk"}


def test_within_one_day_the_oldest_hour_goes(tmp_path: Path):
    desk = Desk(tmp_path)
    for _ in range(3):
        desk.look(seconds=3000)
    sizes = [kept.size for kept in desk.kept().pictures]
    tight = Desk(tmp_path, limit=sum(sizes) + 10)
    tight.now = NINE + timedelta(seconds=9000)
    tight.look()
    assert [(kept.at - NINE).seconds for kept in tight.kept().pictures] == [6000, 9000]
    assert tight.keeper.size == sum(kept.size for kept in tight.kept().pictures)


def test_a_full_disk_costs_pictures_counted_and_no_look(tmp_path: Path, monkeypatch, caplog):
    desk = Desk(tmp_path)
    desk.look(seconds=10)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pictures_loop, "put", full)
    for _ in range(3):
        desk.look(seconds=10)
    monkeypatch.undo()
    assert desk.keeper.counts.given_up == {"disk": 3}
    assert caplog.text.count("cannot be kept") == 1
    desk.look(seconds=10)
    assert len(desk.kept().pictures) == 2
    assert not list(tmp_path.glob("*/*/*/.*")), "no half file stays"


def test_a_disk_that_is_gone_is_not_asked_without_pause(tmp_path: Path):
    (tmp_path / "pictures").write_text("a file where the folder should be")
    keeper = Keeper(PictureLoop(tmp_path / "pictures"), now=lambda: NINE)
    waits = []

    class Stop:
        def is_set(self):
            return len(waits) == 3

        def wait(self, seconds):
            waits.append(seconds)

    keeper.run(Stop())
    assert waits == [1.0] * 3


def test_it_leaves_some_of_the_disk_free_whatever_its_limit(tmp_path: Path):
    free = [10**9]
    desk = Desk(tmp_path, usage=lambda _: (10**9, 0, free[0]))
    desk.look(seconds=10)
    free[0] = 10**7
    desk.look(seconds=10)
    assert desk.keeper.counts.given_up == {"disk": 1}, "even the oldest hour made no room"


def test_a_picture_that_breaks_the_encoder_costs_no_look(tmp_path: Path, caplog):
    desk = Desk(tmp_path)
    desk.recorder(
        Frame(np.zeros((0, 0, 3), np.uint8), 0.0, desk.now),
        [PostState("present", None, 1.0, 0, 0, 0)],
        [Look(True)],
    )
    assert desk.keeper.counts.given_up == {"error": 1}
    assert "could not be kept" in caplog.text
