"""The dashboards: every panel says what it shows, and asks for metrics that exist, in a language that Prometheus reads.

Grafana's server is not available where the tests run. The queries are run against a live Prometheus instead.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import apps.catalogue  # noqa: F401  # declares the platform's metrics
from telemetry.instrument import Instrument
from telemetry.registry import declared

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "infra" / "grafana"
PROMTOOL = ROOT / ".local" / "bin" / "promtool"
DASHBOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))
}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
]
QUERIES = [
    pytest.param(target["expr"], id=target["expr"])
    for board in DASHBOARDS.values()
    for panel in board["panels"]
    for target in panel["targets"]
]
JOBS = {"orchestrator", "execution-gateway", "signal-service", "market-data"}
# How a declared metric is spelled in queries, by its kind.
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum")}


def test_the_overview_shows_what_the_task_asks_for() -> None:
    shown = {panel["title"] for panel in DASHBOARDS["trading-overview"]["panels"]}

    assert shown == {
        "Circuit breaker",
        "Daily loss",
        "Order placement latency",
        "Orders per minute by status",
        "PostgreSQL",
        "Positions by symbol",
        "Profit and loss",
        "Redis",
        "Services",
        "Trading date",
    }


def test_a_dashboard_is_named_after_its_file() -> None:
    assert {name: board["uid"] for name, board in DASHBOARDS.items()} == {name: name for name in DASHBOARDS}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    [source] = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yml").read_text())["datasources"]

    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert sources == [{"type": "prometheus", "uid": source["uid"]}] * len(sources)


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_no_panel_lies_on_another(board: dict[str, Any]) -> None:
    places = [
        (x, y)
        for position in (panel["gridPos"] for panel in board["panels"])
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]

    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.server
@pytest.mark.parametrize("query", QUERIES)
def test_prometheus_can_read_the_query(query: str) -> None:
    done = subprocess.run(
        [PROMTOOL, "--experimental", "promql", "format", query], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_are_declared(query: str) -> None:
    known = {"up": {"job", "instance"}}
    for metric in declared.values():
        assert isinstance(metric, Instrument)
        for suffix in SUFFIXES.get(metric.kind, ("",)):
            known[metric.name + suffix] = {"job", "instance", "le", *metric.label_names}
    names = [word for word in re.findall(r"[a-z_]{2,}(?=[\[{)])", query) if word not in ("by", "on")]
    asked = [name for name in names if name in known]

    assert asked != [], "no metric that is declared"
    assert [name for name in names if "_" in name and name not in known] == []
    labels = [label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.findall(r"\w+", group)]
    labels += re.findall(r"(\w+)(?==~?\")", query)
    assert [label for label in labels if label not in known[asked[0]]] == []


def test_no_query_adds_up_series_that_differ_in_their_labels() -> None:
    """The task document's `pnl_dollars{type="realized"} + pnl_dollars{type="unrealized"}` is empty in Prometheus."""
    assert [each.values[0] for each in QUERIES if "} + " in str(each.values[0])] == []


def test_the_services_panel_shows_the_four_jobs() -> None:
    [panel] = [panel for panel in DASHBOARDS["trading-overview"]["panels"] if panel["title"] == "Services"]
    [jobs] = re.findall(r'job=~"([^"]+)"', panel["targets"][0]["expr"])

    assert set(jobs.split("|")) == JOBS


def test_the_daily_loss_panel_draws_the_limit() -> None:
    [panel] = [panel for panel in DASHBOARDS["trading-overview"]["panels"] if panel["title"] == "Daily loss"]

    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == 0.05
