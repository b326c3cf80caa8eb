"""Serves /metrics, and sets up the request metrics of a FastAPI application so that each request counts once.

FastAPI measures its own requests since version 0.142.4, through the global providers. An older FastAPI is measured by
opentelemetry-instrumentation-fastapi, with the stable semantic conventions. In both cases the metrics are
`http_server_request_duration_seconds` and `http_server_active_requests`.

A process without an application serves /metrics on its own port.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from collections.abc import Callable, MutableMapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telemetry.exposition import CONTENT_TYPE

logger = logging.getLogger(__name__)

UNMEASURED = ("/metrics", "/health")
"""Exact paths that are not measured. They are requested every few seconds and would hide the requests of clients."""

# The anchors are needed: the pattern is searched in the whole URL, and the client chooses the host in it.
_UNMEASURED_URLS = ",".join(f"^https?://[^/]*{path}$" for path in UNMEASURED)


def choose_conventions() -> None:
    """Makes the instrumentation of an older FastAPI use the stable names. Call it before any other instrumentation."""
    # The default conventions put the client's Host header into a label.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


def serve_metrics(app: FastAPI, render: Callable[[], bytes]) -> None:
    """Adds GET /metrics before every other route. It runs in a thread, so that it does not block the event loop."""

    async def metrics(request: Request) -> Response:
        return Response(await run_in_threadpool(render), media_type=CONTENT_TYPE)

    app.router.routes.insert(0, Route("/metrics", metrics, methods=["GET"], include_in_schema=False))


def has_native_telemetry() -> bool:
    """Whether this FastAPI measures its own requests."""
    return importlib.util.find_spec("fastapi.telemetry") is not None


def instrument(app: FastAPI) -> None:
    """Turns on request metrics for the application. FastAPI measures them itself if its version can."""
    if has_native_telemetry():
        _leave_out_unmeasured(app)
    else:
        instrument_older_fastapi(app)


def _leave_out_unmeasured(app: FastAPI) -> None:
    # The public way to set this is an argument of FastAPI(), but here the application exists already.
    settings: dict[str, Any] | None = getattr(app, "_telemetry", None)
    if settings is None:
        logger.warning(
            "the telemetry settings of this FastAPI were not found: requests for /metrics and /health are measured too"
        )
        return
    before = settings.get("exclude")

    def exclude(scope: MutableMapping[str, Any]) -> bool:
        return scope.get("path") in UNMEASURED or bool(before is not None and before(scope))

    settings["exclude"] = exclude


def instrument_older_fastapi(app: FastAPI) -> None:
    """Adds opentelemetry-instrumentation-fastapi. FastAPI's own telemetry turns itself off when it finds it."""
    choose_conventions()
    FastAPIInstrumentor.instrument_app(app, excluded_urls=_UNMEASURED_URLS)


def instrument_apps_to_come() -> None:
    """Turns on request metrics for applications created later. Does nothing if FastAPI measures its own requests."""
    if not has_native_telemetry():
        choose_conventions()
        FastAPIInstrumentor().instrument(excluded_urls=_UNMEASURED_URLS)


def serve_metrics_alone(render: Callable[[], bytes]) -> None:
    """Serves /metrics on `OTEL_EXPORTER_PROMETHEUS_HOST` (localhost) and `_PORT` (9464), in a daemon thread."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.partition("?")[0] == "/metrics"
            body = render() if known else b"metrics are at /metrics\n"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Logs nothing: a log line for each scrape would hide the other lines."""

    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST", "").strip() or "localhost"
    port = int(os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT", "").strip() or 9464)
    server = ThreadingHTTPServer((host, port), Metrics)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
