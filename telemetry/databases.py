"""Redis and PostgreSQL: connection status that is true, because a timer really asks, and redis-py's own metrics.

A probe has a connection of its own: it does not wait for the service's pool, and takes nothing from it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod

import asyncpg
import redis.asyncio

from telemetry.catalogue import (
    database_connection_status,
    dependency_ping_duration_seconds,
    redis_connection_status,
)
from telemetry.instruments import Gauge

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
TIMEOUT_SECONDS = 1.0
"""Every second, given up after one: a server that hangs is told from one that answers within 3 s."""


def _reason(problem: Exception) -> str:
    """Without the text of an error about the address: it may quote a piece of the password."""
    if isinstance(problem, ValueError):
        return f"{type(problem).__name__}: its address cannot be read"
    return f"{type(problem).__name__}: {problem}".removesuffix(": ")


class _Probe(ABC):
    dependency: str
    status: Gauge

    def __init__(self) -> None:
        self.up: bool | None = None
        """Whether the last ask was answered; None before the first."""

    @abstractmethod
    async def _ask(self) -> None: ...

    @abstractmethod
    async def _forget(self) -> None: ...

    async def run(self) -> None:
        """Asks for ever. Cancel it to stop."""
        try:
            while True:
                started = time.monotonic()
                await self.ask()
                await asyncio.sleep(max(0.0, PROBE_SECONDS - (time.monotonic() - started)))
        finally:
            await self._forget()

    async def ask(self) -> None:
        """Asks once, and sets the status."""
        problem: Exception | None = None
        with dependency_ping_duration_seconds.time({"dependency": self.dependency}):
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._ask()
            except Exception as error:  # whatever it is, the dependency did not answer
                problem = error
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
    """Sets `database_connection_status` by `SELECT 1` on a connection of its own."""

    dependency = "database"
    status = database_connection_status

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def _ask(self) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._dsn, timeout=TIMEOUT_SECONDS)
        await self._connection.execute("SELECT 1")

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


class RedisProbe(_Probe):
    """Sets `redis_connection_status` by `PING` on a connection of its own."""

    dependency = "redis"
    status = redis_connection_status

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._client: redis.asyncio.Redis | None = None

    async def _ask(self) -> None:
        if self._client is None:
            self._client = redis.asyncio.from_url(self._url, single_connection_client=True)
        await self._client.ping()

    async def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.aclose()
            except Exception as error:  # it is being thrown away
                logger.debug("while dropping a Redis connection: %s", error)
