"""The PostgreSQL of a service: waits for it, creates the tables, and reconnects after an outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

T = TypeVar("T")

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3.0
"""Limit for a connection and for each statement, so that no order waits long for a server that hangs."""

UNAVAILABLE = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError,
               asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
               asyncpg.TooManyConnectionsError)  # fmt: skip
"""The errors that asyncpg raises when PostgreSQL is down, hangs, or goes down during a statement."""


class Unavailable(Exception):
    """PostgreSQL has not been reached since the service started."""


async def when_there(what: Callable[[], Awaitable[T]]) -> T:
    """Calls `what` until PostgreSQL is available during the whole call. Returns the result. Raises other errors."""
    said: set[type[Exception]] = set()
    while True:
        try:
            return await what()
        except (Unavailable, *UNAVAILABLE) as error:
            if type(error) not in said:
                said.add(type(error))
                logger.warning("PostgreSQL is not there yet, waiting for it: %s: %s", type(error).__name__, error)
            await asyncio.sleep(0.5)


class Database:
    """A pool of connections. `schema` is the SQL that creates the tables; it may run many times."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._dsn = dsn
        self._schema = schema
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Waits until PostgreSQL is available, then creates the tables."""
        if self._pool is None:
            self._pool = await when_there(self._connect)

    async def _connect(self) -> asyncpg.Pool[asyncpg.Record]:
        pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,  # with a minimum, the pool logs a traceback again and again while PostgreSQL is down
            max_size=8,
            timeout=TIMEOUT_SECONDS,
            command_timeout=TIMEOUT_SECONDS,
        )
        try:
            async with pool.acquire() as connection:
                await connection.execute(self._schema)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def close(self) -> None:
        """Closes every connection at once, without waiting for a server that may be dead."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection. Raises `Unavailable` or one of `UNAVAILABLE` when PostgreSQL cannot be reached."""
        if self._pool is None:
            raise Unavailable("PostgreSQL has not been reached yet")
        async with self._pool.acquire(timeout=TIMEOUT_SECONDS) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, which is committed at the end and rolled back when the block raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection
