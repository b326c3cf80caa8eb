"""Runs one table of HTTP cases against a real server and prints which series each case left, as JSON.

It runs in environments of its own, with one source of the request metrics in each: so it needs only telemetry, uvicorn
and FastAPI or Starlette. `python -m tests.telemetry.http_cases fastapi` (or `starlette`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

import telemetry

HOST = b"Host: evil.example/metrics?x=forged\r\n"
BACKGROUND_SECONDS = 0.3
HOSTILE = 1000


class Known(Exception):
    """An error that the application has a handler for."""


async def ok(_: Request) -> Response:
    return PlainTextResponse("ok")


async def unwell(_: Request) -> Response:
    return PlainTextResponse("unwell", 503)


async def conflict(_: Request) -> Response:
    raise HTTPException(409)


async def known(_: Request) -> Response:
    raise Known


async def crash(_: Request) -> Response:
    raise ValueError("a secret")


async def broken_stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("a secret")

    return StreamingResponse(parts())


async def endless_stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


async def slow(_: Request) -> Response:
    await asyncio.sleep(0.2)
    return PlainTextResponse("late")


async def waiting(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return PlainTextResponse("for nobody")


async def background(_: Request) -> Response:
    return PlainTextResponse("ok", background=BackgroundTask(asyncio.sleep, BACKGROUND_SECONDS))


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


async def handled(_: Request, __: Exception) -> Response:
    return PlainTextResponse("handled", 418)


class Refusing:
    """A guard: refuses some requests before they reach a route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope.get("headers", ())).get(b"x-refuse"):
            await PlainTextResponse("no", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def application(kind: str, **options: Any) -> Any:
    """The application of all cases, made of FastAPI or of Starlette."""
    paths: dict[str, Callable[..., Any]] = {
        "/items/{item_id}": ok,
        "/numbers/{number:int}": ok,
        "/health": unwell,
        "/conflict": conflict,
        "/known": known,
        "/crash": crash,
        "/broken": broken_stream,
        "/endless": endless_stream,
        "/slow": slow,
        "/waiting": waiting,
        "/background": background,
        "/x/metrics": ok,
    }
    inner: dict[str, Callable[..., Any]] = {"/things/{thing}": ok, "/metrics": ok, "/crash": crash}
    app, shop = _of(kind, paths, middleware=[Middleware(Refusing)], **options), _of(kind, inner)
    app.add_exception_handler(Known, handled)
    app.mount("/shop", shop)
    app.mount("/raw", PlainTextResponse("raw"))
    app.mount("/starlette", _of("starlette", inner))
    app.router.routes.append(Mount("/group", routes=[Route("/things/{thing}", ok)]))
    app.router.routes.append(Host("tenant.example", Router([Route("/of/{tenant}", ok)])))
    app.router.routes.append(WebSocketRoute("/greet", greet))
    return app


def _of(kind: str, paths: dict[str, Callable[..., Any]], **options: Any) -> Any:
    if kind == "starlette":
        return Starlette(
            routes=[Route(path, handler, methods=["GET", "HEAD"]) for path, handler in paths.items()], **options
        )
    from fastapi import APIRouter, FastAPI

    app, router = FastAPI(**options), APIRouter(prefix="/v1")

    async def order(order_id: int) -> int:
        return order_id

    router.add_api_route("/orders/{order_id}", order)
    app.include_router(router)
    for path, handler in paths.items():
        # A plain route where the path has a converter of Starlette.
        add = app.add_route if ":int" in path else app.add_api_route
        add(path, handler, methods=["GET", "HEAD"])
    return app


@dataclass
class Server:
    """A running server, and how to speak to it in bytes."""

    port: int

    def ask(
        self,
        target: str,
        method: str = "GET",
        extra: bytes = HOST,
        version: str = "1.1",
        leave_after: int | None = None,
    ) -> bytes:
        """The whole answer, or its first bytes when the client leaves after so many."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            head = f"{method} {target} HTTP/{version}\r\nConnection: close\r\n".encode("latin-1")
            connection.sendall(head + extra + b"\r\n")
            answer = b""
            while leave_after is None or len(answer) < leave_after:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
            return answer

    def scraped(self, target: str = "/metrics") -> str:
        head, _, body = self.ask(target, extra=b"Host: here\r\n").partition(b"\r\n\r\n")
        assert b" 200 " in head, head
        return body.decode()


class Watcher:
    """Says what a case added to the request metrics."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self.now()

    def now(self) -> tuple[dict[tuple[tuple[str, str], ...], float], float, float]:
        """The count of each series, the sum of all durations, and how many requests are active."""
        counts: dict[tuple[tuple[str, str], ...], float] = {}
        seconds = active = 0.0
        for family in text_string_to_metric_families(self._server.scraped()):
            for sample in family.samples:
                if sample.name == "http_server_request_duration_seconds_count":
                    labels = {name: value for name, value in sample.labels.items() if value}
                    counts[tuple(sorted(labels.items()))] = sample.value
                elif sample.name == "http_server_request_duration_seconds_sum":
                    seconds += sample.value
                elif sample.name == "http_server_active_requests":
                    active += sample.value
        return counts, seconds, active

    def added(self, requests: int) -> dict[str, Any]:
        """Waits at most 2 s until so many requests were counted and none is active, then 50 ms for one too many."""
        deadline = time.monotonic() + 2
        before, seconds_before, active_before = self._before
        while True:
            counts, seconds, active = self.now()
            total = sum(counts.values()) - sum(before.values())
            if (total >= requests and active == active_before) or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        time.sleep(0.05)
        counts, seconds, active = self._before = self.now()
        new = {labels: int(value - before.get(labels, 0)) for labels, value in counts.items()}
        return {
            "series": [{**dict(labels), "count": count} for labels, count in new.items() if count],
            "seconds": seconds - seconds_before,
            "still active": active - active_before,
        }


Case = tuple[Callable[[Server], Any], int]


def _times(target: str, *more: str, **how: Any) -> Case:
    targets = (target, *more)
    return (lambda server: [server.ask(one, **how) for one in targets]), len(targets)


def cases(kind: str) -> dict[str, Case]:
    """What is asked in each case, and how many requests that is. Left out ones count as none."""
    shared: dict[str, Case] = {
        "route template": _times("/items/1?a=b", "/items/2"),
        "404": _times("/nowhere", "/items/1/2/3"),
        "405": _times("/items/1", method="POST"),
        "slash redirect": _times("/items/1/"),
        "handled: HTTPException": _times("/conflict"),
        "handled: exception handler": _times("/known"),
        "unhandled exception": _times("/crash"),
        "503 of /health": _times("/health"),
        "refused by a middleware": _times("/items/1", extra=b"X-Refuse: 1\r\n" + HOST),
        "stream that breaks half-way": _times("/broken"),
        "client leaves a stream": _times("/endless", leave_after=3000),
        "client leaves before the answer": _times("/slow", leave_after=0),
        "client leaves, the handler sees it": _times("/waiting", leave_after=0),
        "background task": _times("/background"),
        "mounted app": _times("/shop/things/1", "/shop/things/2"),
        "mounted app: 404": _times("/shop/nowhere"),
        "mounted app: unhandled exception": _times("/shop/crash"),
        "mounted app: a /metrics of its own": _times("/shop/metrics"),
        "mounted Starlette": _times("/starlette/things/1"),
        "mounted routes": _times("/group/things/1"),
        "mounted plain ASGI": _times("/raw/a/b"),
        "route by host": _times("/of/1", "/of/2", extra=b"Host: tenant.example\r\n"),
        "HEAD": _times("/items/1", method="HEAD"),
        "OPTIONS": _times("/items/1", method="OPTIONS"),
        "unknown method": _times("/items/1", "/nowhere", method="FOO123"),
        "method in small letters": _times("/items/1", method="get"),
        "number too long for int": _times("/numbers/" + "9" * 5000),
        "/metrics": (_times("/metrics", "/metrics?a=b", "/%6detrics")[0], 0),
        "HEAD /metrics": (_times("/metrics", method="HEAD")[0], 0),
        "POST /metrics": _times("/metrics", method="POST"),
        "almost /metrics": _times("//metrics", "/metrics/", "/metrics%0A", "/metrics/x", "/.//metrics", "/metrics;a"),
        "/metrics of a route": _times("/x/metrics"),
        "excluded by pattern": (_times("/items/excluded", "/nowhere/excluded")[0], 0),
        "excluded pattern in Host and query": _times("/items/1?excluded", extra=b"Host: excluded\r\n"),
    }
    if kind == "fastapi":
        shared |= {
            "included router": _times("/v1/orders/1"),
            "422": _times("/v1/orders/x"),
        }
    return shared


# A mounted application is not among them: with FastAPI(root_path=) Starlette itself answers 404 there.
ROOTED: dict[str, Case] = {
    "route": _times("/items/1"),
    "404": _times("/nowhere"),
    "/metrics": (_times("/metrics")[0], 0),
    "/metrics of a route": _times("/x/metrics"),
}


def hostile(server: Server) -> list[str]:
    """Random methods, hosts, paths and versions. Returns the texts that must be in no label."""
    chance = random.Random(7)  # noqa: S311 - the same texts each time
    texts = []
    for number in range(HOSTILE):
        text = f"forged{number}"
        texts.append(text)
        method = chance.choice([text.upper(), "GET", "POST", f"{text}-get"])
        target = chance.choice(
            [f"/{text}", f"/items/{text}", f"/shop/{text}", f"/raw/{text}", f"/of/{text}", "/health"]
        )
        host = chance.choice([text, f"{text}/metrics", f"{text}:80:80", "tenant.example", f"[::{number:x}]", ""])
        head = f"Host: {host}\r\nX-Forwarded-Proto: {text}\r\nX-Forwarded-Host: {text}\r\nForwarded: proto={text}\r\n"
        version = f"{number // 10 % 10}.{number % 10}"
        server.ask(target, method, f"{head}User-Agent: {text}\r\n".encode(), version)
    return texts


async def websocket(app: Any) -> list[str]:
    """Speaks the protocol of ASGI with the application; uvicorn needs another package for a real one."""
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "scheme": "ws", "path": "/greet", "headers": [], "query_string": b"", "root_path": ""}
    await app({**scope, "subprotocols": [], "server": ("here", 80), "client": ("here", 1)}, receive, send)
    return sent


def serve(app: Any, stopping: list[Any], **options: Any) -> tuple[Server, asyncio.AbstractEventLoop]:
    """Starts uvicorn on a free port, in a thread."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **options))
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve([listening])

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    stopping.append((server, thread))
    return Server(listening.getsockname()[1]), loops[0]


def main(kind: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    stopping: list[Any] = []
    found: dict[str, Any] = {}
    try:
        app = application(kind)
        telemetry.init("cases", app)
        server, loop = serve(app, stopping)
        watcher = Watcher(server)
        for name, (act, requests) in cases(kind).items():
            act(server)
            found[name] = watcher.added(requests)
        sent = asyncio.run_coroutine_threadsafe(websocket(app), loop).result(10)
        assert sent == ["websocket.accept", "websocket.send", "websocket.close"], sent
        found["websocket"] = watcher.added(0)

        telemetry.init("cases", second := application(kind))
        rooted, _ = serve(second, stopping, root_path="/api")
        for name, (act, requests) in ROOTED.items():
            act(rooted)
            found[f"--root-path /api: {name}"] = watcher.added(requests)
        rooted, _ = serve(third := application(kind), stopping)
        telemetry.init("cases", third)
        for name in ("route template", "unhandled exception"):
            act, requests = cases(kind)[name]
            act(rooted)
            found[f"init after the start: {name}"] = watcher.added(requests)
        if kind == "fastapi":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # newer FastAPI would rather have --root-path
                telemetry.init("cases", fourth := application(kind, root_path="/api"))
            rooted, _ = serve(fourth, stopping)
            for name, (act, requests) in ROOTED.items():
                act(rooted)
                found[f"FastAPI(root_path='/api'): {name}"] = watcher.added(requests)

        texts = hostile(server)
        added = watcher.added(HOSTILE)
        text = server.scraped()
        found["hostile"] = {
            "requests": sum(one["count"] for one in added["series"]),
            "series": len(added["series"]),
            "still active": added["still active"],
            "forged": [one for one in [*texts, "forged", "evil", "secret"] if one in text.lower()][:5],
        }
        found["names"] = sorted(
            {family.name for family in text_string_to_metric_families(text) if "http" in family.name}
        )
    finally:
        for uvicorn_server, thread in stopping:
            uvicorn_server.should_exit = uvicorn_server.force_exit = True
            thread.join(10)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
