"""Sends the metrics over OTLP: the declared ones in the SDK's own data types, beside those of the OpenTelemetry API.

Several workers behind one port cannot share one /metrics. Each of them sends, as an instance of its own.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

import telemetry
from telemetry.amounts import sized
from telemetry.collection import Collected, collect, exposed
from telemetry.drops import said, warn
from telemetry.environment import resource
from telemetry.exemplars import Exemplars
from telemetry.families import Family
from telemetry.instrument import Instrument
from telemetry.made import Scope
from telemetry.provider import Provider
from telemetry.sending import Sending
from telemetry.store import Cells

CUMULATIVE = AggregationTemporality.CUMULATIVE


class Sender:
    """Sends every `interval` seconds, in a thread of its own, and once more at the end.

    `make` makes the exporter. A forked child sends as another instance, over a connection of its own.
    """

    what = "metrics"

    def __init__(self, make: Callable[[], MetricExporter], provider: Provider, interval: float) -> None:
        self._make = make
        self._provider = provider
        self._interval = interval
        self._asked = threading.Event()
        self._start()
        os.register_at_fork(after_in_child=self._start_again)

    def _start_again(self) -> None:
        if not self._asked.is_set():  # else the parent had ended it before
            self._start()

    def _start(self) -> None:
        self._exporter = self._make()
        self._sending = Sending(self.what, self._exporter)
        self._began = time.time_ns()
        self._asked = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="telemetry-otlp").start()

    def _run(self) -> None:
        # Otherwise the instrumentation of an HTTP client would measure our own requests.
        context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        self._try(resource)
        ended = False
        while not ended:
            ended = self._asked.wait(self._interval)
            self._try(self._send)
        self._exporter.shutdown()
        self._done.set()

    def _try(self, part: Callable[[], object]) -> None:
        try:
            part()
        except BaseException as error:  # the next one may work
            warn(("metrics", "send"), f"metrics were not sent: {said(error)}")

    def _send(self) -> None:
        data = read(resource(), self._provider, self._began)
        self._sending.ended(well=self._exporter.export(data) is MetricExportResult.SUCCESS)

    def begin(self) -> None:
        """Sends once more, and then no more."""
        self._asked.set()

    def within(self, seconds: float) -> bool:
        """Returns whether that ended within so many seconds."""
        return self._done.wait(seconds)


def read(resource: Resource, provider: Provider, began: int) -> MetricsData:
    """What this process shows now. `began` is when the counting began, in nanoseconds since 1970."""
    return together(resource, collect(exposed(), list(provider.instruments.values())), began)


def together(resource: Resource, collected: Collected, began: int) -> MetricsData:
    """The declared metrics, and those that were made through the API, as one instance."""
    moments = (began, time.time_ns())
    ours = [_declared(one, cells, moments) for one, cells in collected.declared if cells]
    scopes = {Scope("telemetry", telemetry.__version__): ours}
    for family in collected.families:
        scopes.setdefault(family.first.scope, []).append(_family(family, moments))
    return MetricsData([ResourceMetrics(resource, [_scope(*each) for each in scopes.items()], "")])


def _scope(scope: Scope, metrics: list[Metric]) -> ScopeMetrics:
    about = InstrumentationScope(scope.name, scope.version, scope.schema_url, dict(scope.attributes))
    return ScopeMetrics(about, metrics, scope.schema_url)


def _declared(metric: Instrument[object], cells: Cells, moments: Moments) -> Metric:  # type: ignore[type-var]
    bounds = metric.buckets if isinstance(metric, telemetry.Histogram) else ()
    series = [
        Series(dict(zip(metric.label_names, key, strict=True)), cell[:-1], bounds, metric.exemplars_of(key))
        for key, cell in cells.items()
    ]
    data = _data(metric.kind, series, moments, sums=metric.kind == "counter")
    return Metric(metric.name, metric.description, _unit(metric.unit), data)


def _family(family: Family, moments: Moments) -> Metric:
    first = family.first
    series = [Series(row.attributes, row.numbers, row.bounds, row.exemplars) for row in family.rows.values()]
    data = _data(first.kind, series, moments, sums=first.adds_up)
    # The collector would add the word ratio to the name of a gauge.
    return Metric(first.name, family.description, "" if first.unit == "1" else first.unit, data)


Moments = tuple[int, int]
"""When the counting began, and now, in nanoseconds since 1970."""


class Series(NamedTuple):
    """Its labels, its numbers, the bounds of a histogram, and its exemplars."""

    labels: dict[str, Any]
    numbers: list[Any]
    bounds: tuple[float, ...]
    exemplars: Exemplars


def _data(kind: str, series: list[Series], moments: Moments, *, sums: bool) -> Gauge | Histogram | Sum:
    if kind == "histogram":
        # The smallest and the largest amount are not kept. This is how the SDK says so.
        distributions = [
            HistogramDataPoint(
                labels,
                *moments,
                sum(counts),
                sized(total),
                tuple(counts),
                bounds,
                math.inf,
                -math.inf,
                _sent(exemplars),
            )
            for labels, (*counts, total), bounds, exemplars in series
        ]
        return Histogram(distributions, CUMULATIVE)
    points = [
        NumberDataPoint(labels, *moments, sized(number), _sent(exemplars)) for labels, [number], _, exemplars in series
    ]
    return Sum(points, CUMULATIVE, is_monotonic=kind == "counter") if sums else Gauge(points)


def _sent(exemplars: Exemplars) -> list[Exemplar]:
    return [
        Exemplar({}, one.amount, int(one.moment * 1e9), one.span_id, one.trace_id)
        for _, one in sorted(exemplars.items())
    ]


def _unit(unit: str) -> str:
    """The unit, unless Prometheus would add a word for it to the name. A declared name has those of these two."""
    return unit if unit in ("s", "By") or re.fullmatch(r"\{[^{}]*\}", unit) else ""
