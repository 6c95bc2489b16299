"""``mingjing camera try``: what an operator is told of a camera before it is trusted."""

from __future__ import annotations

import numpy as np
import pytest

from camera_adapters.source import Frame, SourceError
from camera_adapters.trial import try_source
from domain.clock import Clock
from mingjing.cli import main
from tests.camera_adapters.fake_http import Http, jpeg_of, send
from tests.camera_adapters.fake_rtsp import FakeCamera, encode, pictures


class Scripted:
    """Pictures at these moments, then perhaps an error."""

    def __init__(self, moments, error=None):
        self.moments, self.error, self.now, self.closed, self.broken = moments, error, 0.0, False, 2

    def open(self):
        pass

    def frames(self):
        for moment in self.moments:
            self.now = moment
            yield Frame(np.zeros((36, 64, 3), np.uint8), moment, Clock().now())
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed = True

    def clock_offset(self):
        return 41.0


def tried(source, seconds=100):
    return try_source(source, seconds, monotonic=lambda: source.now)


def test_the_usual_and_the_longest_gap_are_told_without_the_first():
    trial = tried(Scripted([1.5, 1.6, 3.6, 5.6, 12.6]))
    assert (trial.pictures, trial.first, trial.size) == (5, 1.5, (64, 36))
    assert (trial.interval, trial.longest) == pytest.approx((2.0, 7.0))
    assert (trial.broken, trial.clock_offset, trial.failed) == (2, 41.0, None)


def test_it_ends_in_time_and_closes():
    source = Scripted([1.0, 2.0, 3.0, 4.0])
    assert tried(source, seconds=2.5).pictures == 3
    assert source.closed


def test_a_failure_is_told_with_what_came_before_it():
    error = SourceError("no_frame", "rtsp://***@h/x: sends nothing")
    trial = tried(Scripted([1.0], error))
    assert (trial.pictures, trial.interval, trial.failed) == (1, None, error)


def run(capsys, tmp_path, url, *arguments, **camera):
    keys = "".join(f"    {key}: {value}\n" for key, value in camera.items())
    (tmp_path / "centre.yaml").write_text(
        f"centre: {{id: c}}\nwindows: [{{id: A01}}]\ncameras:\n  - id: K01\n    url: {url}\n{keys}"
        "    posts: [{name: p, window: A01, polygon: [[0, 0], [1, 0], [1, 1]]}]\n"
    )
    with pytest.raises(SystemExit) as end:
        main(
            [
                "camera",
                "try",
                "K01",
                "--centre",
                str(tmp_path / "centre.yaml"),
                "--data",
                str(tmp_path),
                *arguments,
            ]
        )
    return end.value.code, *capsys.readouterr()


def test_a_camera_that_works_is_described(capsys, tmp_path):
    with FakeCamera(encode(list(pictures(30))), fps=50, ahead=95.0) as camera:
        code, out, _ = run(capsys, tmp_path, camera.url("admin:hush@"), "--seconds", "1.5")
    assert code == 0
    assert "stream rtsp://***@127.0.0.1" in out
    assert "320×180" in out
    assert "clock: +95." in out or "clock: +94." in out
    assert "wrong (limit 30 s)" in out
    assert "hush" not in out


def test_a_camera_that_does_not_is_an_error_with_its_reason(capsys, tmp_path):
    with Http(lambda h: send(h, jpeg_of()[:400])) as server:
        code, out, err = run(capsys, tmp_path, server.url)
    assert code != 0
    assert "no picture" in out
    assert "undecodable" in err
    assert "half a picture" in err


def test_a_camera_that_is_not_there_is_an_error_that_names_the_file(capsys, tmp_path):
    run(capsys, tmp_path, "sim://x")
    with pytest.raises(SystemExit) as end:
        main(["camera", "try", "K09", "--centre", str(tmp_path / "centre.yaml"), "--data", str(tmp_path)])
    assert end.value.code == 2
    assert "centre.yaml: there is no camera 'K09'" in capsys.readouterr().err
