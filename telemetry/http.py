"""HTTP of a FastAPI application: /metrics, and request metrics from exactly one source.

FastAPI measures its own requests from 0.142.4 on, through the global providers. An older one gets
opentelemetry-instrumentation-fastapi, with the stable semantic conventions. The names are the same either way:
`http_server_request_duration_seconds` and `http_server_active_requests`.

A process without an application serves /metrics on a port of its own.
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
"""Left out by exact path: they are asked every few seconds and would drown what customers see."""

# The pattern is searched in the whole URL, which holds what the client sent as Host: hence the anchors.
_UNMEASURED_URLS = ",".join(f"^https?://[^/]*{path}$" for path in UNMEASURED)


def choose_conventions() -> None:
    """Has the instrumentation of an older FastAPI use the stable names; comes before any other instrumentation."""
    # Its default conventions put the client's Host header into a label.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


def serve_metrics(app: FastAPI, render: Callable[[], bytes]) -> None:
    """Adds GET /metrics before every other route, rendered off the event loop."""

    async def metrics(request: Request) -> Response:
        return Response(await run_in_threadpool(render), media_type=CONTENT_TYPE)

    app.router.routes.insert(0, Route("/metrics", metrics, methods=["GET"], include_in_schema=False))


def has_native_telemetry() -> bool:
    """Whether this FastAPI measures its own requests."""
    return importlib.util.find_spec("fastapi.telemetry") is not None


def instrument(app: FastAPI) -> None:
    """Has the application's requests measured, by FastAPI itself where it can."""
    if has_native_telemetry():
        _leave_out_unmeasured(app)
    else:
        instrument_older_fastapi(app)


def _leave_out_unmeasured(app: FastAPI) -> None:
    # The setting is public as an argument of FastAPI() only, and the application is there already.
    settings: dict[str, Any] | None = getattr(app, "_telemetry", None)
    if settings is None:
        logger.warning("this FastAPI keeps its telemetry settings elsewhere: /metrics and /health are measured too")
        return
    before = settings.get("exclude")

    def exclude(scope: MutableMapping[str, Any]) -> bool:
        return scope.get("path") in UNMEASURED or bool(before is not None and before(scope))

    settings["exclude"] = exclude


def instrument_older_fastapi(app: FastAPI) -> None:
    """Adds opentelemetry-instrumentation-fastapi. FastAPI's own telemetry stands back when it sees it."""
    choose_conventions()
    FastAPIInstrumentor.instrument_app(app, excluded_urls=_UNMEASURED_URLS)


def instrument_apps_to_come() -> None:
    """Has applications measured that are made after this; a FastAPI that measures itself needs nothing."""
    if not has_native_telemetry():
        choose_conventions()
        FastAPIInstrumentor().instrument(excluded_urls=_UNMEASURED_URLS)


def serve_metrics_alone(render: Callable[[], bytes]) -> None:
    """Serves /metrics on `OTEL_EXPORTER_PROMETHEUS_HOST` and `_PORT`, from a thread that ends with the process."""

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
            """Scrapes are not worth a line each."""

    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST", "").strip() or "localhost"
    port = int(os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT", "").strip() or 9464)
    server = ThreadingHTTPServer((host, port), Metrics)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
