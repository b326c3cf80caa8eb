"""What a record and a scrape cost beside prometheus_client and the OpenTelemetry SDK.

    python -m tests.benchmarks.records [ROUNDS]

All sides run in one process and take turns, so that the ratios do not depend on the machine. Each figure is the median
of the rounds.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Annotated, TypedDict

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry

from telemetry import Counter, Histogram, Open

ROUNDS = 15
RECORDS = 20_000
THREADS = 4
NAMES = ("symbol", "side", "status")
LABELS = {"symbol": "AAPL", "side": "buy", "status": "success"}


class OrderLabels(TypedDict):
    """As those of an order."""

    symbol: Annotated[str, Open(limit=200_000)]
    side: Annotated[str, Open(limit=10)]
    status: Annotated[str, Open(limit=10)]


Work = Callable[[], object]


def main(rounds: int) -> int:
    """Measures and prints the tables."""
    ours, theirs, sdk = _counters()
    own, other, slow = _histograms()
    child, bound = theirs.labels(*LABELS.values()), ours.bind(OrderLabels(**LABELS))
    print(f"| record | ours, ns | prometheus_client | SDK |  (medians of {rounds} rounds)\n|---|---|---|---|")
    for what, sides in {
        "counter, three attributes at the call": (
            lambda: ours.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"}),
            lambda: theirs.labels("AAPL", "buy", "success").inc(),
            lambda: sdk.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"}),
        ),
        "counter, bound": (lambda: bound.add(1), lambda: child.inc()),
        "histogram, three attributes at the call": (
            lambda: own.record(0.3, {"symbol": "AAPL", "side": "buy", "status": "success"}),
            lambda: other.labels("AAPL", "buy", "success").observe(0.3),
            lambda: slow.record(0.3, {"symbol": "AAPL", "side": "buy", "status": "success"}),
        ),
    }.items():
        _row(what, [_alone(side) for side in sides], rounds)
    _row(
        f"counter, {THREADS} threads",
        [
            _in_threads(lambda: ours.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"})),
            _in_threads(lambda: theirs.labels("AAPL", "buy", "success").inc()),
        ],
        rounds,
    )
    print("\n| /metrics | ours, ms | prometheus_client | its OpenTelemetry exporter |\n|---|---|---|---|")
    return 0


def _counters():
    registry = CollectorRegistry()
    sdk = MeterProvider([PrometheusMetricReader(registry=CollectorRegistry())]).get_meter("bench")
    return (
        Counter("bench_total", "Things.", OrderLabels),
        prometheus_client.Counter("bench", "Things.", NAMES, registry=registry),
        sdk.create_counter("bench"),
    )


def _histograms():
    registry = CollectorRegistry()
    sdk = MeterProvider([PrometheusMetricReader(registry=CollectorRegistry())]).get_meter("bench")
    return (
        Histogram("bench_seconds", "Things.", OrderLabels, unit="s"),
        prometheus_client.Histogram("bench_seconds", "Things.", NAMES, registry=registry),
        sdk.create_histogram("bench_seconds"),
    )


def _alone(work: Work) -> Callable[[], float]:
    def measured() -> float:
        began = time.perf_counter_ns()
        for _ in range(RECORDS):
            work()
        return (time.perf_counter_ns() - began) / RECORDS

    return measured


def _in_threads(work: Work) -> Callable[[], float]:
    def measured() -> float:
        def run() -> None:
            for _ in range(RECORDS // THREADS):
                work()

        threads = [threading.Thread(target=run) for _ in range(THREADS)]
        began = time.perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (time.perf_counter_ns() - began) / RECORDS

    return measured


def _row(what: str, sides: list[Callable[[], float]], rounds: int) -> None:
    costs: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for cost, side in zip(costs, sides, strict=True):
            cost.append(side())
    first, *others = [statistics.median(cost) for cost in costs]
    print(f"| {what} | {first:.0f} | " + " | ".join(f"{one:.0f} ({one / first:.1f} times)" for one in others) + " |")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
