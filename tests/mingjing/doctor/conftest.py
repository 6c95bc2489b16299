"""Settings, centre files, and what a check said."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from mingjing.doctor.report import Result
from mingjing.doctor.scene import Scene
from mingjing.settings import load_settings

NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)
CENTRE: dict[str, Any] = {
    "centre": {"id": "1", "name": "某中心"},
    "items": [{"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": 7}}],
    "people": [{"id": "p1", "name": "张三", "phone": "13800000001", "invented": True}],
    "windows": [{"id": "A01", "name": "一号", "handler": "p1"}],
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)


class Patient:
    """A system that is well until a test breaks something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.synchronised: bool | None = True
        self.given: dict[str, Any] = {"data": folder}
        self.write({})

    def write(self, changes: dict[str, Any]) -> None:
        row = CENTRE | changes
        (self.folder / "centre.yaml").write_text(yaml.safe_dump(row, allow_unicode=True), "utf-8")

    def scene(self, **settings: Any) -> Scene:
        return Scene(
            load_settings(**(self.given | settings)),
            now=lambda: self.now,
            synchronised=lambda: self.synchronised,
        )

    def ask(self, check: Callable[[Scene], Any], **settings: Any) -> dict[str, Result]:
        """What one check says, by the name of the result; of two of one name the worse."""
        scene = self.scene(**settings)
        try:
            said = sorted(check(scene), key=lambda result: ("ok", "warning", "fault").index(result.verdict))
        finally:
            scene.close()
        for result in said:
            assert result.zh
            assert result.en
            assert bool(result.mend) == (result.verdict != "ok"), result
        return {result.check: result for result in said}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)
