"""What dashboard and alert rules ask for is what the service tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from service.jobs import JobState
from service.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
NAME = re.compile(r"\b(?:feelalike|process)_[a-z_]+")


@pytest.fixture
def told() -> set[str]:
    """Names of all series after every kind of event."""
    metrics = Metrics()
    metrics.request("POST", "/search", 200, 0.1)
    metrics.refusal("overloaded")
    metrics.batch(3)
    metrics.index("1", "m", 12)
    metrics.snapshot_refused()
    metrics.rebuild_started()
    metrics.rebuild_ended(JobState.FAILED)
    with metrics.stage("model"):
        pass
    return set(re.findall(r"^([a-z_]+)", metrics.exposition().decode(), re.MULTILINE))


def asked(text: str) -> set[str]:
    names = set(NAME.findall(text))
    assert names
    return names


def test_every_panel_asks_for_what_there_is(told):
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > 12
    for query in queries:
        assert asked(query) <= told, query


def test_every_rule_asks_for_what_there_is_and_is_explained(told):
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    page = (FOLDER.parents[1] / "docs" / "operations.md").read_text()
    for rule in group["rules"]:
        names = set(NAME.findall(rule["expr"]))
        assert names <= told, rule["alert"]
        assert names or "up{" in rule["expr"]
        assert rule["alert"] in page
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_a_failed_rebuild_is_a_rise_from_0():
    """A series that appears with its first failure would rise from nothing, which no alert sees."""
    first = Metrics().exposition().decode()
    assert 'feelalike_rebuilds_total{state="failed"} 0.0' in first
    assert "running" not in re.findall(r'rebuilds_total{state="(\w+)"}', first)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (of Prometheus) is not installed")
def test_the_rules_fire_when_they_should():
    for command in (["test", "rules", "alerts_test.yml"], ["check", "config", "prometheus.yml"]):
        done = subprocess.run(["promtool", *command], check=False, cwd=FOLDER, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
