"""Serves /metrics, and sets up the request metrics of a FastAPI application so that each request counts once.

FastAPI measures its own requests since version 0.142.4, through the global providers. An older FastAPI is measured by
opentelemetry-instrumentation-fastapi, with the stable semantic conventions. In both cases the metrics are
`http_server_request_duration_seconds` and `http_server_active_requests`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import threading
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from telemetry import environment, event_loop
from telemetry.extras import load

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNMEASURED = ("/metrics", "/health")
"""Exact paths that are not measured. They are requested every few seconds and would hide the requests of clients."""


class NoApplication(Exception):
    """What was given to `init` is no application in which /metrics can be served."""


def choose_conventions() -> None:
    """Makes the instrumentation of an older FastAPI use the stable names. Call it before any other instrumentation."""
    # The default conventions put the client's Host header into a label.
    name = "OTEL_SEMCONV_STABILITY_OPT_IN"
    chosen = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    if "http" not in chosen and "http/dup" not in chosen:
        os.environ[name] = ",".join([*chosen, "http"])


def starlette_of(app: object) -> Starlette:
    """The FastAPI or Starlette application, also if middleware is wrapped around it. Raises `NoApplication`."""
    from starlette.applications import Starlette

    inner: object = app
    for _ in range(100):
        if isinstance(inner, Starlette):
            return inner
        inner = getattr(inner, "app", None)
    raise NoApplication(
        f"{type(app).__name__} is neither a FastAPI nor a Starlette application, nor one with middleware around it: "
        "call init without an application, then /metrics is served on a port of its own"
    )


def serve_metrics(app: Starlette, render: Callable[[], bytes]) -> None:
    """Adds GET and HEAD /metrics before every other route. A scrape never waits for the application's thread pool."""
    from starlette.responses import Response
    from starlette.routing import Route

    async def metrics(_: Request) -> Response:
        event_loop.measure()  # its server may not have told the application that it starts
        return Response(await in_own_thread(render), media_type=CONTENT_TYPE)

    app.router.routes.insert(0, Route("/metrics", metrics, methods=["GET", "HEAD"], include_in_schema=False))


def when_it_starts(app: Starlette, work: Callable[[], None]) -> None:
    """Has the work done on the event loop of the application's server, before the application's own lifespan."""
    lifespan = app.router.lifespan_context

    def worked(started: Any) -> Any:
        work()
        return lifespan(started)

    app.router.lifespan_context = worked


async def in_own_thread(work: Callable[[], bytes]) -> bytes:
    """Does the work in a thread that nothing else uses, so that neither waits for the other."""
    import asyncio  # only here, because importing it takes as long as half of this library

    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def answer(result: bytes | None, error: BaseException | None) -> None:
        if not done.done():  # the client may have gone
            if error is None and result is not None:
                done.set_result(result)
            else:
                done.set_exception(error or RuntimeError("no answer"))

    def run() -> None:
        try:
            result, problem = work(), None
        except BaseException as error:
            result, problem = None, RuntimeError(f"{type(error).__name__}: {error}")
        try:
            loop.call_soon_threadsafe(answer, result, problem)
        except RuntimeError:  # the loop has ended
            logger.debug("an answer of /metrics came after the end of its server")

    threading.Thread(target=run, daemon=True, name="telemetry-scrape").start()
    return await done


def _unmeasured_urls() -> str:
    # The anchors are needed: the pattern is searched in the whole URL, and the client chooses the host in it.
    ours = [f"^https?://[^/]*{path}$" for path in UNMEASURED]
    return ",".join(filter(None, [*ours, environment.excluded_urls()]))


def has_native_telemetry() -> bool:
    """Whether this FastAPI measures its own requests."""
    return importlib.util.find_spec("fastapi.telemetry") is not None


def instrument(app: Starlette) -> None:
    """Turns on request metrics for the application. FastAPI measures them itself if its version can."""
    if not hasattr(app, "openapi"):
        logger.warning("the requests of a Starlette application are not measured: only those of FastAPI are")
    elif has_native_telemetry():
        _leave_out_unmeasured(app)
    else:
        instrument_older_fastapi(app)


def _leave_out_unmeasured(app: Starlette) -> None:
    # The public way to set this is an argument of FastAPI(), but here the application exists already.
    settings: dict[str, Any] | None = getattr(app, "_telemetry", None)
    if settings is None:
        logger.warning(
            "the telemetry settings of this FastAPI were not found: requests for /metrics and /health are measured too"
        )
        return
    before = settings.get("exclude")
    patterns = [re.compile(pattern) for pattern in environment.excluded_urls().split(",") if pattern]

    def exclude(scope: MutableMapping[str, Any]) -> bool:
        path = scope.get("path", "")
        if path in UNMEASURED or (before is not None and before(scope)):
            return True
        return any(pattern.search(path) for pattern in patterns)

    settings["exclude"] = exclude


def instrument_older_fastapi(app: Starlette) -> None:
    """Adds opentelemetry-instrumentation-fastapi. FastAPI's own telemetry turns itself off when it finds it."""
    choose_conventions()
    instrumentor = load("opentelemetry.instrumentation.fastapi").FastAPIInstrumentor
    instrumentor.instrument_app(app, excluded_urls=_unmeasured_urls())


def instrument_apps_to_come() -> None:
    """Turns on request metrics for applications created later. Does nothing if FastAPI measures its own requests."""
    if importlib.util.find_spec("fastapi") is not None and not has_native_telemetry():
        choose_conventions()
        load("opentelemetry.instrumentation.fastapi").FastAPIInstrumentor().instrument(excluded_urls=_unmeasured_urls())
