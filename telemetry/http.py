"""Serves /metrics, and sets up the request metrics of an application so that each request counts once.

FastAPI measures its own requests since version 0.142.4, through the global providers. An older FastAPI is measured by
opentelemetry-instrumentation-fastapi, and a Starlette application by opentelemetry-instrumentation-asgi, both with the
stable semantic conventions. The metrics are always `http_server_request_duration_seconds` and
`http_server_active_requests`. tests/telemetry/test_http_cases.py shows what each source says of the same requests.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from telemetry import asgi, environment, event_loop
from telemetry.answers import Asked, Render, answer
from telemetry.asgi import LeftOut, Scope
from telemetry.extras import Missing, is_installed, load
from telemetry.spans import untraced

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")
logger = logging.getLogger(__name__)

HEALTH = "/health"
"""It is asked for every few seconds: that is measured, and makes no span."""
VERSIONS = ("1.0", "1.1", "2", "3")
"""What a server may say as `http_version`. It is a label, and uvicorn passes on what a client made up, such as 7.3."""

_known: weakref.WeakSet[Starlette] = weakref.WeakSet()
"""The applications that are measured, so that those of a class which is measured are set up once."""


class NoApplication(Exception):
    """What was given to `init` is no application in which /metrics can be served."""


def choose_conventions() -> None:
    """Makes instrumentations use the stable names alone. Call it before any other instrumentation."""
    # The old names, which `http/dup` would add, come with the client's Host header as a label.
    name = "OTEL_SEMCONV_STABILITY_OPT_IN"
    chosen = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    if "http/dup" in chosen:
        logger.warning("%s: http is used instead of http/dup, because the old names let clients make series", name)
    os.environ[name] = ",".join([*(part for part in chosen if part not in ("http", "http/dup")), "http"])


def starlette_of(app: object) -> Starlette:
    """The FastAPI or Starlette application, also if middleware is wrapped around it. Raises `NoApplication`."""
    inner: Any = app
    for _ in range(100):
        if _class_of(type(inner), "Starlette") is not None:
            starlette: Starlette = inner
            return starlette
        inner = getattr(inner, "app", None)
    raise NoApplication(
        f"{type(app).__name__} is neither a FastAPI nor a Starlette application, nor one with middleware around it: "
        "call init without an application, then /metrics is served on a port of its own"
    )


def _class_of(kind: type, name: str) -> Any:
    """The framework's class of this name that a class is, or derives from, or None.

    An instrumentation may have put a class of its own in its place, from which not every application derives.
    """
    modules = ("starlette.applications", "fastapi.applications")
    return next((one for one in kind.__mro__ if one.__name__ == name and one.__module__ in modules), None)


def serve_metrics(app: Starlette, render: Render) -> None:
    """Adds GET and HEAD /metrics before every other route. A scrape never waits for the application's thread pool."""
    from starlette.responses import Response
    from starlette.routing import Route

    async def metrics(request: Request) -> Response:
        event_loop.measure()  # its server may not have told the application that it starts
        headers = request.headers
        asked = Asked(
            headers.get("accept", ""), headers.get("accept-encoding", ""), request.query_params.getlist("name[]")
        )
        body, about = await in_own_thread(lambda: answer(render, asked))
        return Response(body, headers=about)

    app.router.routes.insert(0, Route("/metrics", metrics, methods=["GET", "HEAD"], include_in_schema=False))


def when_it_starts(app: Starlette, work: Callable[[], None]) -> None:
    """Has the work done on the event loop of the application's server, before the application's own lifespan."""
    lifespan = app.router.lifespan_context

    def worked(started: Any) -> Any:
        work()
        return lifespan(started)

    app.router.lifespan_context = worked


async def in_own_thread(work: Callable[[], T]) -> T:
    """Does the work in a thread that nothing else uses, so that neither waits for the other."""
    import asyncio  # only here, because importing it takes as long as half of this library

    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def end(*result: T, error: BaseException | None = None) -> None:
        if not done.done():  # the client may have gone
            if error is None:
                done.set_result(*result)
            else:
                done.set_exception(error)

    def run() -> None:
        try:
            ended = partial(end, work())
        except BaseException as error:
            ended = partial(end, error=RuntimeError(f"{type(error).__name__}: {error}"))
        try:
            loop.call_soon_threadsafe(ended)
        except RuntimeError:  # the loop has ended
            logger.debug("an answer of /metrics came after the end of its server")

    threading.Thread(target=run, daemon=True, name="telemetry-scrape").start()
    return await done


def own_path(scope: Scope) -> str:
    """The path as the application's routes see it: without the root path, which the server or a mount may add."""
    path: str = scope.get("path", "")
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if path.startswith(f"{root}/") else path


def left_out(framework: str, *, serves_metrics: bool, before: LeftOut | None = None) -> LeftOut:
    """Which requests are not measured: scrapes of our own /metrics, and paths that match a pattern of the environment.

    The patterns are searched in the application's own path. The Host header and the query are the client's to choose.
    """
    patterns = [re.compile(pattern) for pattern in environment.excluded_urls(framework).split(",") if pattern]

    def is_left_out(scope: Scope) -> bool:
        if scope.get("http_version") not in VERSIONS:
            scope["http_version"] = "1.1"
        path = own_path(scope)
        if path == HEALTH and len(untraced) < 100:
            untraced.add(scope["path"])
        if serves_metrics and path == "/metrics" and scope.get("method") in ("GET", "HEAD"):
            return True
        return any(pattern.search(path) for pattern in patterns) or (before is not None and before(scope))

    return is_left_out


def has_native_telemetry() -> bool:
    """Whether this FastAPI measures its own requests."""
    return importlib.util.find_spec("fastapi.telemetry") is not None


def instrument(app: Starlette, *, serves_metrics: bool = True) -> None:
    """Turns on the request metrics of an application, once. FastAPI measures them itself if its version can.

    `serves_metrics` says that /metrics of this application is ours, and is not measured. Raises `Missing` if the
    package that measures is not installed.
    """
    _known.add(app)
    of_fastapi = hasattr(app, "openapi")
    if not environment.is_instrumented("fastapi" if of_fastapi else "starlette"):
        _leave_alone(app)
        return
    if of_fastapi and has_native_telemetry():
        _leave_out(app, serves_metrics)
        _around(app, _alone)
        return
    choose_conventions()
    leaves_out = left_out("FASTAPI" if of_fastapi else "STARLETTE", serves_metrics=serves_metrics)
    module = load(f"opentelemetry.instrumentation.{'fastapi' if of_fastapi else 'asgi'}")
    if of_fastapi and not getattr(app, "_is_instrumented_by_opentelemetry", False):
        module.FastAPIInstrumentor.instrument_app(app, excluded_urls="", meter_provider=asgi.OneMeter())
    _around(app, lambda stack: asgi.measured(stack, leaves_out))


def _leave_alone(app: Any) -> None:
    if (settings := getattr(app, "_telemetry", None)) is not None:
        settings["exclude"] = lambda _: True


def _around(app: Starlette, change: Callable[[Any], Any]) -> None:
    """Changes the middleware of an application, started or not. An error does not keep it from starting."""

    def changed(stack: Any) -> Any:
        try:
            return change(stack)
        except Exception:
            logger.exception("the requests of an application are not measured")
            return stack

    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: changed(build())  # type: ignore[method-assign]
    if app.middleware_stack is not None:
        app.middleware_stack = changed(app.middleware_stack)


def _leave_out(app: Any, serves_metrics: bool) -> None:
    # The public way to set this is an argument of FastAPI(), but here the application exists already.
    settings: dict[str, Any] | None = getattr(app, "_telemetry", None)
    if settings is None:
        logger.warning("the telemetry settings of this FastAPI were not found: requests for /metrics are measured too")
        return
    settings["exclude"] = left_out("FASTAPI", serves_metrics=serves_metrics, before=settings.get("exclude"))


def _alone(stack: Any) -> Any:
    """The middleware without that of an instrumentation: FastAPI's own telemetry would stand back for it."""
    stack, found = asgi.unmeasured(stack)
    if found:
        logger.info("FastAPI measures its own requests: the middleware of opentelemetry-instrumentation is taken out")
    return stack


def instrument_apps_to_come() -> None:
    """Turns on request metrics for each application that starts later, in whatever order modules were imported."""
    for module, name in (("starlette", "Starlette"), ("fastapi", "FastAPI")):
        if is_installed(module):
            applications = importlib.import_module(f"{module}.applications")
            _measure_class(_class_of(getattr(applications, name), name))


def _measure_class(of: Any) -> None:
    build = of.build_middleware_stack

    def build_measured(app: Starlette) -> Any:
        if app in _known:
            return build(app)
        try:
            instrument(app, serves_metrics=False)
        except Missing as missing:
            logger.warning("the requests of an application are not measured: %s", missing)
        except Exception:
            logger.exception("the requests of an application are not measured")
        return app.build_middleware_stack()

    of.build_middleware_stack = build_measured
