"""Every query of every panel, against the live Prometheus of a replay in which orders were placed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.grafana.slo import OBJECTIVES
from tests.documents import DOCUMENTS, name, queries
from tests.infra.grafana.boards import TARGETS, Target
from tests.infra.grafana.live import SETTINGS, Prometheus, trade
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

# Two scrapes after the orders, the recording rules behind them, and the desk's next duties.
DATA_SECONDS = 120
MAY_BE_EMPTY = {
    "Alerts that fire": "no alert fires while all is well",
    "Failed calls of PostgreSQL and Redis": "no call has failed; what fails is not known beforehand",
    "Dropped records": "no record was dropped; which metric drops is not known beforehand",
}


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    with Stack(SETTINGS) as stack:
        trade(stack)
        asked = Prometheus(stack.addresses["prometheus"])
        yield asked
        asked.close()


def test_every_query_of_every_panel_has_something_to_draw(prometheus: Prometheus) -> None:
    waiting = [target for target in TARGETS if target.panel["title"] not in MAY_BE_EMPTY]

    def empty() -> list[str]:
        waiting[:] = [target for target in waiting if not prometheus.draw(target)]
        return [target.name for target in waiting]

    try:
        wait_until(lambda: not empty(), DATA_SECONDS, "every panel has data", every=2)
    except TimeoutError:
        assert empty() == []


@pytest.mark.parametrize(
    "target", [target for target in TARGETS if target.panel["title"] in MAY_BE_EMPTY], ids=lambda target: target.name
)
def test_a_query_that_may_be_empty_is_answered(prometheus: Prometheus, target: Target) -> None:
    prometheus.draw(target)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_query_of_a_document_is_answered(prometheus: Prometheus, document: Path) -> None:
    for query in queries(document):
        prometheus.ask("query", query=query)


def test_a_query_that_prometheus_cannot_answer_is_an_error(prometheus: Prometheus) -> None:
    """It can be read, and every name in it is there."""
    with pytest.raises(AssertionError, match="many-to-many matching not allowed"):
        prometheus.ask("query", query="up / ignoring (instance, job) scrape_duration_seconds")


def test_a_legend_names_labels_that_the_series_have(prometheus: Prometheus) -> None:
    without = [
        (target.name, label)
        for target in TARGETS
        for label in re.findall(r"{{(\w+)}}", target.legend)
        for series in [prometheus.draw(target)]
        if series and not any(label in each["metric"] or "none" in each["metric"].values() for each in series)
    ]

    assert without == [], "but for the series that says that there is none"


def test_a_panel_of_words_has_a_word_for_every_value(prometheus: Prometheus) -> None:
    for target in TARGETS:
        mappings = target.panel["fieldConfig"]["defaults"].get("mappings", [])
        if mappings and all(mapping["type"] == "value" for mapping in mappings):
            words = {word for mapping in mappings for word in mapping["options"]}
            points = [each.get("values", [each.get("value")]) for each in prometheus.draw(target)]
            assert {value for values in points for _, value in values} <= words, target.name


def test_the_top_rows_say_that_all_is_well(prometheus: Prometheus) -> None:
    said = {
        (target.board, target.panel["title"]): {each["value"][1] for each in prometheus.draw(target)}
        for target in TARGETS
        if target.panel["gridPos"]["y"] == 0
    }

    assert said["trading-overview", "Circuit breaker"] == {"0"}
    for board in ("trading-overview", "service-health"):
        for title in ("Services", "Redis", "PostgreSQL"):
            assert said[board, title] == {"1"}, title
    assert said["risk-monitoring", "Books"] == {"0"}
    assert said["telemetry-pipeline", "Watchdog"] == said["telemetry-pipeline", "Pipeline"] == {"1"}


def test_the_objectives_say_something_and_no_order_failed(prometheus: Prometheus) -> None:
    """How fast orders and requests are answered is the machine's business."""
    [target] = [target for target in TARGETS if (target.board, target.panel["title"]) == ("slo", "Objectives")]
    met = {each["metric"]["slo"]: each["value"][1] for each in prometheus.draw(target)}

    assert met.keys() == OBJECTIVES.keys()
    assert met["order_placement"] == "1"


def test_the_overview_draws_every_service_symbol_and_kind_of_pnl(prometheus: Prometheus) -> None:
    drawn = {
        target.panel["title"]: [each["metric"] for each in prometheus.draw(target)]
        for target in TARGETS
        if target.board == "trading-overview"
    }

    assert {each["type"] for each in drawn["Profit and loss"]} == {"realized", "unrealized", "total"}
    assert {each["status"] for each in drawn["Orders per minute by status"]} == {"success", "rejected", "failed"}
    assert len(drawn["Positions by symbol"]) == 20
    assert len(drawn["Services"]) == 4


def test_the_task_documents_own_queries_work_as_they_are_written_but_for_the_one_that_cannot(
    prometheus: Prometheus,
) -> None:
    def series(query: str) -> int:
        return len(prometheus.ask("query", query=query)["result"])

    assert series("sum(rate(orders_total[5m])) by (symbol)") == 20
    assert series("circuit_breaker_state") == 1
    assert series("pnl_dollars{type='realized'} + pnl_dollars{type='unrealized'}") == 0, "see ADR-0012"
