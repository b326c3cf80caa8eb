"""Probes that ask Redis and PostgreSQL once a second and set the connection status metrics.

A probe has its own connection. So it never waits for the service's pool and never uses up a connection of it.
"""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from telemetry.catalogue import (
    database_connection_status,
    dependency_ping_duration_seconds,
    redis_connection_status,
)
from telemetry.extras import Missing, load
from telemetry.gauges import Gauge

if TYPE_CHECKING:
    import asyncpg
    import redis.asyncio

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
"""Time from the start of one probe to the start of the next."""
TIMEOUT_SECONDS = 1.0
"""A probe without an answer fails after this time. With both values, the status is correct within 3 s of a change."""


def _reason(problem: Exception) -> str:
    """What kind of error it is. Not its text: that may quote the address, and a part of it may be the password."""
    if isinstance(problem, ValueError):
        return f"{type(problem).__name__}: its address cannot be read"
    cause: BaseException | None = problem
    while cause is not None:  # redis raises an error of its own for that of the system
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return f"{type(problem).__name__}: {os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return type(problem).__name__


class _Probe(ABC):
    dependency: Literal["database", "redis"]
    status: Gauge

    def __init__(self) -> None:
        self.up: bool | None = None
        """Whether the last probe was answered. None before the first probe."""
        self._said_missing = False

    @abstractmethod
    async def _ask(self) -> None: ...

    @abstractmethod
    async def _forget(self) -> None: ...

    async def run(self) -> None:
        """Probes until it is cancelled. Failed probes do not raise."""
        import asyncio  # only here, because importing it takes as long as half of this library

        try:
            while True:
                started = time.monotonic()
                await self.ask()
                await asyncio.sleep(max(0.0, PROBE_SECONDS - (time.monotonic() - started)))
        finally:
            await self._forget()

    async def ask(self) -> None:
        """Probes once and sets the status. A failed probe does not raise."""
        import asyncio

        problem: Exception | None = None
        with dependency_ping_duration_seconds.time({"dependency": self.dependency}):
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._ask()
            except Exception as error:  # every error means that the dependency did not answer
                problem = error
        if isinstance(problem, Missing):  # unknown is not down: there is no series
            if not self._said_missing:
                logger.warning("the status of %s is not known: %s", self.dependency, problem)
            self._said_missing = True
            return
        up = problem is None
        if up != self.up:
            if problem is None:
                logger.info("%s answers", self.dependency)
            else:
                logger.warning("%s does not answer: %s", self.dependency, _reason(problem))
        self.up = up
        self.status.set(1 if up else 0)
        if not up:
            await self._forget()


class DatabaseProbe(_Probe):
    """Sets `database_connection_status` with a `SELECT 1` every second, on its own connection.

    1 means that PostgreSQL answered within one second, 0 that it did not. There is no series before the first probe.
    The duration goes into `dependency_ping_duration_seconds{dependency="database"}`. A wrong `dsn` is logged, not
    raised.

    Example:

        probe = DatabaseProbe("postgresql://postgres@127.0.0.1:5432/trading")
        task = asyncio.create_task(probe.run())
        task.cancel()
    """

    dependency: Literal["database", "redis"] = "database"
    status = database_connection_status

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def _ask(self) -> None:
        if self._connection is None:
            self._connection = await load("asyncpg").connect(self._dsn, timeout=TIMEOUT_SECONDS)
        assert self._connection is not None  # noqa: S101
        await self._connection.execute("SELECT 1")

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


class RedisProbe(_Probe):
    """Sets `redis_connection_status` with a `PING` every second, on its own connection.

    1 means that Redis answered within one second, 0 that it did not. There is no series before the first probe. The
    duration goes into `dependency_ping_duration_seconds{dependency="redis"}`. A wrong `url` is logged, not raised.

    Example:

        probe = RedisProbe("redis://127.0.0.1:6379/0")
        task = asyncio.create_task(probe.run())
        task.cancel()
    """

    dependency: Literal["database", "redis"] = "redis"
    status = redis_connection_status

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._client: redis.asyncio.Redis | None = None

    async def _ask(self) -> None:
        if self._client is None:
            self._client = load("redis.asyncio").from_url(self._url, single_connection_client=True)
        assert self._client is not None  # noqa: S101
        await self._client.ping()

    async def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.aclose()
            except Exception as error:  # the connection is not used again
                logger.debug("error while closing a Redis connection: %s", error)
