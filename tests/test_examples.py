"""The README's requests, and what Prometheus knows of the metrics, against the running platform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apps import catalogue
from infra.local.addresses import PORTS
from telemetry import Counter, Gauge, Histogram
from tests import curl
from tests.documents import ROOT, blocks, commands
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

REQUESTS = [command for command in commands(ROOT / "README.md") if command.startswith("curl ")]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """In a long session of a calm market, with its first orders placed and scraped."""
    settings = {"REPLAY_FILE": "calm-2017.csv", "REPLAY_START": "2017-01-04", "REPLAY_DAY_SECONDS": "600"}
    with Stack(settings) as running:
        wait_until(
            lambda: query(running, "count(positions_current) == 20"), 60, "20 positions are in Prometheus", every=0.5
        )
        # The first orders may have come before the first scrape, which then saw no increase.
        order = {"symbol": "AAPL", "side": "buy", "qty": 1}
        assert httpx.post(f"{running.addresses['execution_gateway']}/api/v1/orders", json=order).status_code == 201
        wait_until(lambda: query(running, "sum(rate(orders_total[1m])) > 0"), 30, "orders have a rate", every=0.5)
        yield running


def query(stack: Stack, expression: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{stack.addresses['prometheus']}/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, answer.text
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def send(stack: Stack, command: str) -> Any:
    return curl.send(command, lambda url: here(stack, url)).json()


def here(stack: Stack, url: str) -> str:
    """The address with the port that this stack has in its place."""
    for name, port in PORTS.items():
        usual = f"http://127.0.0.1:{port}/"
        if url.startswith(usual):
            return url.replace(usual, f"{stack.addresses[name]}/", 1)
    raise AssertionError(f"{url}: nobody listens there")


def test_the_requests_answer_what_the_readme_says(stack: Stack) -> None:
    order, positions, pnl, tripped, pages, reset, by_status = (answer(stack, command) for command in REQUESTS)

    assert (order["symbol"], order["status"], order["filled_qty"]) == ("AAPL", "filled", 10)
    assert positions["positions"]["AAPL"]["shares"] > 10
    assert set(pnl) >= {"realized", "unrealized", "total", "daily"}
    assert (tripped["state"], tripped["by"]) == ("TRIPPED", "me")
    assert {page["channel"] for page in pages} == {"pagerduty", "slack"}
    assert reset["state"] == "OPEN"
    assert {series["metric"]["status"] for series in by_status["data"]["result"]} == {"success", "rejected", "failed"}


def answer(stack: Stack, command: str) -> Any:
    """The pages come after a while; everything else answers at once."""
    if "/pages" not in command:
        return send(stack, command)
    return wait_until(lambda: pages_of_the_trip(send(stack, command)), 10, "a page for each channel")


def pages_of_the_trip(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the trip, once there is one for each channel."""
    found = [
        page for page in pages if (page["alerts"][0]["name"], page["status"]) == ("CircuitBreakerTripped", "firing")
    ]
    return found if len(found) == 2 else []


def test_prometheus_knows_type_and_help_of_what_comes_over_otlp_and_keeps_no_second_sample_of_it(stack: Stack) -> None:
    wait_until(lambda: query(stack, 'sum(up{job="metadata"}) == 4'), 90, "four services were asked", every=0.5)
    answer = httpx.get(f"{stack.addresses['prometheus']}/api/v1/metadata")
    known = {name: found for name, found in answer.json()["data"].items() if name in vars(catalogue)}
    declared = {
        metric.name: [{"type": metric.kind, "help": metric.description, "unit": ""}]
        for metric in vars(catalogue).values()
        if isinstance(metric, Counter | Gauge | Histogram)
    }
    kept = {series["metric"]["__name__"] for series in query(stack, '{job="metadata"}')}

    assert {"orders_total", "pnl_dollars", "order_placement_duration_seconds"} <= known.keys()
    assert known == {name: declared[name] for name in known}
    assert {name for name in kept if not name.startswith("scrape_")} == {"up"}


def test_a_query_of_the_page_on_metrics_finds_what_the_page_says(stack: Stack) -> None:
    """Those that find nothing while all is well are about something missing, old or wrong, and say so."""
    page = blocks(ROOT / "docs" / "CONCEPTS" / "prometheus-metrics.md", "promql")
    tripped = "max(circuit_breaker_state) == 1"  # as it may have been a moment ago, by the requests of the README
    empty = [expression.strip() for expression in page if not query(stack, expression)]

    assert tripped in {expression.strip() for expression in page}
    assert [expression for expression in empty if expression != tripped] == [
        'pnl_dollars{type="realized"} + pnl_dollars{type="unrealized"}',
        'absent(circuit_breaker_state{job="execution-gateway"})',
        'max by (job) (up{job="execution-gateway"}) == 0 or absent(up{job="execution-gateway"})',
        "time() - max by (job, instance) (heartbeat_timestamp_seconds) > 15",
    ]
