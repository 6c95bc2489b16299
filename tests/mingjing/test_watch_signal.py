"""``mingjing watch`` on a camera is a program that is stopped by a signal, with whole lines and status 0."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.process
def test_a_signal_ends_it_with_whole_lines(rtsp, tmp_path):
    url = rtsp.publish("watched", size=(320, 180), gop=10, seconds=2)
    posts = tmp_path / "posts.json"
    area = [[30, 20], [290, 20], [290, 160]]
    posts.write_text(json.dumps({"width": 320, "height": 180, "posts": [{"name": "desk", "polygon": area}]}))
    out = tmp_path / "out.jsonl"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "mingjing", "watch", url, "--posts", str(posts), "--every", "0.2",
            "--method", "correlation", "--out", str(out),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        give_up = time.monotonic() + 60
        while not out.exists() or out.read_text().count("\n") < 3:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < give_up
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["t"] for line in lines] == sorted(line["t"] for line in lines)
    assert lines[0]["t"] == 0.0
    assert {line["post"] for line in lines} == {"desk"}
