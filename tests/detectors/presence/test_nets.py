"""Every family of nets, from a picture to people: decoded by hand-made outputs, and run whole by both runtimes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detectors.presence.nets.boxes import Boxes, anchors, fitting
from detectors.presence.nets.families import DEFAULTS, decode, family_of
from detectors.presence.nets.nanodet import joined, mean_distance
from detectors.presence.nets.onnx import OnnxNet
from detectors.presence.person_detector import PersonDetector
from detectors.presence.picture import Picture
from detectors.presence.posts import Post, PostMap
from domain.errors import ModelError
from tests.detectors.presence import onnx_files
from tests.detectors.presence.onnx_files import BOX, SCORE, SIDE, distances, file_of
from tests.detectors.presence.scenes import room

SIZE = (SIDE, SIDE)
FAMILIES = {
    "yolox": onnx_files.yolox,
    "yolov8": onnx_files.yolov8,
    "nanodet": onnx_files.nanodet,
    "nanodet-plus": onnx_files.nanodet_plus,
    "ssd": onnx_files.ssd_boxes,
    "ssd-list": onnx_files.ssd_list,
}
WHOLE = pytest.mark.parametrize(
    ("family", "runtime"),
    # OpenCV takes no bytes with the channels last, as TensorFlow's nets do.
    [(f, r) for f in FAMILIES for r in ("onnxruntime", "opencv") if (f, r) != ("ssd-list", "opencv")],
)
RUNTIMES = pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])


def best(boxes: Boxes):
    found = boxes.distinct()
    return found.corners[0], found.scores[0]


# -- pure functions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "outputs", "decoded"),
    [
        *((name, make, False) for name, make in FAMILIES.items()),
        ("yolox", onnx_files.yolox_decoded, True),
        ("ssd", onnx_files.ssd_detections, False),
    ],
)
def test_every_output_means_the_same_box(family, outputs, decoded):
    tensors = [np.asarray(plain + sure, dtype=np.float32) for plain, sure in outputs()]
    assert family_of([t.shape for t in tensors], SIZE) == family
    (boxes,) = decode(family, tensors, SIZE, DEFAULTS[family].person, decoded=decoded)
    corners, score = best(boxes)
    assert corners == pytest.approx(BOX, abs=1e-3)
    assert score == pytest.approx(SCORE, abs=1e-3)
    assert len(boxes.distinct().scores) == 1
    # Another class is nobody.
    (others,) = decode(family, tensors, SIZE, DEFAULTS[family].person + 1, decoded=decoded)
    assert len(others.distinct().scores) == 0


@pytest.mark.parametrize(
    ("shapes", "size", "family"),
    [
        ([(1, 8400, 85)], (640, 640), "yolox"),
        ([(1, 3549, 85)], (416, 416), "yolox"),
        ([(1, 8400, 6)], (640, 640), "yolox"),
        ([(1, 84, 8400)], (640, 640), "yolov8"),
        ([(1, 5, 2100)], (320, 320), "yolov8"),
        ([(1, 3598, 112)], (416, 416), "nanodet-plus"),
        ([(1, 2125, 112)], (320, 320), "nanodet-plus"),
        ([(1, n, c) for c in (80, 32) for n in (1600, 400, 100)], (320, 320), "nanodet"),
        ([(n, c) for c in (80, 32) for n in (1600, 400, 100)], (320, 320), "nanodet"),
        ([(1, n, c) for n in (2704, 676, 169, 49) for c in (80, 32)], (416, 416), "nanodet"),
        ([(1, 1, 100, 7)], (300, 300), "ssd"),
        ([(1, 3000, 21), (1, 3000, 4)], (300, 300), "ssd"),
        ([(1, 100, 4), (1, 100), (1, 100), (1,)], (300, 300), "ssd-list"),
        ([(1, 25200, 85)], (640, 640), None),  # YOLOv5: not ours
        ([(1, 1000)], (224, 224), None),
        ([(1, 84, 8400)], (320, 320), None),  # of another input
    ],
)
def test_families_are_told_apart_by_their_shapes(shapes, size, family):
    assert family_of(shapes, size) == family


def test_a_distribution_means_its_mean():
    logits = np.asarray([distances(0.0, 2.5, 6.75, 7.0)], dtype=np.float32)
    assert mean_distance(logits)[0] == pytest.approx([0, 2.5, 6.75, 7.0], abs=1e-4)


def test_grid_points_cover_an_input_that_is_no_multiple_of_the_stride():
    points = anchors((100, 60), (32,), 0.5)
    assert points.shape == (4 * 2, 3)
    assert points[-1].tolist() == [112.0, 48.0, 32.0]


def test_outputs_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="every stride"):
        joined([np.zeros((64, 80)), np.zeros((16, 32))], SIZE)
    with pytest.raises(ValueError, match="told apart"):
        joined([np.zeros((64, 80)), np.zeros((16, 80))], SIZE)


@pytest.mark.parametrize(
    ("fit", "place"),
    [("letterbox", (0, 16, 64, 32)), ("corner", (0, 0, 64, 32)), ("stretch", (0, 0, 64, 64))],
)
def test_a_wide_picture_in_a_square_input(fit, place):
    found = fitting(np.zeros((50, 100, 3), np.uint8), SIZE, fit)
    assert (found.left, found.top, found.width, found.height) == place


def test_doubles_and_what_is_no_number_are_dropped():
    corners = np.asarray([[0, 0, 10, 10], [1, 1, 10, 10], [30, 30, 40, 40], [0, 0, np.inf, 1]], np.float32)
    found = Boxes(corners, np.asarray([0.5, 0.9, 0.01, 0.99], np.float32)).distinct()
    assert found.scores == pytest.approx([0.9])


# -- the whole way, by both runtimes -------------------------------------------------------------------------------

BRIGHT = np.full((50, 100, 3), 255, np.uint8)
DARK = np.zeros((50, 100, 3), np.uint8)
#: The box in a picture twice as wide as high, by how that is put into the input.
SEEN = {
    "letterbox": (12 / 64, 8 / 32, 16 / 64, 24 / 32),
    "corner": (12 / 64, 24 / 32, 16 / 64, 24 / 32),
    "stretch": (12 / 64, 24 / 64, 16 / 64, 24 / 64),
}


def net(family, runtime, **options):
    if family == "ssd-list":
        return OnnxNet(file_of(FAMILIES[family](), channels_last=True), family, runtime=runtime)
    return OnnxNet(file_of(FAMILIES[family](), **options), family, size=SIZE, runtime=runtime)


@WHOLE
def test_a_person_is_found_where_he_is(family, runtime):
    eyes = net(family, runtime)
    assert (eyes.family, eyes.runtime, eyes.size) == (family, runtime, SIZE)
    (people,) = eyes.find([eyes.fit(BRIGHT)])
    assert len(people) == 1
    assert people[0].box == pytest.approx(SEEN[DEFAULTS[family].fit], abs=0.01)
    # The net's own score on the common scale: clearly somebody.
    assert 0.2 < people[0].score < 1


@WHOLE
def test_a_batch_gives_what_each_picture_gives_alone(family, runtime):
    eyes = net(family, runtime)
    found = eyes.find([BRIGHT, DARK, BRIGHT[:, :50], BRIGHT])
    assert [len(people) for people in found] == [1, 0, 1, 1]
    for image, people in zip([BRIGHT, DARK, BRIGHT[:, :50], BRIGHT], found, strict=True):
        (alone,) = eyes.find([image])
        assert [p.box for p in alone] == [pytest.approx(p.box, abs=1e-5) for p in people]
        assert [p.score for p in alone] == [pytest.approx(p.score, abs=1e-5) for p in people]


@RUNTIMES
def test_a_net_of_one_picture_at_a_time_is_asked_one_by_one(runtime):
    eyes = net("yolov8", runtime, batch=1)
    assert [len(people) for people in eyes.find([BRIGHT, DARK, BRIGHT])] == [1, 0, 1]


def test_scores_are_put_on_one_scale():
    half = file_of([onnx_files.split(p + s, (0, 4, 50), 0.25) for p, s in onnx_files.yolov8()])
    (people,) = OnnxNet(half, "n", size=SIZE).find([BRIGHT])
    assert people[0].score == pytest.approx(0.2, abs=0.005)  # YOLOv8's own limit is ours


@pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])
def test_what_is_no_net_is_refused_in_one_sentence(runtime):
    with pytest.raises(ModelError, match=rf"n is not a net that {runtime} can read"):
        OnnxNet(b"nothing", "n", size=SIZE, runtime=runtime)


def test_a_net_of_no_family_we_know_names_its_shapes():
    blob = file_of([(np.zeros((1, 10)), np.zeros((1, 10)))])
    with pytest.raises(ModelError, match=r"\(1, 10\).*no family"):
        OnnxNet(blob, "n", runtime="onnxruntime")
    with pytest.raises(ModelError, match="not those of yolox"):
        OnnxNet(blob, "n", runtime="onnxruntime", family="yolox")
    with pytest.raises(ModelError, match="its input is"):
        OnnxNet(blob, "n", runtime="onnxruntime", size=(32, 32))


@RUNTIMES
def test_a_post_is_watched_with_such_a_net(runtime):
    eyes = net("yolov8", runtime)
    x, y, width, height = SEEN["letterbox"]
    post = Post("p", ((x, y), (x + width, y), (x + width, y + height), (x, y + height)))
    lit, dark = (cv2.resize(room(), (640, 320)) for _ in range(2))
    lit[10:310], dark[10:310] = 250, 5
    for image, seen in ((lit, True), (dark, False)):
        detector = PersonDetector(PostMap([post]), eyes)
        assert detector.look(Picture(image, 0.0))[0].seen is seen
        assert len(detector.people) == seen
