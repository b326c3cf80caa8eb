"""Sends the metrics over OTLP: the declared ones in the SDK's own data types, beside those of the OpenTelemetry API.

Several workers behind one port cannot share one /metrics. Each of them sends, as an instance of its own.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from itertools import pairwise

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
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
from telemetry.collection import Collected, collect, exposed
from telemetry.instrument import Instrument
from telemetry.samples import Sample

logger = logging.getLogger(__name__)

INSTANCE = "service.instance.id"
CUMULATIVE = AggregationTemporality.CUMULATIVE


class Sender:
    """Sends every `interval` seconds, in a thread of its own, and once more at the end.

    `foreign` returns what was recorded through the OpenTelemetry API. A forked child sends as another instance.
    """

    what = "metrics"

    def __init__(
        self, exporter: MetricExporter, foreign: Callable[[], MetricsData | None], resource: Resource, interval: float
    ) -> None:
        self._exporter = exporter
        self._foreign = foreign
        self._resource = resource
        self._interval = interval
        self._own_instance = INSTANCE not in resource.attributes
        self._fails = False
        logging.getLogger(type(exporter).__module__).addFilter(lambda _: not self._fails)
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        if self._own_instance:
            self._resource = self._resource.merge(Resource({INSTANCE: str(uuid.uuid4())}))
        self._began = time.time_ns()
        self._asked = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="telemetry-otlp").start()

    def _run(self) -> None:
        # Otherwise the instrumentation of an HTTP client would measure our own requests.
        context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        ended = False
        while not ended:
            ended = self._asked.wait(self._interval)
            try:
                self._send()
            except Exception:
                logger.exception("metrics were not sent")
        self._exporter.shutdown()
        self._done.set()

    def _send(self) -> None:
        data = together(self._resource, collect(exposed()), self._foreign(), self._began)
        sent = self._exporter.export(data) is MetricExportResult.SUCCESS
        if sent and self._fails:
            logger.info("metrics are sent again")
        elif not sent and not self._fails:
            logger.warning("metrics are not sent; this is tried again every %g s and not said again", self._interval)
        self._fails = not sent

    def begin(self) -> None:
        """Sends once more, and then no more."""
        self._asked.set()

    def within(self, seconds: float) -> bool:
        """Returns whether that ended within so many seconds."""
        return self._done.wait(seconds)


def together(resource: Resource, collected: Collected, foreign: MetricsData | None, began: int) -> MetricsData:
    """The declared metrics, and those of other libraries that have no name of ours, as one instance.

    `began` is when the counting began, in nanoseconds since 1970.
    """
    now = time.time_ns()
    ours = [_metric(one, samples, began, now) for one, samples in collected if samples]
    names = {metric.name for metric in ours}
    scope = InstrumentationScope("telemetry", telemetry.__version__)
    scopes = [ScopeMetrics(scope, ours, "")]
    for theirs in foreign.resource_metrics if foreign is not None else ():
        for others in theirs.scope_metrics:
            free = [metric for metric in others.metrics if metric.name.replace(".", "_") not in names]
            scopes.append(ScopeMetrics(others.scope, free, others.schema_url))
    return MetricsData([ResourceMetrics(resource, scopes, "")])


def _metric(metric: Instrument[object], samples: list[Sample], began: int, now: int) -> Metric:  # type: ignore[type-var]
    data: Gauge | Histogram | Sum
    if metric.kind == "histogram":
        data = Histogram(_distributions(samples, began, now), CUMULATIVE)
    else:
        points = [NumberDataPoint(dict(sample.labels), began, now, sample.value) for sample in samples]
        data = Sum(points, CUMULATIVE, is_monotonic=True) if metric.kind == "counter" else Gauge(points)
    return Metric(metric.name, metric.description, _unit(metric.unit), data)


def _unit(unit: str) -> str:
    """The unit, unless Prometheus would add a word for it to the name. A declared name has those of these two."""
    return unit if unit in ("s", "By") or re.fullmatch(r"\{[^{}]*\}", unit) else ""


def _distributions(samples: list[Sample], began: int, now: int) -> list[HistogramDataPoint]:
    """One point for each series. Its samples follow each other: the cumulative buckets, the sum, the count."""
    points: list[HistogramDataPoint] = []
    bounds: list[float] = []
    cumulative: list[int | float] = [0]
    total: int | float = 0
    for sample in samples:
        if sample.suffix == "_bucket":
            bounds.append(float(sample.labels[-1][1]))
            cumulative.append(sample.value)
        elif sample.suffix == "_sum":
            total = sample.value
        else:
            counts = [int(after - before) for before, after in pairwise(cumulative)]
            labels = dict(sample.labels)
            # The smallest and the largest amount are not kept. This is how the SDK says so.
            point = HistogramDataPoint(
                labels, began, now, int(sample.value), total, counts, bounds[:-1], float("inf"), float("-inf")
            )
            points.append(point)
            bounds, cumulative = [], [0]
    return points
