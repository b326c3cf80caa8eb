"""init() and shutdown(): resource, providers and readers. The only module that sets up the OpenTelemetry SDK."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import threading
import time

from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, ProcessCollector
from redis.observability import MetricGroup, OTelConfig, get_observability_instance

from telemetry import exposition, http
from telemetry.catalogue import build_info, heartbeat_timestamp_seconds
from telemetry.recording import process

logger = logging.getLogger("telemetry")

_registry: CollectorRegistry | None = None
_meter_provider: MeterProvider | None = None
_tracer_provider: TracerProvider | None = None
_apps: list[FastAPI] = []
_lock = threading.Lock()


def init(service_name: str, app: FastAPI | None = None) -> None:
    """Sets up telemetry for this process, and for the application when one is given.

    `service_name` is the service as metrics name their owner, e.g. `execution_gateway`; in `service.name` and in the
    label `job` it is `execution-gateway`. Reads the standard `OTEL_*` variables: `OTEL_SDK_DISABLED`,
    `OTEL_TRACES_EXPORTER` (`none` unless set; `otlp`), `OTEL_EXPORTER_OTLP_*`, `OTEL_RESOURCE_ATTRIBUTES`.
    Calling it again does nothing new. Never raises: what cannot be set up is logged, and the service runs.
    """
    try:
        with _lock:
            _init(service_name, app)
    except Exception:
        logger.exception("telemetry could not be set up for %s; the service runs without", service_name)


def _init(service_name: str, app: FastAPI | None) -> None:
    global _registry
    if process.service is None:
        process.service = service_name
        process.disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        if not process.disabled:
            _registry = CollectorRegistry()
            _set_up_metrics(service_name, _registry)
            _set_up_traces(service_name)
        logger.info("telemetry of %s: %s", service_name, "off (OTEL_SDK_DISABLED)" if process.disabled else "on")
    elif process.service != service_name:
        logger.warning(
            "init(%r) after init(%r): a process is one service, the first stays", service_name, process.service
        )
    if app is not None and app not in _apps:
        _apps.append(app)
        http.serve_metrics(app, _render)
        if not process.disabled:
            http.instrument(app)


def _render() -> bytes:
    return b"" if process.disabled else exposition.render(_registry)


def _resource(service_name: str) -> Resource:
    return Resource.create({"service.name": service_name.replace("_", "-")})


def _set_up_metrics(service_name: str, registry: CollectorRegistry) -> None:
    global _meter_provider
    chosen = os.environ.get("OTEL_METRICS_EXPORTER", "prometheus").strip()
    if chosen != "prometheus":
        logger.warning("OTEL_METRICS_EXPORTER=%s: only prometheus is supported; /metrics is served", chosen)
    _meter_provider = MeterProvider(
        resource=_resource(service_name),
        metric_readers=[PrometheusMetricReader(registry=registry, scope_info_enabled=False)],
    )
    metrics.set_meter_provider(_meter_provider)
    ProcessCollector(registry=registry)
    groups = [MetricGroup.COMMAND, MetricGroup.CONNECTION_BASIC, MetricGroup.RESILIENCY]
    get_observability_instance().init(OTelConfig(metric_groups=groups, hide_pubsub_channel_names=True))
    heartbeat_timestamp_seconds.watch(time.time)
    build_info.set(1, {"version": _version(), "python": platform.python_version()})


def _version() -> str:
    try:
        return importlib.metadata.version("trading-telemetry")
    except importlib.metadata.PackageNotFoundError:
        return "source"


def _set_up_traces(service_name: str) -> None:
    global _tracer_provider
    chosen = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip()
    if chosen not in ("none", "otlp"):
        logger.warning("OTEL_TRACES_EXPORTER=%s: only otlp and none are supported; traces are off", chosen)
    if chosen != "otlp":
        return
    _tracer_provider = TracerProvider(resource=_resource(service_name))
    _tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(_tracer_provider)
    RedisInstrumentor().instrument()
    AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]  # its constructor has no annotations


def shutdown(timeout_millis: int = 2000) -> None:
    """Sends what is left and stops, within the time given also when nobody answers. Never raises."""
    global _tracer_provider
    provider, _tracer_provider = _tracer_provider, None
    if provider is None:
        return
    # The SDK's own exit takes 8 to 17 s with a dead collector: a thread that nobody waits for longer bounds it.
    closing = threading.Thread(target=provider.shutdown, daemon=True)
    closing.start()
    closing.join(timeout_millis / 1000)
    if closing.is_alive():
        logger.warning("telemetry: spans were left unsent after %d ms", timeout_millis)
