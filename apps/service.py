"""What the four services have in common: settings, background work, and /health."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pydantic_settings import BaseSettings

import telemetry
from apps.database import UNAVAILABLE, Unavailable

logger = logging.getLogger(__name__)


Chosen = TypeVar("Chosen", bound=BaseSettings)


def load(kind: type[Chosen]) -> Chosen:
    """The settings from the environment; ends the process with a sentence for each that is wrong."""
    try:
        return kind()
    except ValidationError as wrong:
        raise SystemExit(
            "\n".join(
                f"{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}" if e["loc"] else e["msg"] for e in wrong.errors()
            )
        ) from None


class ServiceSettings(BaseSettings):
    """Where a service finds what it needs; each field is an environment variable in capitals."""

    database_url: str = "postgresql://postgres@127.0.0.1:5432/trading"
    redis_url: str = "redis://127.0.0.1:6379/0"


async def every(seconds: float, what: Callable[[], Awaitable[object]]) -> None:
    """Does it again and again; one time that fails is logged, and the next one comes."""
    while True:
        try:
            await what()
        except Exception as error:  # a timer that ends silently is a gauge that freezes
            logger.warning("%s: %s: %s", what.__qualname__, type(error).__name__, error)
        await asyncio.sleep(seconds)


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the coroutines while the block does. One that ends takes the service down: it is restarted."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        await _end(tasks)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels until every task has ended: before Python 3.12, `asyncio.wait_for` can lose a cancellation.

    redis-py and asyncpg wait by it: one cancellation in the moment of an answer, and a service would never stop.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        try:
            _, left = await asyncio.wait(left, timeout=0.2)
        except asyncio.CancelledError:  # again; the first one goes on after this
            left = {task for task in left if not task.done()}


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        error = task.exception()
        logger.critical("background work ended: %s", error, exc_info=error)
        # Half a service that looks alive is worse than none; the supervisor starts a whole one.
        os.kill(os.getpid(), signal.SIGTERM)


def add_health(
    app: FastAPI,
    service: str,
    redis: telemetry.RedisProbe,
    database: telemetry.DatabaseProbe,
    more: Callable[[], dict[str, object]] = dict,
) -> None:
    """Adds GET /health: 200 when Redis and PostgreSQL answer and `ready` is not False, else 503; `more` adds fields."""

    @app.get("/health")
    async def health() -> JSONResponse:
        fields: dict[str, object] = {"redis": bool(redis.up), "database": bool(database.up), **more()}
        healthy = all(fields[name] is not False for name in ("redis", "database", "ready") if name in fields)
        return JSONResponse(
            {"service": service, "status": "ok" if healthy else "unavailable", **fields}, 200 if healthy else 503
        )


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"PostgreSQL does not answer ({type(error).__name__}); try again"}, 503)


def add_database_errors(app: FastAPI) -> None:
    """Has every endpoint answer 503, in a sentence, while PostgreSQL is away."""
    for kind in (Unavailable, *UNAVAILABLE):
        app.add_exception_handler(kind, _unavailable)
