"""What every application here refuses before its own code runs, and how briefly it says so.

A page in a browser on this machine can send requests to 127.0.0.1, also under a name of its own (DNS rebinding). It
must not be able to trip a breaker. A body of a megabyte must not keep everybody else waiting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine, for those who are on it."""
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
    """An application that answers only to its own names, and takes no large body.

    Refused with 400: a `Host` that is not in `hosts` (names without ports). With 403: a request that may change
    something and comes from a page of another origin. With 413: a body over `body_bytes`, chunked ones too. Input that
    is not as declared is a 422 with ten problems at most.
    """
    app = FastAPI(title=title, lifespan=lifespan)
    app.add_exception_handler(RequestValidationError, bad_input)
    # Not as FastAPI's own `max_body_size`: that is outside of every middleware, and its 413 keeps the connection.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=body_bytes)
    app.add_middleware(_OwnOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(_CloseUnread)
    return app


class _OwnOrigin:
    """Browsers send `Origin` with every request of a page that could change something; programs send none."""

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
    """Closes the connection after an answer to a body that was not read: uvicorn would go on to receive all of it."""

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


async def bad_input(_: Request, error: Exception) -> Response:
    """The answer to input that is not as declared: where it is wrong and why, ten problems in 4 KiB at most.

    Without the input itself, as FastAPI's own has it: NaN and lone surrogates come in as JSON, but do not go out.
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
