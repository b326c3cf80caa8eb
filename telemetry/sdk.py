"""init() and shutdown(): resource, providers and readers. The only module that sets up the OpenTelemetry SDK."""

from __future__ import annotations

import atexit
import importlib.metadata
import logging
import os
import platform
import threading
import time
from collections.abc import Callable

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

logger = logging.getLogger(__name__)

_registry: CollectorRegistry | None = None
_meter_provider: MeterProvider | None = None
_closing: _Closing | None = None
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
    if process.service is None:
        process.service = service_name
        process.disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        if not process.disabled:
            http.choose_conventions()  # the first instrumentation that is set up fixes them for all
            _attempt("metrics", lambda: _set_up_metrics(service_name))
            _attempt("traces", lambda: _set_up_traces(service_name))
        if app is None:
            _attempt("/metrics", lambda: http.serve_metrics_alone(_render))
            if not process.disabled:
                _attempt("HTTP", http.instrument_apps_to_come)
        logger.info("telemetry of %s: %s", service_name, _report())
    elif process.service != service_name:
        logger.warning(
            "init(%r) after init(%r): a process is one service, the first stays", service_name, process.service
        )
    if app is not None and app not in _apps:
        _apps.append(app)
        http.serve_metrics(app, _render)
        if not process.disabled:
            _attempt("HTTP", lambda: http.instrument(app))


def _attempt(what: str, set_up: Callable[[], None]) -> None:
    """One part that cannot be set up does not take the others with it."""
    try:
        set_up()
    except Exception:
        logger.exception("telemetry: %s could not be set up; the service runs without", what)


def _report() -> str:
    if process.disabled:
        return "off (OTEL_SDK_DISABLED)"
    metrics_part = "only our own" if _meter_provider is None else "ours and those of the OpenTelemetry API"
    return f"metrics: {metrics_part}; traces: {'none' if _closing is None else 'otlp'}"


def _render() -> bytes:
    return b"" if process.disabled else exposition.render(_registry)


def _resource(service_name: str) -> Resource:
    return Resource.create({"service.name": service_name.replace("_", "-")})


def _set_up_metrics(service_name: str) -> None:
    global _meter_provider, _registry
    heartbeat_timestamp_seconds.watch(time.time)
    build_info.set(1, {"version": _version(), "python": platform.python_version()})
    chosen = os.environ.get("OTEL_METRICS_EXPORTER", "prometheus").strip()
    if chosen != "prometheus":
        logger.warning("OTEL_METRICS_EXPORTER=%s: only prometheus is supported; /metrics is served", chosen)
    _registry = CollectorRegistry()
    ProcessCollector(registry=_registry)
    _meter_provider = MeterProvider(
        resource=_resource(service_name),
        metric_readers=[PrometheusMetricReader(registry=_registry, scope_info_enabled=False)],
        shutdown_on_exit=False,
    )
    metrics.set_meter_provider(_meter_provider)
    groups = [MetricGroup.COMMAND, MetricGroup.CONNECTION_BASIC, MetricGroup.RESILIENCY]
    get_observability_instance().init(OTelConfig(metric_groups=groups, hide_pubsub_channel_names=True))


def _version() -> str:
    try:
        return importlib.metadata.version("trading-telemetry")
    except importlib.metadata.PackageNotFoundError:
        return "source"


class _Closing:
    """Shuts a provider down in a thread: its own exit takes 8 to 17 s with a dead collector, nobody waits longer.

    The thread is there beforehand: from Python 3.12 on none can be started on the way out of the interpreter.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._asked = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._close, daemon=True, name="telemetry-shutdown").start()

    def _close(self) -> None:
        self._asked.wait()
        try:
            self._provider.shutdown()
        finally:
            self._done.set()

    def within(self, seconds: float) -> bool:
        """Whether it was done in that time."""
        self._asked.set()
        return self._done.wait(seconds)


def _set_up_traces(service_name: str) -> None:
    global _closing
    chosen = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip()
    if chosen not in ("none", "otlp"):
        logger.warning("OTEL_TRACES_EXPORTER=%s: only otlp and none are supported; traces are off", chosen)
    if chosen != "otlp":
        return
    # Its own hook at exit is not bounded.
    provider = TracerProvider(resource=_resource(service_name), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _closing = _Closing(provider)
    atexit.register(shutdown)
    trace.set_tracer_provider(provider)
    RedisInstrumentor().instrument()
    AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]  # its constructor has no annotations


def shutdown(timeout_millis: int = 2000) -> None:
    """Sends what is left and stops, within the time given also when nobody answers. Never raises.

    A process that ends by itself does it anyway; one that a signal ends must call it before, as a server does.
    """
    global _closing
    closing, _closing = _closing, None
    if closing is not None and not closing.within(timeout_millis / 1000):
        logger.warning("telemetry: spans were left unsent after %d ms", timeout_millis)
