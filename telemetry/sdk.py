"""init() and shutdown(). This is the only module that sets up the OpenTelemetry SDK, which it loads when it does."""

from __future__ import annotations

import atexit
import logging
import os
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import telemetry
from telemetry import environment, event_loop, http, runtime
from telemetry.catalogue import build_info, heartbeat_timestamp_seconds
from telemetry.exposition import render
from telemetry.extras import Missing, is_installed, load
from telemetry.registry import process

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from prometheus_client import CollectorRegistry

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"

_registry: CollectorRegistry | None = None
_closing: _Closing | None = None
_apps: list[weakref.ref[Any]] = []
_lock = threading.Lock()
_process_id: int | None = None
_set_up: dict[str, str] = {}
"""What took effect, by subject, for the report at the start."""


def init(service_name: str, app: object = None) -> None:
    """Sets up telemetry for this process, and for the application when one is given.

    `service_name` is the name that metrics give as their `owner`, such as `execution_gateway`. The resource attribute
    `service.name` has it with hyphens, `execution-gateway`, unless `OTEL_SERVICE_NAME` is set.

    `app` is a FastAPI or Starlette application, or one with middleware around it. It gets GET /metrics, and a FastAPI
    application gets request metrics. Without an application, /metrics is served on `OTEL_EXPORTER_PROMETHEUS_HOST`
    (default `localhost`) and `OTEL_EXPORTER_PROMETHEUS_PORT` (default 9464).

    Other variables: `OTEL_SDK_DISABLED=true` turns everything off, and `OTEL_METRICS_EXPORTER=none` the metrics;
    /metrics is then empty. `OTEL_TRACES_EXPORTER` is `none` (the default) or `otlp`, which sends spans to
    `OTEL_EXPORTER_OTLP_ENDPOINT`. `OTEL_PYTHON_FASTAPI_EXCLUDED_URLS` has patterns of paths that are not measured. The
    SDK also reads its other standard variables, such as `OTEL_RESOURCE_ATTRIBUTES`.

    A second call adds its application and changes nothing else. If it names another service, a warning is logged and
    the first name stays. Never raises: a part that cannot be set up is logged, and the service runs without it.

    Example:

        app = FastAPI()
        telemetry.init("execution_gateway", app)
        telemetry.init("execution_gateway", another_app)
    """
    try:
        with _lock:
            _init(service_name, app)
    except Exception:
        logger.exception("telemetry could not be set up for %s; the service runs without", service_name)


def _init(service_name: str, app: object) -> None:
    global _process_id
    if process.service is None:
        process.service = service_name
        _process_id = os.getpid()
        environment.check()
        _set_up.clear()
        disabled = environment.is_disabled()
        process.disabled = disabled or environment.read("OTEL_METRICS_EXPORTER") == "none"
        if not disabled:
            http.choose_conventions()  # before any instrumentation: the first one decides for all
            if not process.disabled:
                _attempt("runtime", runtime.start)
                _attempt("metrics", lambda: _set_up_metrics(service_name))
            _attempt("traces", lambda: _set_up_traces(service_name))
        if app is None:
            _attempt("/metrics", _serve_alone)
            if not process.disabled:
                _attempt("HTTP", http.instrument_apps_to_come)
        logger.info("telemetry of %s: %s", service_name, _report(disabled))
        _warn_of_workers()
    elif process.service != service_name:
        logger.warning(
            "init(%r) after init(%r): a process is one service, and the first name stays",
            service_name,
            process.service,
        )
    elif _process_id != os.getpid():
        logger.warning("init was called before this process was forked: spans of before may be lost")
        _process_id = os.getpid()
    event_loop.measure()
    if app is not None:
        _add(app)


def _add(app: object) -> None:
    try:
        inner = http.starlette_of(app)
    except (http.NoApplication, ImportError) as problem:
        logger.error("the application has no /metrics: %s", problem)
        return
    _apps[:] = [known for known in _apps if known() is not None]
    if any(known() is inner for known in _apps):
        return
    _apps.append(weakref.ref(inner))
    if getattr(inner, "middleware_stack", None) is not None:
        logger.warning("init was called after the application had started: some of its requests may not be measured")
    http.serve_metrics(inner, _render)
    if not process.disabled:
        _attempt("event loop", lambda: http.when_it_starts(inner, event_loop.measure))
        _attempt("HTTP", lambda: http.instrument(inner))


def _attempt(what: str, set_up: Callable[[], None]) -> None:
    """Runs one part of the set-up. If it fails, the error is logged and the other parts still run."""
    try:
        set_up()
    except Missing as missing:
        logger.warning("telemetry: there is no part for %s: %s", what, missing)
    except Exception:
        logger.exception("telemetry: %s could not be set up; the service runs without", what)


def _report(disabled: bool) -> str:
    if disabled:
        return "off (OTEL_SDK_DISABLED)"
    metrics = "off (OTEL_METRICS_EXPORTER)" if process.disabled else _set_up.get("metrics", "only our own")
    return f"metrics: {metrics}; traces: {_set_up.get('traces', 'none')}"


def _warn_of_workers() -> None:
    """Several processes behind one port: each scrape sees another one."""
    arguments = sys.argv
    counts = [environment.read("WEB_CONCURRENCY")]
    for at, argument in enumerate(arguments):
        if argument in ("--workers", "-w"):
            counts.append(arguments[at + 1] if at + 1 < len(arguments) else "")
        elif argument.startswith("--workers="):
            counts.append(argument.partition("=")[2])
    if any(count.isdecimal() and int(count) > 1 for count in counts):
        logger.warning(
            "several workers share one port, so each scrape of /metrics sees another one of them: run one worker a port"
        )


def _serve_alone() -> None:
    from telemetry.port import serve_metrics_alone

    serve_metrics_alone(_render)


def _render() -> bytes:
    if process.disabled:
        return b""
    if _registry is None:
        return render()
    from prometheus_client import REGISTRY

    return render(_registry, REGISTRY)


def _resource(service_name: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    named = environment.resource_attribute("service.name") or service_name.replace("_", "-")
    name = environment.read("OTEL_SERVICE_NAME", named)
    return Resource.create({"service.name": name})


def _set_up_metrics(service_name: str) -> None:
    global _registry
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

    heartbeat_timestamp_seconds.watch(time.time)
    version = environment.resource_attribute("service.version") or UNKNOWN
    build_info.set(1, {"version": version, "python": platform.python_version(), "telemetry": telemetry.__version__})
    chosen = environment.read("OTEL_METRICS_EXPORTER", "prometheus")
    if chosen != "prometheus":
        logger.warning("OTEL_METRICS_EXPORTER=%s: only prometheus and none are supported; /metrics is served", chosen)
    _registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=_registry, scope_info_enabled=False)
    present = metrics.get_meter_provider()
    if isinstance(present, MeterProvider):
        present.add_metric_reader(reader)
        _set_up["metrics"] = "ours, and those of the MeterProvider that was there before"
    elif type(present).__module__.startswith("opentelemetry.metrics"):  # the API's own, which records nothing
        metrics.set_meter_provider(
            MeterProvider(resource=_resource(service_name), metric_readers=[reader], shutdown_on_exit=False)
        )
        _set_up["metrics"] = "ours and those of the OpenTelemetry API"
    else:
        kind = type(present)
        _set_up["metrics"] = f"ours, without those of {kind.__module__}.{kind.__qualname__}, which was there before"
    if is_installed("redis"):
        observability = load("redis.observability")
        group = observability.MetricGroup
        groups = [group.COMMAND, group.CONNECTION_BASIC, group.RESILIENCY]
        config = observability.OTelConfig(metric_groups=groups, hide_pubsub_channel_names=True)
        observability.get_observability_instance().init(config)


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
    from opentelemetry import trace

    present = trace.get_tracer_provider()
    if not type(present).__module__.startswith("opentelemetry.trace"):
        _set_up["traces"] = "those of the TracerProvider that was there before"
        return
    chosen = environment.read("OTEL_TRACES_EXPORTER", "none")
    if chosen not in ("none", "otlp"):
        logger.warning("OTEL_TRACES_EXPORTER=%s: only otlp and none are supported; traces are off", chosen)
    if chosen != "otlp":
        return
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    # The provider's own shutdown at exit has no time limit, so `shutdown` is registered below instead.
    provider = TracerProvider(resource=_resource(service_name), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _closing = _Closing(provider)
    atexit.register(shutdown)
    trace.set_tracer_provider(provider)
    _set_up["traces"] = "otlp"
    if is_installed("redis"):
        load("opentelemetry.instrumentation.redis").RedisInstrumentor().instrument()
    if is_installed("asyncpg"):
        load("opentelemetry.instrumentation.asyncpg").AsyncPGInstrumentor().instrument()


def shutdown(timeout_millis: int = 2000) -> None:
    """Sends the remaining spans and stops tracing. Never raises.

    Waits at most `timeout_millis` milliseconds, also when the collector does not answer. Spans that were not sent in
    that time are lost, and a warning is logged. Metrics are not affected. It runs by itself when the interpreter exits.
    A process that a signal can end must call it before it ends.

    Example:

        async def lifespan(app):
            yield
            telemetry.shutdown()
    """
    global _closing
    closing, _closing = _closing, None
    if closing is not None and not closing.within(timeout_millis / 1000):
        logger.warning("telemetry: spans were left unsent after %d ms", timeout_millis)
