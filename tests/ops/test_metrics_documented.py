"""docs/metrics.md, the dashboard, the alerts: all speak of the metrics that the processes really show."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mingjing.health import PORT_OFFSETS, Address
from mingjing.processes import PROCESSES
from tests.conftest import ROOT
from tests.mingjing.metric_names import Shown, all_metrics

OPS = ROOT / "ops"
DASHBOARD = OPS / "grafana" / "mingjing.json"
RULES = OPS / "prometheus" / "mingjing.rules.yml"
ROW = re.compile(r"^\| `(mingjing_\w+)` \| (\w+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def documented() -> dict[str, tuple[str, str]]:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    found = ROW.findall(text)
    assert len({row[0] for row in found}) == len(found), "a metric stands twice"
    return {name: (kind, labels.strip()) for name, kind, labels, _ in found}


@pytest.fixture
def shown(database: str, tmp_path: Path) -> dict[str, Shown]:
    return all_metrics(database, tmp_path)


@pytest.mark.postgres
def test_every_metric_is_documented_and_every_documented_one_is_shown(documented, shown):
    real = {each.name: (each.kind, ", ".join(each.labels) or "–") for each in shown.values()}
    assert documented == real


@pytest.mark.postgres
def test_names_follow_the_conventions_and_labels_are_few(shown):
    allowed = {
        "outcome", "code", "topic", "partition", "reason", "rule", "severity", "change", "status", "channel", "level", "child",
        "camera", "process", "version", "part", "year", "kind", "server_version", "state", "role",
        "site",
    }  # fmt: skip
    for each in shown.values():
        assert re.fullmatch(r"mingjing_[a-z_]+", each.name), each
        assert each.text
        assert set(each.labels) <= allowed, each
        if each.kind == "counter":
            assert each.name.endswith("_total"), each
        if each.kind == "histogram":
            assert each.name.endswith("_seconds"), each


def named_in(text: str) -> set[str]:
    names = set(re.findall(r"\bmingjing_[a-z_]+", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def expressions() -> list[str]:
    board = json.loads(DASHBOARD.read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def test_dashboard_and_alerts_name_no_metric_that_is_not_there(documented):
    alerts = "\n".join(
        rule["expr"]
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    )
    assert named_in("\n".join(expressions())) <= set(documented)
    assert named_in(alerts) <= set(documented)
    assert len(named_in("\n".join(expressions()))) > 50


def test_the_dashboard_speaks_chinese_first_and_panels_do_not_overlap():
    board = json.loads(DASHBOARD.read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert re.match(r"[\u4e00-\u9fff].* · [A-Z]", panel["title"]), panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_is_wrong_and_the_mend():
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert re.search(r"[\u4e00-\u9fff].* ?· .+", rule["annotations"]["summary"]), rule["alert"]
            assert rule["annotations"]["mend"]


def test_the_example_scrapes_the_documented_ports():
    jobs = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    base = Address.parse("9460+")
    found = {one["labels"]["process"]: one["targets"] for one in jobs[0]["static_configs"]}
    assert set(found) == {"worker", "rules", "cameras", "sender", "wall", "door"}
    for name, targets in found.items():
        assert targets == [str(base.of(name))]
    assert set(PORT_OFFSETS) == {"start", *PROCESSES}
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    for name, offset in PORT_OFFSETS.items():
        if offset:
            assert re.search(rf"{name}[^|]*\| base \+ {offset} \|", page), name


@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "mingjing.rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "mingjing.rules.test.yml", "mingjing.calendar.test.yml"),
    ],
)
def test_promtool_accepts_rules_and_configuration(words):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    checked = subprocess.run(
        [promtool, *words], cwd=OPS / "prometheus", capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
