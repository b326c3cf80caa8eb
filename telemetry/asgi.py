"""Measures the requests of a Starlette or an older FastAPI application: each once, with the route's template.

The measuring itself is the middleware of opentelemetry-instrumentation-asgi. It is put around all other middleware, so
that it sees the answer to an exception, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

from opentelemetry import metrics

from telemetry.extras import load

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
LeftOut = Callable[[Scope], bool]

MARK = "fastapi.telemetry"
"""The key in a scope by which FastAPI's own telemetry knows that an application around it has seen the request."""


class Once:
    """Measures a request, unless it is left out or an application around this one has seen it."""

    def __init__(self, measuring: Any, left_out: LeftOut) -> None:
        self.app: Any = measuring  # FastAPI's own telemetry looks for it under this name, and stands back
        self.left_out = left_out

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or MARK in scope:
            await self.app.app(scope, receive, send)
            return
        scope[MARK] = None
        chosen = self.app.app if self.left_out(scope) else self.app
        await chosen(scope, receive, send)


def measured(stack: Any, left_out: LeftOut) -> Any:
    """The stack of middleware with exactly one around it that measures: the one that was in it, or a new one."""
    middleware = load("opentelemetry.instrumentation.asgi").OpenTelemetryMiddleware
    if isinstance(stack, Once):
        stack.left_out = left_out
        return stack
    stack, found = unmeasured(stack)
    measuring = found[0] if found else middleware(stack, meter=OneMeter().get_meter())
    measuring.app = stack
    measuring.excluded_urls = None  # its patterns would be searched in the client's Host header, too
    measuring.default_span_details = _details
    # When an answer does not say its size, they show that of the answer before. FastAPI itself has no such metrics.
    measuring.server_response_body_size_histogram = measuring.server_request_body_size_histogram = None
    if measuring.duration_histogram_new is None:
        logger.warning(
            "the request metrics have old names, and the client's Host header as a label, because something was "
            "instrumented before init: set OTEL_SEMCONV_STABILITY_OPT_IN=http"
        )
    return Once(measuring, left_out)


class OneMeter(metrics.MeterProvider):
    """Gives all that measures requests one meter. With two, there would be two series with the same name and labels."""

    def get_meter(self, name: str = "telemetry.http", *_: object, **__: object) -> metrics.Meter:
        native = sys.modules.get("fastapi.telemetry._asgi")
        if native is None:
            return metrics.get_meter("telemetry.http")
        return metrics.get_meter("fastapi", native.__version__, schema_url=getattr(native, "_SCHEMA_URL", None))


def unmeasured(stack: Any) -> tuple[Any, list[Any]]:
    """The stack of middleware without what measures, and what measured: it need not even be installed."""
    module = sys.modules.get("opentelemetry.instrumentation.asgi")
    found: list[Any] = []
    around, part = None, stack
    for _ in range(100):
        if module is not None and isinstance(part, module.OpenTelemetryMiddleware):
            found.append(part)
            if around is None:
                stack = part.app
            else:
                around.app = part.app
        else:
            around = part
        part = getattr(part, "app", None)
        if part is None:
            break
    return stack, found


def _details(scope: Scope) -> tuple[str, dict[str, Any]]:
    """The name of the span, and the route as an attribute."""
    route = None
    try:
        template = _template(scope["app"].routes, scope)
        route = template and scope.get("root_path", "").rstrip("/") + template
    except Exception:
        route = None  # such as a number with too many digits: the application raises the same, and answers for it
    from opentelemetry.util.http import sanitize_method

    method = sanitize_method(scope.get("method", "GET"))  # a websocket begins as a GET
    name = "HTTP" if method == "_OTHER" else method
    return (f"{name} {route}", {"http.route": route}) if route else (name, {})


def _template(routes: Sequence[Any], scope: Scope) -> str | None:
    """The template of the route that takes the request, through mounted applications. None if there is none."""
    from starlette.routing import Match

    partial = None
    for route in _flat(routes):
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        template: str | None = getattr(route, "path_format", None)
        inside = getattr(route, "routes", None)
        if inside is not None:  # a Mount, or a Host, which has no template of its own
            inner = _template(inside, {**scope, **child})
            template = (template or "").removesuffix("/{path}") + inner if inner else template
        if match is Match.FULL:
            return template
        partial = partial or template
    return partial


def _flat(routes: Sequence[Any]) -> Iterator[Any]:
    """The routes, also those of FastAPI's included routers. FastAPI has a function for that since 0.137.2."""
    flatten = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    iterator: Iterator[Any] = flatten(routes)
    return iterator
