"""The queries of the dashboards: metrics and labels that exist, in a language that Prometheus reads."""

from __future__ import annotations

import re

import pytest
import yaml

import apps.catalogue  # noqa: F401  # declares the platform's metrics
from infra import rules
from infra.grafana.boards import SERVICES
from infra.grafana.queries import FOREIGN, explain, is_histogram, metrics
from infra.grafana.slo import OBJECTIVES
from telemetry.instrument import Instrument
from telemetry.registry import declared
from tests import promql, queries
from tests.infra.grafana.boards import ROOT, TARGETS, Target, variables

RULES = [
    rule for group in rules.groups() if group["name"] in ("objectives", "events", "windows") for rule in group["rules"]
]
EVERYWHERE = {"job", "instance"}
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def labels(metric: str) -> set[str]:
    found = declared.get(metric)
    names = found.label_names if isinstance(found, Instrument) else FOREIGN[metric].labels
    return {*EVERYWHERE, *names, *({"le"} if is_histogram(metric) else ())}


def filled(target: Target) -> str:
    return target.filled({"symbol": "AAPL|MSFT", "job": "orchestrator|market-data"})


@each_target
def test_a_query_asks_for_series_labels_and_values_that_are_there(target: Target) -> None:
    assert promql.names(filled(target)) != set()
    assert queries.strangers(filled(target)) == set()


@each_target
def test_a_legend_names_labels_that_the_series_still_have(target: Target) -> None:
    assert set(re.findall(r"{{(\w+)}}", target.legend)) <= queries.left_of(filled(target))


@each_target
def test_the_description_of_a_panel_names_the_metrics_of_its_query(target: Target) -> None:
    """What writes the dashboards reads queries without a parser."""
    parts = re.compile(r"_(bucket|count|sum)$")
    read = promql.names(filled(target))

    assert {parts.sub("", name) if is_histogram(parts.sub("", name)) else name for name in read} == {
        *metrics(target.expr)
    }


@each_target
def test_a_gauge_of_global_state_is_not_added_up_over_workers(target: Target) -> None:
    """Several workers may report it. What each process has of its own, such as memory, is added up."""
    own = re.compile(r"process_|db_client_|http_server_active_requests|telemetry_series|dropped|otelcol_|prometheus_")
    for metric in metrics(target.expr):
        found = declared.get(metric)
        if isinstance(found, Instrument) and found.kind == "gauge" and not own.match(metric):
            assert not re.search(rf"\bsum(?: by \([^)]*\))? ?\({metric}\b", target.expr)
            assert re.search(rf"\b(?:max|min)(?: by \([^)]*\))? ?\((?:abs\()?{metric}\b", target.expr), metric


@each_target
def test_a_rate_of_requests_leaves_out_health(target: Target) -> None:
    for selectors in re.findall(r"http_server_request_duration_seconds_\w+(\{[^}]*\})?", target.expr):
        assert 'http_route!="/health"' in selectors


def test_no_query_adds_up_series_that_differ_in_their_labels() -> None:
    """The task document's `pnl_dollars{type="realized"} + pnl_dollars{type="unrealized"}` is empty in Prometheus."""
    assert [target.name for target in TARGETS if "} + " in target.expr] == []


def test_the_services_are_the_jobs_that_the_collector_scrapes() -> None:
    receiver = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text())["receivers"]["prometheus"]
    scraped = [job["job_name"] for job in receiver["config"]["scrape_configs"]]

    assert f'job=~"{"|".join(scraped)}"' == SERVICES
    assert [target.name for target in TARGETS if re.search(r"\bup\{(?!job)", target.expr)] == []


def test_a_variable_asks_for_values_of_a_label_that_the_metric_has() -> None:
    for board in ("trading-overview", "risk-monitoring", "service-health", "telemetry-pipeline"):
        for name, query in variables(board).items():
            [(metric, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", query)
            assert label == name
            assert label in labels(metric)


def test_what_is_listed_by_hand_is_what_some_query_reads() -> None:
    read = {metric for target in TARGETS for metric in metrics(target.expr)}
    read |= {name for group in rules.groups() for rule in group["rules"] for name in promql.names(rule["expr"])}

    assert set(FOREIGN) - read == set()
    assert set(FOREIGN) & declared.keys() == set()


def test_the_recorded_metrics_are_those_that_the_dashboard_reads_and_every_objective_has_its_panel() -> None:
    recorded = {rule["record"] for rule in RULES}

    assert recorded == {name for name in FOREIGN if name.startswith("slo:")}
    assert all(re.fullmatch(r"\w+:\w+:\w+", name) for name in recorded)
    for name in ("slo:objective:ratio", "slo:events:rate1m", "slo:bad_events:rate1m"):
        assert {rule["labels"]["slo"] for rule in RULES if rule["record"] == name} == OBJECTIVES.keys()


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("max by (symbol) (position_value_dollars{symbol=~\"orders_total\"})", ["position_value_dollars"]),
        ("sum(rate(orders_total[5m])) by (symbol)", ["orders_total"]),
        ("rate(order_slippage_bps_sum[1m]) / rate(order_slippage_bps_count[1m])", ["order_slippage_bps"]),
        ("time() - max(pnl_updated_timestamp_seconds)", ["pnl_updated_timestamp_seconds"]),
        ("slo:objective:ratio < bool 1e3 or vector(0)", ["slo:objective:ratio"]),
        ("up * on (job) group_left (version) build_info offset 5m", ["up", "build_info"]),
    ],
)  # fmt: skip
def test_the_metrics_that_a_query_names_are_found(expression: str, named: list[str]) -> None:
    assert metrics(expression) == named


@pytest.mark.parametrize("name", ["order_total", "order_slippage_bps", "orders_total_bucket", "otelcol_uptime"])
def test_a_name_that_nobody_declares_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: no catalogue declares it"):
        metrics(f"sum(rate({name}[1m]))")


def test_a_formula_without_a_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="the formula of equity_dollars and cash_dollars needs a sentence"):
        explain(["max(equity_dollars) - max(cash_dollars)"], "")
