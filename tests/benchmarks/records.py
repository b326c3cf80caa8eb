"""What a record and a scrape cost beside prometheus_client and the OpenTelemetry SDK.

    python -m tests.benchmarks.records [ROUNDS]

All sides run in one process and take turns, so that the ratios do not depend on the machine. Each figure is the median
of the rounds.
"""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Annotated, TypedDict

import prometheus_client
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from telemetry import Counter, Histogram, Open
from telemetry.exposition import parts
from telemetry.histograms import LATENCY_BUCKETS
from telemetry.instrument import Instrument
from telemetry.provider import Provider

ROUNDS = 15
RECORDS = 20_000
THREADS = 4
SERIES = ((1_000, 15), (10_000, 5), (100_000, 1))
"""How many series a scrape has, and how often it is measured."""
SDK_KEEPS = 1_900
"""How many series an instrument of the SDK is given: it keeps 2,000."""
NAMES = ("symbol", "side", "status")


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
    made = Provider().get_meter("bench").create_counter("bench")
    child, bound = theirs.labels("AAPL", "buy", "success"), ours.bind(order("AAPL"))
    print(f"| record | ours, ns | prometheus_client | SDK |  (medians of {rounds} rounds)\n|---|---|---|---|")
    for what, sides in {
        "counter, three attributes at the call": (
            lambda: ours.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"}),
            lambda: theirs.labels("AAPL", "buy", "success").inc(),
            lambda: sdk.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"}),
        ),
        "counter of get_meter, three attributes": (
            lambda: made.add(1, {"symbol": "AAPL", "side": "buy", "status": "success"}),
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
    print("\n| a scrape of | ours, ms | prometheus_client | the SDK's exporter |\n|---|---|---|---|")
    for number, times in SERIES:
        _counters_scraped(number, times)
        _histograms_scraped(number, times)
    return 0


def _counters_scraped(number: int, rounds: int) -> None:
    ours, registry = Counter(f"shown{number}_total", "Things.", OrderLabels), CollectorRegistry()
    theirs = prometheus_client.Counter(f"shown{number}", "Things.", NAMES, registry=registry)
    meter, exported = _sdk()
    sdk = [meter.create_counter(f"shown{part}") for part in range(0, number, SDK_KEEPS)]
    for at in range(number):
        ours.add(1.5, order(f"S{at}"))
        theirs.labels(f"S{at}", "buy", "success").inc(1.5)
        sdk[at // SDK_KEEPS].add(1.5, {"symbol": f"S{at}", "side": "buy", "status": "success"})
    _scraped(f"{number:,} counters", ours, registry, exported, rounds)


def _histograms_scraped(number: int, rounds: int) -> None:
    ours, registry = Histogram(f"took{number}_seconds", "Things.", OrderLabels, unit="s"), CollectorRegistry()
    theirs = prometheus_client.Histogram(f"took{number}_seconds", "Things.", NAMES, registry=registry)
    meter, exported = _sdk()
    sdk = [
        meter.create_histogram(f"took{part}", explicit_bucket_boundaries_advisory=LATENCY_BUCKETS)
        for part in range(0, number, SDK_KEEPS)
    ]
    for at in range(number):
        ours.record(0.3, order(f"S{at}"))
        theirs.labels(f"S{at}", "buy", "success").observe(0.3)
        sdk[at // SDK_KEEPS].record(0.3, {"symbol": f"S{at}", "side": "buy", "status": "success"})
    _scraped(f"{number:,} histograms", ours, registry, exported, rounds)


def _sdk() -> tuple[metrics.Meter, CollectorRegistry]:
    exported = CollectorRegistry()
    return MeterProvider([PrometheusMetricReader(registry=exported)]).get_meter("bench"), exported


def _scraped(
    what: str, metric: Instrument[OrderLabels], theirs: CollectorRegistry, sdk: CollectorRegistry, rounds: int
) -> None:
    gc.collect()
    gc.freeze()  # as a service does after its start; else most of it is the collection of garbage
    _row(
        what,
        [
            _once(lambda: b"".join(parts(metric, metric.snapshot()))),
            _once(lambda: generate_latest(theirs)),
            _once(lambda: generate_latest(sdk)),
        ],
        rounds,
        2,
    )


def _once(work: Work) -> Callable[[], float]:
    def measured() -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) * 1000

    return measured


def order(symbol: str) -> OrderLabels:
    """The labels of an order."""
    return {"symbol": symbol, "side": "buy", "status": "success"}


def _counters() -> tuple[Counter[OrderLabels], prometheus_client.Counter, metrics.Counter]:
    registry = CollectorRegistry()
    sdk, _ = _sdk()
    return (
        Counter("bench_total", "Things.", OrderLabels),
        prometheus_client.Counter("bench", "Things.", NAMES, registry=registry),
        sdk.create_counter("bench"),
    )


def _histograms() -> tuple[Histogram[OrderLabels], prometheus_client.Histogram, metrics.Histogram]:
    registry = CollectorRegistry()
    sdk, _ = _sdk()
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


def _row(what: str, sides: list[Callable[[], float]], rounds: int, digits: int = 0) -> None:
    costs: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for cost, side in zip(costs, sides, strict=True):
            cost.append(side())
    first, *others = [statistics.median(cost) for cost in costs]
    beside = [f"{one:.{digits}f} ({one / first:.1f} times)" for one in others]
    print(f"| {what} | {first:.{digits}f} | {' | '.join(beside)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
