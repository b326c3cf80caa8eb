"""Sets up the metrics: who keeps those of libraries, and how all leave this process, by /metrics, OTLP or both."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import telemetry
from telemetry import environment
from telemetry.catalogue import build_info, heartbeat_timestamp_seconds
from telemetry.closing import Ending
from telemetry.exposition import render, target_info
from telemetry.extras import load
from telemetry.provider import the_provider
from telemetry.registry import RESOURCE, process
from telemetry.samples import END

if TYPE_CHECKING:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry

UNKNOWN = "unknown"

ready = False
"""Whether the metrics were set up."""
kept = "only our own"
"""Whose metrics there are, for the report at the start."""
_ours = False
"""Whether our MeterProvider is the one of this process."""
_registry: CollectorRegistry | None = None
"""What the MeterProvider has that was there before."""
_pulled = True
"""Whether /metrics shows the metrics."""
_has_port = False
"""Whether /metrics has a port of its own."""


def set_up(exporters: set[str]) -> None:
    """Has our MeterProvider keep what libraries record, unless there is another one, which is read then."""
    global ready, kept, _ours
    from opentelemetry import metrics

    heartbeat_timestamp_seconds.watch(time.time)
    version = environment.resource_attribute("service.version") or UNKNOWN
    build_info.set(1, {"version": version, "python": platform.python_version(), "telemetry": telemetry.__version__})
    ready = True
    present = metrics.get_meter_provider()
    if type(present).__name__ == "_ProxyMeterProvider":  # the API's own, until somebody sets another
        metrics.set_meter_provider(the_provider)
        present = the_provider
    if present is the_provider:
        kept = "ours and those of the OpenTelemetry API"
        _ours = True
        environment.resource()
    elif callable(add := getattr(present, "add_metric_reader", None)):
        if "prometheus" in exporters:
            add(_prometheus_reader())
        theirs = "and what" if "prometheus" in exporters else "without what"
        kept = f"ours, {theirs} the MeterProvider that was there before records from now on"
    else:
        kind = type(present)
        kept = f"ours, without those of {kind.__module__}.{kind.__qualname__}, which was there before"


def _prometheus_reader() -> PrometheusMetricReader:
    global _registry
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry

    _registry = CollectorRegistry()
    return PrometheusMetricReader(registry=_registry, scope_info_enabled=False)


def send(exporters: set[str], end_at_exit: Callable[[Ending], None]) -> None:
    """Sends the metrics over OTLP from now on. Raises `Missing` if the exporter is not installed."""
    global kept, _pulled
    make = load("opentelemetry.exporter.otlp.proto.http.metric_exporter").OTLPMetricExporter
    from telemetry.otlp import Sender

    end_at_exit(Sender(make, the_provider, environment.export_interval()))
    _pulled = "prometheus" in exporters  # only now: else what cannot be sent is shown
    kept += ", sent over OTLP" if _ours else "; ours are sent over OTLP"


def shown(*, openmetrics: bool = False, names: Sequence[str] = ()) -> bytes:
    """What /metrics answers."""
    body = b""
    if not process.disabled and not _pulled:
        body = b"" if openmetrics else b"# The metrics are sent over OTLP (OTEL_METRICS_EXPORTER).\n"
    elif not process.disabled:
        body = render(*_registries(), openmetrics=openmetrics, names=names, reserved=RESOURCE if _ours else ())
        if _ours and (not names or "target_info" in names):
            body += target_info(environment.resource().attributes, openmetrics=openmetrics)
    return body + END if openmetrics else body


def _registries() -> list[CollectorRegistry]:
    if not ready:
        return []
    from prometheus_client import REGISTRY

    return [*filter(None, [_registry]), REGISTRY]


def serve_alone() -> None:
    """Serves /metrics on a port of its own, for a process without an application. Once."""
    global _has_port
    from telemetry.port import serve_metrics_alone

    if not _has_port:
        _has_port = True
        serve_metrics_alone(shown)
