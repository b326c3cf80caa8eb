"""Refuses bad requests before the code of an application runs, with short answers.

Any web page in a browser on this machine can send requests to 127.0.0.1, also under a host name of its own (DNS
rebinding). It must not be able to trip the breaker. And a very large body must not delay all other requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.descriptors import raise_limit
from apps.hosts import OWN_HOSTS

BODY_BYTES = 64 * 1024
PROBLEMS = 10
ANSWER_BYTES = 4 * 1024
_TEXT_CHARACTERS = 120


def guarded(
    title: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    hosts: Sequence[str] = OWN_HOSTS,
    body_bytes: int = BODY_BYTES,
) -> FastAPI:
    """An application that answers only to its own host names and takes no large bodies.

    It answers 400 to a `Host` that is not in `hosts` (names without ports). It answers 403 to a request that may
    change something and comes from a page of another origin. It answers 413 to a body over `body_bytes`, chunked or
    not. It answers 422 to invalid input, and names at most ten problems. Connections without a request are not closed,
    so that the process gets as many file descriptors as it may have.
    """
    raise_limit()
    app = FastAPI(title=title, lifespan=lifespan, responses=REFUSED)
    app.add_exception_handler(RequestValidationError, bad_input)
    app.add_exception_handler(405, other_method)
    # Not FastAPI's own `max_body_size`: it runs outside every middleware, and does not close the connection on a 413.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=body_bytes)
    app.add_middleware(_OwnOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(_CloseUnread)
    return app


class Problem(BaseModel):
    """The answer with a status that is not in the 200s: a sentence."""

    detail: str


REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no JSON in UTF-8, or the Host is not one of this service"},
    403: {"model": Problem, "description": "A change that a page of another origin asks for"},
    413: {"description": "The body is too large"},
}
"""What any endpoint may answer before it is reached, for its OpenAPI."""


class _OwnOrigin:
    """Refuses changes from pages of another origin. Browsers send `Origin` with such requests; programs do not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            headers = Headers(scope=scope)
            own = {f"{scheme}://{headers.get('host', '')}".lower() for scheme in ("http", "https")}
            if any(origin.lower() not in own for origin in headers.getlist("origin")):
                refusal = JSONResponse({"detail": "a page of another origin may not change anything here"}, 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _CloseUnread:
    """Closes the connection if the body was not read completely. Otherwise uvicorn would receive the rest of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        unread = True

        async def receive_noted() -> Message:
            nonlocal unread
            message = await receive()
            unread = bool(message.get("more_body", False))
            return message

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and unread:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive_noted, send_closing)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def other_method(request: Request, _: Exception) -> Response:
    """The answer to a method that a path does not have. `Allow` lists those of all its routes, not of one of them."""
    methods = {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path and compile_path(route.path)[0].match(request.scope["path"])
        for method in route.methods or ()
    }
    return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(sorted(methods))})


async def bad_input(_: Request, error: Exception) -> Response:
    """The answer to invalid input: where it is wrong and why, with at most ten problems in 4 KiB.

    FastAPI's own answer repeats the input. This one does not, because NaN and lone surrogates can be read from JSON
    but cannot be written.
    """
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    detail = [_brief(problem) for problem in problems[:PROBLEMS]]
    while len(content := _answer(detail, len(problems) - len(detail))) > ANSWER_BYTES:
        detail.pop()
    return Response(content, 422, media_type="application/json")


def _answer(detail: list[dict[str, Any]], left_out: int) -> bytes:
    return json.dumps({"detail": detail, **({"left_out": left_out} if left_out else {})}).encode()


def _brief(problem: Mapping[str, Any]) -> dict[str, Any]:
    where = [part if isinstance(part, int) else str(part)[:_TEXT_CHARACTERS] for part in problem["loc"]]
    return {"loc": where, "msg": str(problem["msg"])[:_TEXT_CHARACTERS], "type": problem["type"]}
