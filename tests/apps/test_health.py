"""GET /health is a 200 only if everything that the service needs is available."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from asyncpg import ReadOnlySQLTransactionError
from fastapi import FastAPI

import telemetry
from apps.database import Unavailable
from apps.health import add_health


@dataclass
class Probe:
    """The part of a probe that /health uses."""

    up: bool | None


def asked(app: FastAPI) -> Awaitable[httpx.Response]:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")
    return client.get("/health")


@pytest.mark.parametrize(
    ("redis", "database", "more", "status"),
    [
        (True, True, {}, 200),
        (True, True, {"ready": True}, 200),
        (True, True, {"ready": False}, 503),
        (False, True, {}, 503),
        (True, False, {}, 503),
        (None, None, {}, 503),  # the probes have not asked yet
        (True, True, {"replay_finished": False}, 200),
        (True, True, {"ready": True, "late": ["send"], "failing": ["send", "fetch"]}, 200),  # the alerts are for these
    ],
)
async def test_health_is_200_only_if_everything_needed_is_available(
    redis: bool | None, database: bool | None, more: dict[str, object], status: int
) -> None:
    app = FastAPI()
    add_health(
        app,
        "a-service",
        cast(telemetry.RedisProbe, Probe(redis)),
        cast(telemetry.DatabaseProbe, Probe(database)),
        lambda: more,
    )

    answer = await asked(app)

    expected: dict[str, Any] = {
        "service": "a-service",
        "status": "ok" if status == 200 else "unavailable",
        "redis": bool(redis),
        "database": bool(database),
        **more,
    }
    assert (answer.status_code, answer.json()) == (status, expected)


@pytest.mark.parametrize(
    "error",
    [Unavailable("gone"), TimeoutError(), ConnectionRefusedError(111, "refused"), ReadOnlySQLTransactionError()],
)
async def test_what_needs_postgresql_is_a_503_in_a_sentence_while_it_is_not_available(error: Exception) -> None:
    app = FastAPI()
    add_health(app, "a-service", cast(telemetry.RedisProbe, Probe(True)), cast(telemetry.DatabaseProbe, Probe(True)))

    @app.get("/thing")
    async def thing() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answer = await client.get("/thing")

    assert answer.status_code == 503
    assert answer.json() == {"detail": f"PostgreSQL is not available ({type(error).__name__}); try again"}
