"""GET /health, and a 503 from every endpoint that needs PostgreSQL while PostgreSQL is unavailable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

import telemetry
from apps.database import UNAVAILABLE, Unavailable


class Health(BaseModel):
    """Whether a service can do its work. A service may add fields of its own."""

    model_config = ConfigDict(extra="allow")

    service: str
    status: Literal["ok", "unavailable"]
    redis: bool
    database: bool


def add_health(
    app: FastAPI,
    service: str,
    redis: telemetry.RedisProbe,
    database: telemetry.DatabaseProbe,
    more: Callable[[], dict[str, object]] = dict,
) -> None:
    """Adds GET /health: 200 if Redis and PostgreSQL answer and `ready` is not False, otherwise 503.

    `more` returns further fields of the answer, of which `ready` may be one.
    """

    @app.get("/health", response_model=Health, responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        fields: dict[str, object] = {"redis": bool(redis.up), "database": bool(database.up), **more()}
        healthy = all(fields[name] is not False for name in ("redis", "database", "ready") if name in fields)
        return JSONResponse(
            {"service": service, "status": "ok" if healthy else "unavailable", **fields}, 200 if healthy else 503
        )

    for kind in (Unavailable, *UNAVAILABLE):
        app.add_exception_handler(kind, _unavailable)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"PostgreSQL is not available ({type(error).__name__}); try again"}, 503)
