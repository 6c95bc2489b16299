"""A camera's password is nowhere to be seen: not in logs, FFmpeg's own lines, errors, tracebacks, metrics, messages."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from camera_adapters.addresses import masked
from tests.camera_adapters.secret_run import USER

PASSWORD = "Tr0ub4dor&3/@:%25"
"""With everything in it that addresses trip over."""


@pytest.mark.process
def test_no_output_of_any_source_shows_the_password(tmp_path):
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.camera_adapters.secret_run"],
        cwd=root,
        env=os.environ | {"CAMERA_PASSWORD": PASSWORD},
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=110,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert done.stdout.rstrip().endswith("done")
    # It did run: what works works, what fails says why.
    for line in ("stream shows", "digest shows", "mjpeg shows", "onvif shows", "onvif-shut unauthorised"):
        assert line in done.stdout, line
    forms = [
        PASSWORD,
        quote(PASSWORD, safe=""),
        quote(PASSWORD),
        base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
        "Tr0ub4dor",
    ]
    for form in forms:
        at = said.find(form)
        assert at < 0, said[max(0, at - 200) : at + 60].replace(PASSWORD, "<the password>")


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:hush@10.0.0.8/x",
        "rtsp://admin:hu@sh@10.0.0.8/x",
        "rtsp://admin:hu/sh@10.0.0.8/x",
        "'rtsp://admin:hu@s/h@10.0.0.8/x': refused",
        "http://10.0.0.8/snapshot.cgi?user=a&pwd=hush",
        "http://10.0.0.8/x?loginuse=a&loginpas=hush",
        "http://10.0.0.8/x?PASSWORD=hush&size=1",
    ],
)
def test_addresses_are_masked_however_badly_they_are_written(text):
    shown = masked(text)
    for part in ("hush", "hu@", "hu/", "sh@", "s/h@"):
        assert part not in shown
    assert "10.0.0.8" in shown
