from __future__ import annotations

import hashlib
import json
import threading
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, takewhile

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from camera_adapters.media import Decoded, Media
from detectors.presence.nets.net import Person
from detectors.presence.posts import Post
from domain.errors import MediaError, ModelError, SettingsError
from mingjing import models
from mingjing.cli import main
from mingjing.models import CATALOGUE, Model, ModelFile, choose_net, install
from mingjing.posts_file import read_posts
from mingjing.watch import watch, watch_file
from tests.camera_adapters.fake_rtsp import FakeCamera, encode
from tests.detectors.presence.scenes import POST, noisy, room, with_somebody

HERE = (0.4, 0.25, 0.2, 0.6)


class Net:
    """Sees somebody while ``there`` says so of the picture's mean level (bright = somebody)."""

    def fit(self, image):
        return cv2.resize(image, (320, 320))

    def find(self, images):
        return [[Person(HERE, 0.9)] if image[150:170, 150:170].mean() > 128 else [] for image in images]


def film(plan, fps=10, jitter=None):
    """Pictures of a plan [(seconds, image or None for a gap)], each with noise."""
    t, number = 0.0, count()
    for seconds, image in plan:
        for _ in range(round(seconds * fps)):
            n = next(number)
            if image is not None:
                yield Decoded(noisy(image, n), t + (jitter(n) if jitter else 0.0), n % fps == 0)
            t += 1 / fps


def lit(there):
    image = room()
    image[150:210, 280:360] = 250 if there else 5
    return image


def states(plan, every=0.5, **options):
    return [
        (s.t, s.state.state, s.state.reason) for s in watch(film(plan), [POST], Net(), every=every, **options)
    ]


def test_samples_come_at_fixed_times_from_zero_to_the_end():
    found = states([(5, lit(True))])
    assert [t for t, *_ in found] == [0.5 * i for i in range(10)]
    assert {state for _, state, _ in found} == {"present"}


@pytest.mark.parametrize("every", [0.2, 0.5, 1.0, 0.7])
def test_the_state_follows_a_change_within_a_second_at_any_pace(every):
    found = states([(4, lit(False)), (4, lit(True)), (4, lit(False))], every)
    for t, state, _ in found:
        if 1.0 <= t < 4.0 or t > 9.0:
            assert state == "absent", t
        elif 5.0 < t < 8.0:
            assert state == "present", t


def test_a_sample_uses_nothing_that_comes_after_it():
    plan = [(4, lit(False)), (4, lit(True))]
    assert states(plan)[:8] == states([(4, lit(False))])


def test_absence_is_not_said_before_a_second_has_been_seen():
    first = states([(3, lit(False))])
    assert [state for _, state, _ in first[:2]] == ["unknown", "unknown"]
    assert first[0][2] == "restart"
    assert first[2][1] == "absent"


def test_a_gap_in_the_pictures_is_unknown():
    found = states([(3, lit(False)), (6, None), (3, lit(False))])
    gap = [(state, reason) for t, state, reason in found if 6 <= t < 9]
    assert gap == [("unknown", "stale")] * 6
    assert found[-1][1] == "absent"


def test_frozen_and_covered_views_become_unknown_in_time():
    held = noisy(lit(False), 5)
    live = list(film([(10, lit(False))]))
    still = [Decoded(held, 10 + i / 10, i % 10 == 0) for i in range(120)]
    black = [Decoded(np.full_like(held, 70), 22 + i / 10, i % 10 == 0) for i in range(50)]
    found = [(s.t, s.state.state, s.state.reason) for s in watch(live + still + black, [POST], Net())]
    assert {(state, reason) for t, state, reason in found if 19.5 < t < 22} == {("unknown", "frozen")}
    assert {(state, reason) for t, state, reason in found if t > 24} == {("unknown", "covered")}


def test_times_that_run_backwards_go_on():
    loop = list(film([(3, lit(True))]))
    found = list(watch([*loop, *loop], [POST], Net()))
    assert [s.t for s in found] == [0.5 * i for i in range(12)]


# -- files ---------------------------------------------------------------------------------------------------------


def write_clip(path, images, fps=10):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif" if path.suffix == ".gif" else "libx264", rate=fps)
        stream.width, stream.height = 640, 360
        stream.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=stream.pix_fmt)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def write_posts(path, **changes):
    polygon = [[x * 320, y * 180] for x, y in POST.polygon]  # half the clip's size: must be scaled
    row = {"width": 320, "height": 180, "posts": [{"name": "desk", "polygon": polygon}]} | changes
    path.write_text(json.dumps(row))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".gif"])
def test_every_kind_of_file_is_watched_with_its_posts_scaled(tmp_path, suffix):
    video = write_clip(tmp_path / f"clip{suffix}", [p.image for p in film([(2, lit(False)), (2, lit(True))])])
    posts = read_posts(write_posts(tmp_path / "posts.json"))
    found = list(watch_file(str(video), posts, Net()))
    assert len(found) == 8
    assert found[3].state.state == "absent"
    assert found[-1].state.state == "present"


def test_named_empty_spans_are_learned_wherever_they_lie(tmp_path):
    images = [noisy(with_somebody(room(), 0.5, i), i) for i in range(30)] + [
        noisy(room(), i) for i in range(30)
    ]
    video = write_clip(tmp_path / "clip.mp4", images)
    post = Post("desk", POST.polygon, ((4.0, 5.5),))
    found = list(watch_file(str(video), [post], None))
    assert [s.state.state for s in found][2:6] == ["present"] * 4
    assert found[-1].state.state == "absent"
    unknown = list(watch_file(str(video), [Post("desk", POST.polygon)], None))
    assert {(s.state.state, s.state.reason) for s in unknown} == {("unknown", "learning")}


def test_an_rtsp_address_is_watched(tmp_path):
    units = encode([p.image for p in film([(3, lit(True))], fps=25)])
    with FakeCamera(units, fps=100) as camera:
        samples = watch_file(camera.url(), [POST], Net(), every=0.2)
        found = [next(samples) for _ in range(4)]
        samples.close()
    assert found[-1].state.state == "present"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["watch", *map(str, arguments)])
    return end.value.code, *capsys.readouterr()


def test_the_command_writes_the_lines_of_the_contract(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path / "nothing"))
    monkeypatch.delenv("MINGJING_MODELS", raising=False)
    video = write_clip(tmp_path / "clip.mp4", [p.image for p in film([(2, lit(True))])])
    code, out, err = run(capsys, video, "--posts", write_posts(tmp_path / "p.json"))
    assert code == 0
    assert json.loads(out.splitlines()[0]) == {
        "post": "desk", "t": 0.0, "state": "unknown", "reason": "learning", "score": 0.0
    }  # fmt: skip
    assert len(out.splitlines()) == 4
    assert "no person detector is installed" in err
    target = tmp_path / "out.jsonl"
    code, out, _ = run(capsys, video, "--posts", tmp_path / "p.json", "--every", "1", "--out", target)
    assert (code, out) == (0, "")
    assert [json.loads(line)["t"] for line in target.read_text().splitlines()] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("video", "posts", "says"),
    [
        ("missing.mp4", None, "missing.mp4: there is no such file"),
        ("rubbish.mp4", None, "rubbish.mp4: is not a video"),
        ("clip.mp4", "{", "posts.json:1: is not JSON"),
        ("clip.mp4", "[]", "must be an object"),
        ("clip.mp4", '{"width": 0, "height": 1, "posts": []}', "'width'"),
        ("clip.mp4", '{"width": 9, "height": 9, "posts": []}', "at least one post"),
        (
            "clip.mp4",
            '{"width": 9, "height": 9, "posts": [{"polygon": []}]}',
            "posts[0]: must be an object with a",
        ),
        (
            "clip.mp4",
            '{"width": 9, "height": 9, "posts": [{"name": "a", "polygon": [[1, 2], [3]]}]}',
            "polygon[1]",
        ),
        (
            "clip.mp4",
            '{"width": 9, "height": 9, "posts": [{"name": "a", "polygon": [[1, 2], [3, 4]]}]}',
            "3 corners",
        ),
        (
            "clip.mp4",
            '{"width": 9, "height": 9, "posts": [{"name": "a", "polygon": [[0,0],[9,0],[9,9]], "empty": [[3, 1]]}]}',
            "no length",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(tmp_path, capsys, monkeypatch, video, posts, says):
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path / "nothing"))
    (tmp_path / "rubbish.mp4").write_bytes(b"rubbish" * 50)
    write_clip(tmp_path / "clip.mp4", [lit(True)] * 3)
    path = write_posts(tmp_path / "posts.json")
    if posts is not None:
        path.write_text(posts)
    out = tmp_path / "out.jsonl"
    code, printed, err = run(capsys, tmp_path / video, "--posts", path, "--out", out)
    assert code == 2
    assert printed == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not out.exists()


def test_posts_of_one_name_are_refused(tmp_path):
    post = {"name": "a", "polygon": [[0, 0], [9, 0], [9, 9]]}
    with pytest.raises(MediaError, match="two posts are called 'a'"):
        read_posts(write_posts(tmp_path / "p.json", posts=[post, post]))


# -- models --------------------------------------------------------------------------------------------------------


def small_model(home="http://127.0.0.1:9", good=True):
    blobs = {"m.cfg": b"[net]\n", "m.weights": b"\x00" * 99}
    files = [ModelFile(n, hashlib.sha256(b if good else b"x").hexdigest(), len(b)) for n, b in blobs.items()]
    return Model("m", "a model", home, *files), blobs


def test_a_model_is_installed_from_a_folder(tmp_path):
    model, blobs = small_model()
    for name, blob in blobs.items():
        (tmp_path / name).write_bytes(blob)
    target = tmp_path / "data" / "models"
    assert sorted(p.name for p in install(model, target, tmp_path)) == ["m.cfg", "m.weights"]
    assert {p.name: p.read_bytes() for p in target.iterdir()} == blobs
    assert models.problem(model, target) is None


def test_a_wrong_checksum_changes_nothing(tmp_path):
    model, blobs = small_model()
    for name, blob in blobs.items():
        (tmp_path / name).write_bytes(blob)
    (tmp_path / "m.weights").write_bytes(b"evil")
    target = tmp_path / "models"
    target.mkdir()
    (target / "m.cfg").write_bytes(b"older")
    with pytest.raises(ModelError, match=r"m\.weights: SHA-256 is .* expected .*; nothing was installed"):
        install(model, target, tmp_path)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {"m.cfg": b"older"}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"m\.cfg: cannot be read"):
        install(small_model()[0], tmp_path / "models", tmp_path)


def test_a_model_is_fetched_from_its_home(tmp_path):
    _, blobs = small_model()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            blob = blobs.get(self.path.rsplit("/", 1)[1])
            self.send_response(200 if blob else 404)
            self.end_headers()
            self.wfile.write(blob or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        home = f"http://127.0.0.1:{server.server_address[1]}"
        assert len(install(small_model(home)[0], tmp_path / "models")) == 2
        with pytest.raises(ModelError, match="nothing was installed"):
            install(small_model(home, good=False)[0], tmp_path / "other")
        del blobs["m.weights"]
        with pytest.raises(ModelError, match=r"m\.weights: cannot be fetched .*404.*--from FOLDER"):
            install(small_model(home)[0], tmp_path / "other")
        assert not (tmp_path / "other").exists()
    finally:
        server.shutdown()
        server.server_close()


def test_models_are_looked_for_in_their_folder_then_in_the_data_folder(tmp_path):
    folders = models.model_folders({"MINGJING_MODELS": "/m", "MINGJING_DATA": "/d"})
    assert [str(f) for f in folders] == ["/m", "/d/models"]
    assert models.model_folders({})[0].parts[-3:] == ("share", "mingjing", "models")


def test_the_pinned_models_are_the_ones_we_measured(shared_data):
    assert [models.problem(model, shared_data / "models") for model in CATALOGUE] == [None, None]
    assert choose_net("auto", [shared_data / "models"]).model == "yolo-fastest-1.1_body"


def test_without_a_model_it_says_so_and_goes_on(tmp_path):
    choice = choose_net("auto", [tmp_path])
    assert choice.net is None
    assert str(tmp_path) in (choice.notice or "")
    assert choose_net("correlation", [tmp_path]).notice is None
    with pytest.raises(ModelError, match="model install"):
        choose_net("detector", [tmp_path])
    with pytest.raises(SettingsError, match="must be one of"):
        choose_net("guess", [tmp_path])


def test_a_damaged_model_is_not_used_silently(tmp_path):
    weights = CATALOGUE[0].weights.name
    (tmp_path / weights).write_bytes(b"damaged")
    (tmp_path / CATALOGUE[0].cfg.name).write_bytes(b"damaged")
    choice = choose_net("auto", [tmp_path])
    assert choice.net is None
    assert "is not the pinned file" in (choice.notice or "")


def test_the_list_shows_the_licence():
    shown = CliRunner().invoke(models.model_app, ["list"])
    assert shown.exit_code == 0
    assert "yolo-fastest-1.1_body" in shown.output
    assert "public domain" in shown.output


# -- the recorded clip ---------------------------------------------------------------------------------------------


def scored(shared_data, net, end, spoil=lambda im: im, empty=()):
    """(right, wrong, unknown, false absent) on table.mp4 up to ``end``, a second around each change left out."""
    truth = json.loads((shared_data / "footage" / "table.json").read_text())
    posts = [Post(p.name, p.polygon, empty) for p in read_posts(shared_data / "footage" / "table.json")]
    present = {p["name"]: p["present"] for p in truth["posts"]}
    right = wrong = unknown = false_absent = 0
    with closing(
        Media(str(shared_data / "footage" / "table.mp4"), keyframes_only=False, live=False)
    ) as media:
        pictures = (
            replace(p, image=spoil(p.image)) for p in takewhile(lambda p: p.t <= end, media.pictures())
        )
        for sample in watch(pictures, posts, net):
            spans = present[sample.post]
            if any(abs(sample.t - edge) <= 1 for span in spans for edge in span):
                continue
            there = any(begin <= sample.t <= stop for begin, stop in spans)
            said = sample.state.state
            unknown += said == "unknown"
            right += said == ("present" if there else "absent")
            wrong += said == ("absent" if there else "present")
            false_absent += there and said == "absent"
    return right, wrong, unknown, false_absent


@pytest.fixture(scope="module")
def real_net(shared_data):
    return choose_net("detector", [shared_data / "models"]).net


def dark(image):
    return (image * 0.25).astype(np.uint8)


@pytest.mark.parametrize("spoil", [lambda im: im, dark], ids=["as it is", "dark"])
def test_somebody_who_comes_is_seen_with_the_detector(shared_data, real_net, spoil):
    right, wrong, unknown, false_absent = scored(shared_data, real_net, 12.0, spoil)
    assert (wrong, false_absent) == (0, 0)
    assert unknown <= 12  # the first second of five posts, and a doubt or two
    assert right >= 95


def test_somebody_who_comes_is_seen_without_a_model(shared_data):
    right, wrong, unknown, _ = scored(shared_data, None, 25.0, empty=((0.0, 5.0),))
    assert wrong == 0
    assert right >= 200
    assert unknown <= 20


@pytest.mark.slow
@pytest.mark.parametrize("method", ["detector", "correlation"])
def test_the_whole_clip_is_right_and_nobody_is_accused_falsely(shared_data, real_net, method):
    net = real_net if method == "detector" else None
    right, wrong, unknown, false_absent = scored(shared_data, net, 99.0, empty=((0.0, 5.0),))
    assert false_absent == 0
    assert right / (right + wrong) >= 0.99
    assert unknown / (right + wrong + unknown) <= 0.04
