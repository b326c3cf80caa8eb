"""Sends the metrics over OTLP: the declared ones in the SDK's own data types, beside those of the OpenTelemetry API.

Several workers behind one port cannot share one /metrics. Each of them sends, as an instance of its own.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import re
import threading
import time
import uuid
from collections.abc import Callable

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
from telemetry.amounts import sized
from telemetry.callbacks import Caller
from telemetry.collection import Collected, collect, exposed, taken
from telemetry.drops import Dropped, said, warn
from telemetry.instrument import Instrument
from telemetry.sending import Sending
from telemetry.store import Cells

INSTANCE = "service.instance.id"
CUMULATIVE = AggregationTemporality.CUMULATIVE


class Sender:
    """Sends every `interval` seconds, in a thread of its own, and once more at the end.

    `make` makes the exporter. `foreign` returns what was recorded through the OpenTelemetry API. `instance` is the
    `service.instance.id` that somebody chose. A forked child sends as another instance, over a connection of its own.
    """

    what = "metrics"

    def __init__(
        self,
        make: Callable[[], MetricExporter],
        foreign: Callable[[], MetricsData | None],
        resource: Resource,
        interval: float,
        instance: str | None = None,
    ) -> None:
        self._make = make
        self._foreign = Caller(foreign)
        self._resource = resource
        self._interval = interval
        self._instance = instance
        self._asked = threading.Event()
        self._start(_is_child())
        os.register_at_fork(after_in_child=self._start_again)

    def _start_again(self) -> None:
        self._foreign = Caller(self._foreign.work)
        if not self._asked.is_set():  # else the parent had ended it before
            self._start(True)

    def _start(self, child: bool) -> None:
        # Processes with one id would write the same series. A chosen one is that of the first process.
        chosen = self._instance and f"{self._instance}-{os.getpid()}" if child else self._instance
        self._resource = self._resource.merge(Resource({INSTANCE: chosen or str(uuid.uuid4())}))
        self._exporter = self._make()
        self._sending = Sending(self.what, self._exporter)
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
            except BaseException as error:  # the next one may work
                warn(("metrics", "send"), f"metrics were not sent: {said(error)}")
        self._exporter.shutdown()
        self._done.set()

    def _send(self) -> None:
        foreign = None
        try:
            foreign = self._foreign.ask()
        except Dropped as problem:
            warn(("", "collect"), f"metrics of other libraries cannot be collected: {problem}")
        data = together(self._resource, collect(exposed()), foreign, self._began)
        self._sending.ended(well=self._exporter.export(data) is MetricExportResult.SUCCESS)

    def begin(self) -> None:
        """Sends once more, and then no more."""
        self._asked.set()

    def within(self, seconds: float) -> bool:
        """Returns whether that ended within so many seconds."""
        return self._done.wait(seconds)


def _is_child() -> bool:
    """Whether this process is one of several of a service, as the workers of uvicorn are."""
    return multiprocessing.parent_process() is not None


def together(resource: Resource, collected: Collected, foreign: MetricsData | None, began: int) -> MetricsData:
    """The declared metrics, and those of other libraries that have no name of ours, as one instance.

    `began` is when the counting began, in nanoseconds since 1970.
    """
    now = time.time_ns()
    ours = [_metric(one, cells, began, now) for one, cells in collected if cells]
    names = taken(one for one, _ in collected)
    scope = InstrumentationScope("telemetry", telemetry.__version__)
    scopes = [ScopeMetrics(scope, ours, "")]
    for theirs in foreign.resource_metrics if foreign is not None else ():
        for others in theirs.scope_metrics:
            free = [metric for metric in others.metrics if _may_be_sent(metric, names)]
            scopes.append(ScopeMetrics(others.scope, free, others.schema_url))
    return MetricsData([ResourceMetrics(resource, scopes, "")])


def _may_be_sent(metric: Metric, names: set[str]) -> bool:
    """Whether a metric of another library has a name of its own, and numbers that can be written."""
    name = _name_in_prometheus(metric)
    if name in names:
        warn((name, "taken"), f"{name} was also recorded by another library; that one is left out")
        return False
    values = [getattr(point, "value", 0) for point in metric.data.data_points]
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values):
        warn((name, "written"), f"{name} of another library cannot be sent: it has a number of more than 64 bits")
        return False
    return True


def _name_in_prometheus(metric: Metric) -> str:
    name = re.sub(r"[^a-zA-Z0-9]+", "_", metric.name).strip("_")
    counts = isinstance(metric.data, Sum) and metric.data.is_monotonic
    word = {"By": "bytes", "ms": "milliseconds", "s": "seconds"}.get(metric.unit or "", "")
    if metric.unit == "1" and isinstance(metric.data, Gauge):
        word = "ratio"
    name = name.removesuffix("_total") if counts else name
    if word and word not in name.split("_"):
        name = f"{name}_{word}"
    return f"{name}_total" if counts else name


def _metric(metric: Instrument[object], cells: Cells, began: int, now: int) -> Metric:  # type: ignore[type-var]
    labelled = [(dict(zip(metric.label_names, key, strict=True)), cell[:]) for key, cell in cells.items()]
    data: Gauge | Histogram | Sum
    if isinstance(metric, telemetry.Histogram):
        # The smallest and the largest amount are not kept. This is how the SDK says so.
        data = Histogram(
            [
                HistogramDataPoint(
                    labels, began, now, sum(counts), sized(total), counts, metric.buckets, math.inf, -math.inf
                )
                for labels, (*counts, total, _) in labelled
            ],
            CUMULATIVE,
        )
    else:
        points = [NumberDataPoint(labels, began, now, sized(cell[0])) for labels, cell in labelled]
        data = Sum(points, CUMULATIVE, is_monotonic=True) if metric.kind == "counter" else Gauge(points)
    return Metric(metric.name, metric.description, _unit(metric.unit), data)


def _unit(unit: str) -> str:
    """The unit, unless Prometheus would add a word for it to the name. A declared name has those of these two."""
    return unit if unit in ("s", "By") or re.fullmatch(r"\{[^{}]*\}", unit) else ""
