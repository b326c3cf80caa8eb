"""init() and shutdown(). This is the only module that sets up the OpenTelemetry SDK."""

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
from telemetry.registry import process

logger = logging.getLogger(__name__)

_registry: CollectorRegistry | None = None
_meter_provider: MeterProvider | None = None
_closing: _Closing | None = None
_apps: list[FastAPI] = []
_lock = threading.Lock()


def init(service_name: str, app: FastAPI | None = None) -> None:
    """Sets up telemetry for this process, and for the application when one is given.

    `service_name` is the name that metrics give as their `owner`, such as `execution_gateway`. The resource attribute
    `service.name` has it with hyphens: `execution-gateway`.

    The application gets GET /metrics and request metrics. Without an application, /metrics is served on
    `OTEL_EXPORTER_PROMETHEUS_HOST` (default `localhost`) and `OTEL_EXPORTER_PROMETHEUS_PORT` (default 9464).

    Other variables: `OTEL_SDK_DISABLED=true` turns everything off; /metrics is then empty. `OTEL_TRACES_EXPORTER` is
    `none` (the default) or `otlp`, which sends spans to `OTEL_EXPORTER_OTLP_ENDPOINT`. The SDK also reads its other
    standard variables, such as `OTEL_RESOURCE_ATTRIBUTES`.

    A second call adds its application and changes nothing else. If it names another service, a warning is logged and
    the first name stays. Never raises: a part that cannot be set up is logged, and the service runs without it.

    Example: `telemetry.init("execution_gateway", app)`.
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
            http.choose_conventions()  # before any instrumentation: the first one decides for all
            _attempt("metrics", lambda: _set_up_metrics(service_name))
            _attempt("traces", lambda: _set_up_traces(service_name))
        if app is None:
            _attempt("/metrics", lambda: http.serve_metrics_alone(_render))
            if not process.disabled:
                _attempt("HTTP", http.instrument_apps_to_come)
        logger.info("telemetry of %s: %s", service_name, _report())
    elif process.service != service_name:
        logger.warning(
            "init(%r) after init(%r): a process is one service, and the first name stays",
            service_name,
            process.service,
        )
    if app is not None and app not in _apps:
        _apps.append(app)
        http.serve_metrics(app, _render)
        if not process.disabled:
            _attempt("HTTP", lambda: http.instrument(app))


def _attempt(what: str, set_up: Callable[[], None]) -> None:
    """Runs one part of the set-up. If it fails, the error is logged and the other parts still run."""
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
    """Shuts down a provider in a thread, so that the caller can stop waiting for it.

    With a dead collector the shutdown of the provider takes 8 to 17 s. The thread is started early, because since
    Python 3.12 no thread can be started while the interpreter exits.
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
        """Starts the shutdown. Returns whether it ended within that many seconds."""
        self._asked.set()
        return self._done.wait(seconds)


def _set_up_traces(service_name: str) -> None:
    global _closing
    chosen = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip()
    if chosen not in ("none", "otlp"):
        logger.warning("OTEL_TRACES_EXPORTER=%s: only otlp and none are supported; traces are off", chosen)
    if chosen != "otlp":
        return
    # The provider's own shutdown at exit has no time limit, so `shutdown` is registered below instead.
    provider = TracerProvider(resource=_resource(service_name), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _closing = _Closing(provider)
    atexit.register(shutdown)
    trace.set_tracer_provider(provider)
    RedisInstrumentor().instrument()
    AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]  # its constructor has no type annotations


def shutdown(timeout_millis: int = 2000) -> None:
    """Sends the remaining spans and stops tracing. Never raises.

    Waits at most `timeout_millis` milliseconds, also when the collector does not answer. Spans that were not sent in
    that time are lost, and a warning is logged. Metrics are not affected. It runs by itself when the interpreter exits.
    A process that a signal can end must call it before it ends.

    Example: `telemetry.shutdown()` after the `yield` of a FastAPI lifespan.
    """
    global _closing
    closing, _closing = _closing, None
    if closing is not None and not closing.within(timeout_millis / 1000):
        logger.warning("telemetry: spans were left unsent after %d ms", timeout_millis)
