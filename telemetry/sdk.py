"""init() and shutdown(): the parts of telemetry are set up in their order, and each that fails costs only itself."""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from telemetry import environment, event_loop, http, metering, runtime, traces
from telemetry import workers as web_server
from telemetry.closing import Closing, Ending, bounded
from telemetry.collection import look_for_spans
from telemetry.drops import quoted
from telemetry.extras import Missing, is_installed
from telemetry.given import text_of
from telemetry.registry import process

logger = logging.getLogger(__name__)

_MEASURED = {
    "asyncpg": ("asyncpg_calls", "asyncpg_pools"),
    "httpx": ("http_client",),
    "redis": ("redis_calls",),
}
"""Which modules of this package measure a library. They are loaded when it is installed."""

_endings: list[Ending] = []
_apps: list[weakref.ref[Any]] = []
_ended = False
"""Whether `shutdown` ended what sends."""
_lock = threading.Lock()
_process_id: int | None = None
_traced = "none"
"""Which spans there are, for the report at the start."""


def init(service_name: str, app: object = None, *, workers: int | None = None) -> None:
    """Sets up telemetry for this process, and for the application when one is given.

    `service_name` is the name that metrics give as their `owner`, such as `execution_gateway`. The resource attribute
    `service.name` has it with hyphens, `execution-gateway`, unless `OTEL_SERVICE_NAME` is set.

    `app` is a FastAPI or Starlette application, or one with middleware around it. It gets GET /metrics and request
    metrics. Without an application, all that start later get request metrics, and /metrics is served on
    `OTEL_EXPORTER_PROMETHEUS_HOST` (default `localhost`) and `OTEL_EXPORTER_PROMETHEUS_PORT` (default 9464).

    `workers` is how many processes of the service should run. Without it, and with an application, it is what uvicorn
    and gunicorn read: `--workers` or `WEB_CONCURRENCY`. A process that sends its metrics over OTLP shows the number as
    `workers_expected`. If it is not known, there is no such series.

    Other variables: `OTEL_SDK_DISABLED=true` turns everything off. `OTEL_METRICS_EXPORTER` is `prometheus` (the
    default), `otlp`, both with a comma, or `none`. With `otlp`, metrics are sent every `OTEL_METRIC_EXPORT_INTERVAL`
    milliseconds (default 5000); without `prometheus`, /metrics is empty. `OTEL_TRACES_EXPORTER` is `none` (the default)
    or `otlp`, for spans. Both are sent to `OTEL_EXPORTER_OTLP_ENDPOINT`. `OTEL_PYTHON_FASTAPI_EXCLUDED_URLS` and
    `OTEL_PYTHON_STARLETTE_EXCLUDED_URLS` have patterns of paths that are not measured.
    `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` names libraries that are left alone, of `asyncpg`, `fastapi`, `httpx`,
    `redis` and `starlette`. The SDK also reads its other standard variables, such as `OTEL_RESOURCE_ATTRIBUTES`.

    A second call adds its application and changes nothing else. If it names another service, a warning is logged and
    the first name stays. Never raises: a part that cannot be set up is logged, and the service runs without it.

    Example:

        app = FastAPI()
        telemetry.init("execution_gateway", app)
        telemetry.init("execution_gateway", another_app)
    """
    try:
        with _lock:
            _init(service_name, app, workers)
    except Exception:
        logger.exception("telemetry could not be set up for %s; the service runs without", service_name)


def begin() -> None:
    """Sets up the metrics of a process whose service `init` may name later. Never raises."""
    try:
        with _lock:
            environment.check()
            exporters = environment.metrics_exporters()
            if exporters and not environment.is_disabled():
                _set_up_metrics(exporters)
                if "prometheus" in exporters:
                    _attempt("/metrics", metering.serve_alone)
    except Exception:
        logger.exception("telemetry could not be set up; the process runs without")


def _init(service_name: str, app: object, number: int | None) -> None:
    global _process_id
    service_name = _name(service_name)
    if process.service is None:
        process.service = service_name
        _process_id = os.getpid()
        environment.check()
        disabled = environment.is_disabled()
        exporters = environment.metrics_exporters()
        process.disabled = disabled or not exporters
        if not disabled:
            http.choose_conventions()  # before any instrumentation: the first one decides for all
            if not process.disabled:
                if metering.ready:
                    _attempt("the name of the service", environment.resource)
                else:
                    _set_up_metrics(exporters)
                _attempt("workers", lambda: web_server.expect(exporters, number, serves=app is not None))
                _measure_libraries()
            _attempt("traces", _set_up_traces)
        if app is None:
            _set_up_alone(exporters)
        logger.info("telemetry of %s: %s", service_name, _report(disabled))
        web_server.warn(exporters)
    elif process.service != service_name:
        logger.warning(
            "init(%r) after init(%r): a process is one service, and the first name stays",
            service_name,
            process.service,
        )
    elif _process_id != os.getpid():
        logger.warning("init was called before this process was forked: spans of before may be lost")
        _process_id = os.getpid()
    if _ended:
        logger.warning("init was called after shutdown: nothing is sent any more, and /metrics goes on")
    event_loop.measure()
    if app is not None:
        _add(app)


def _name(given: object) -> str:
    """The name of the service as UTF-8 can have it. What is no text would spoil all that is shown and sent."""
    name = text_of(given).strip()
    if not name:
        logger.warning("init was called with %s, which is no name of a service: it has none", quoted(given))
    return name


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
    http.serve_metrics(inner, metering.shown)
    if not process.disabled:
        _attempt("event loop", lambda: http.when_it_starts(inner, event_loop.measure))
    if not environment.is_disabled():  # also without metrics: there may be traces
        _attempt("HTTP", lambda: http.instrument(inner))


def _attempt(what: str, set_up: Callable[[], object]) -> None:
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
    metrics = "off (OTEL_METRICS_EXPORTER)" if process.disabled else metering.kept
    return f"metrics: {metrics}; traces: {_traced}"


def _set_up_alone(exporters: set[str]) -> None:
    """A process without an application, or whose applications come later."""
    if process.disabled or "prometheus" in exporters:
        _attempt("/metrics", metering.serve_alone)
    if not environment.is_disabled():
        _attempt("HTTP", http.instrument_apps_to_come)


def _set_up_metrics(exporters: set[str]) -> None:
    _attempt("runtime", runtime.start)
    _attempt("metrics", lambda: metering.set_up(exporters))
    if "otlp" in exporters:
        _attempt("sending metrics", lambda: metering.send(exporters, _end_at_exit))


def _measure_libraries() -> None:
    for library, modules in _MEASURED.items():
        if is_installed(library) and environment.is_instrumented(library):
            for module in modules:
                _attempt(f"the metrics of {library}", partial(_measure, module))


def _measure(module: str) -> None:
    importlib.import_module(f"telemetry.{module}").measure()


def _set_up_traces() -> None:
    global _traced
    _traced = traces.set_up(environment.resource, lambda close: _end_at_exit(Closing("spans", close)))
    look_for_spans()


def _end_at_exit(ending: Ending) -> None:
    if not _endings:
        atexit.register(shutdown)
    _endings.append(ending)


def shutdown(timeout_millis: int = 2000) -> None:
    """Sends what remains, spans and the metrics that are sent over OTLP, and stops sending. Never raises.

    Waits at most `timeout_millis` milliseconds, also when the collector does not answer. What was not sent in that time
    is lost, and a warning is logged. It runs by itself when the interpreter exits. A process that a signal can end must
    call it before it ends. /metrics goes on.

    Example:

        async def lifespan(app):
            yield
            telemetry.shutdown()
    """
    global _ended
    endings = _endings[:]
    _endings.clear()
    _ended = _ended or bool(endings)
    millis = bounded(timeout_millis, 2000)
    end = time.monotonic() + millis / 1000
    for ending in endings:
        ending.begin()
    for ending in endings:
        if not ending.within(max(0.0, end - time.monotonic())):
            logger.warning("telemetry: %s were left unsent after %d ms", ending.what, millis)
