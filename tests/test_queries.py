"""The checks of queries find what is wrong: a name, a label or a value that nothing has, wherever it stands."""

from __future__ import annotations

import pytest

from tests import queries
from tests.promql import Reading


@pytest.mark.parametrize(
    "query",
    [
        "sum by (status) (rate(orders_total[1m]))",
        "max(time() - last_tick_timestamp_seconds offset 5m) > 1e3",
        "max_over_time(last_tick_timestamp_seconds[5m:15s] offset -1m)",
        "topk(3, equity_dollars) unless on (job) up{job='market-data'}",
        "sum by (job) (up) * on (job) group_left (version) max by (job, version) (build_info)",
        'count by (severity) (ALERTS{alertname=~"PnlStale|DeskDutyLate", alertstate="firing"})',
        "histogram_quantile(0.5, sum by (le, side) (rate(order_slippage_bps_bucket[15m])))",
        "sum by (symbol) (orders_total) - on (symbol) sum without (status, side, job, instance) (orders_total)",
        'label_replace(up{job="market-data"}, "name", "$1", "job", "(.+)")',
    ],
)
def test_a_query_of_what_is_there_is_right(query: str) -> None:
    assert queries.strangers(query) == set()


@pytest.mark.parametrize(
    ("query", "strangers"),
    [
        ("rate(order_total[1m])", {"order_total"}),
        ("order_slippage_bps > 3", {"order_slippage_bps"}),
        ('orders_total{state="success"}', {"state"}),
        ("sum by (strategy) (orders_total)", {"strategy"}),
        ("sum without (strategy) (orders_total)", {"strategy"}),
        ("sum by (symbol) (sum by (side) (orders_total))", {"symbol"}),
        ("equity_dollars unless on (jobb, instance) (up == 0)", {"jobb"}),
        ("equity_dollars / ignoring (jobb) cash_dollars", {"jobb"}),
        ("max(equity_dollars) unless on (job) up", {"job"}),
        ("up * on (job) group_left (versions) build_info", {"versions"}),
        ("sum by (job) (equity_dollars) > max(cash_dollars)", {"job on one side only"}),
        ("histogram_quantile(0.9, sum by (side) (rate(order_slippage_bps_bucket[1m])))", {"le"}),
        ('label_replace(up, "a", "$1", "b", "(.+)")', {"b"}),
        ('orders_total{status="ok"}', {"status=ok"}),
        ('orders_total{status=~"success|ok"}', {"status=ok"}),
        ('order_slippage_bps_bucket{le="4", side!="buy"}', {"le=4"}),
        ('up{job="market_data"}', {"job=market_data"}),
        ('ALERTS{alertname="DeskDutyMissed"}', {"alertname=DeskDutyMissed"}),
        ('{symbol="KO", __name__!="up"} or {symbool="KO"}', {"symbool"}),
    ],
)
def test_what_nothing_has_is_found(query: str, strangers: set[str]) -> None:
    assert queries.strangers(query) == strangers


@pytest.mark.parametrize("query", ["sum(orders_total", "rate(orders_total)", "orders_total[$__rate_interval]", ""])
def test_what_is_no_promql_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        queries.strangers(query)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("a", {"x", "y", "le"}),
        ("-rate(a[1m])", {"x", "y", "le"}),
        ("sum(a)", set()),
        ("sum by (x) (a)", {"x"}),
        ("sum without (x) (a)", {"y", "le"}),
        ("topk(1, a)", {"x", "y", "le"}),
        ('count_values("z", b)', {"z"}),
        ("a and b", {"x", "y", "le"}),
        ("b or a", {"x", "y", "le"}),
        ("a * on (x) b", {"x"}),
        ("a * ignoring (y, le) b", {"x"}),
        ("b * on (x) group_right () a", {"x", "y", "le"}),
        ("a > 3", {"x", "y", "le"}),
        ("3 * vector(2)", set()),
        ('absent(a{x="1", y=~"2"})', {"x"}),
        ("histogram_quantile(0.5, a)", {"x", "y"}),
        ('label_replace(sum(a), "z", "1", "", "")', {"z"}),
        ("scalar(a)", set()),
    ],
)
def test_the_labels_of_a_result_are_those_that_prometheus_leaves(query: str, left: set[str]) -> None:
    assert Reading(query, {"a": {"x", "y", "le"}, "b": {"x"}}).labels == left
