"""Models of one's own: pinned by a manifest, refused in one sentence, listed with their licence."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from domain.errors import ModelError
from mingjing.cli import build_app
from mingjing.models import choose_net
from mingjing.onnx_models import onnx_models
from tests.detectors.presence.onnx_files import SIDE, file_of, yolov8, yolox

BRIGHT = np.full((SIDE, SIDE, 3), 255, np.uint8)


def put(folder, name="own", blob=None, **changes):
    blob = file_of(yolov8()) if blob is None else blob
    (folder / f"{name}.onnx").write_bytes(blob)
    row = {
        "name": name, "file": f"{name}.onnx", "sha256": hashlib.sha256(blob).hexdigest(), "licence": "Apache-2.0",
        "source": "made by hand", "input": [SIDE, SIDE],
    } | changes  # fmt: skip
    (folder / f"{name}.model.json").write_text(json.dumps(row))


def test_a_model_with_a_manifest_is_used_before_the_catalogue(tmp_path, shared_data):
    put(tmp_path)
    choice = choose_net("auto", [tmp_path, shared_data / "models"])
    assert (choice.model, choice.notice) == ("own", None)
    assert len(choice.net.find([BRIGHT])[0]) == 1
    named = choose_net("auto", [tmp_path, shared_data / "models"], named="yolo-fastest-1.1_body")
    assert named.model == "yolo-fastest-1.1_body"


def test_what_the_manifest_says_is_done(tmp_path):
    put(tmp_path, family="yolov8", person=2, seen=0.5, doubt=0.1)
    (model,), _ = onnx_models([tmp_path])
    assert model.load().find([BRIGHT])[0] == []  # class 2 is not in the picture
    put(tmp_path, family="yolov8", seen=0.9, doubt=0.8)
    (model,), _ = onnx_models([tmp_path])
    assert model.load().find([BRIGHT])[0][0].score < 0.06  # 0.72 is nothing to this net


def test_another_file_than_the_pinned_one_is_not_used(tmp_path):
    put(tmp_path, sha256="0" * 64)
    choice = choose_net("auto", [tmp_path])
    assert choice.net is None
    assert "own.onnx is not the pinned file (SHA-256" in choice.notice
    for method, named in (("detector", None), ("auto", "own")):
        with pytest.raises(ModelError, match="not the pinned file"):
            choose_net(method, [tmp_path], named=named)


def test_a_name_that_nobody_has_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="no person detector called 'other'"):
        choose_net("auto", [tmp_path], named="other")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "12"}, "sha256"),
        ({"familly": "yolox"}, "familly"),
        ({"family": "yolov5"}, "family"),
        ({"file": "../own.onnx"}, "beside the manifest"),
        ({"family": "yolov8", "std": [0, 1, 1]}, "std"),
        ({"family": "yolov8", "seen": 0.1, "doubt": 0.2}, "doubt below seen"),
        ({"mean": [1, 1, 1]}, "family: must be said"),
        ({"licence": ""}, "licence"),
        ({"input": [0, 64]}, "input"),
    ],
)
def test_a_manifest_that_is_none_is_named_with_its_place(tmp_path, changes, words):
    put(tmp_path, **changes)
    models, (trouble,) = onnx_models([tmp_path])
    assert models == []
    assert "own.model.json" in trouble
    assert words in trouble


def test_a_file_that_is_no_net_and_one_that_is_not_there(tmp_path):
    put(tmp_path, "bad", blob=b"nothing")
    put(tmp_path, "gone")
    (tmp_path / "gone.onnx").unlink()
    (tmp_path / "text.model.json").write_text("{")
    choice = choose_net("auto", [tmp_path])
    assert choice.net is None
    for words in ("bad.onnx is not a net", "gone.onnx cannot be read", "text.model.json is not JSON"):
        assert words in choice.notice


def test_the_list_shows_family_hash_licence_and_which_is_used(tmp_path, monkeypatch):
    put(tmp_path, "a-broken", sha256="0" * 64, licence="AGPL-3.0")
    put(tmp_path, "b-good", blob=file_of(yolox()))
    monkeypatch.setenv("MINGJING_MODELS", str(tmp_path))
    shown = CliRunner().invoke(build_app("camera"), ["camera", "models"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert "a-broken" in lines
    assert "b-good  ← 使用中 in use" in lines
    assert "  yolox  64×64  SHA-256 ✓" in lines
    for words in (
        "✗",
        "licence: AGPL-3.0",
        "licence: Apache-2.0",
        "yolo-fastest-1.1_body",
        "ONNX: onnxruntime",
    ):
        assert words in shown.output
