"""A service's PostgreSQL: opened when it is there, its tables made on the way, and back by itself after an outage."""

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
"""For a connection and for each statement: an order must not wait for a server that hangs."""

UNAVAILABLE = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError,
               asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
               asyncpg.TooManyConnectionsError)  # fmt: skip
"""What asyncpg raises when PostgreSQL is not there, hangs, or goes away."""


class Unavailable(Exception):
    """PostgreSQL has not been reached yet."""


async def when_there(what: Callable[[], Awaitable[T]]) -> T:
    """Does it, again and again until PostgreSQL is there for the whole of it."""
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
    """A pool of connections to the tables that `schema` makes."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._dsn = dsn
        self._schema = schema
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Waits until PostgreSQL is there, then makes the tables."""
        if self._pool is None:
            self._pool = await when_there(self._connect)

    async def _connect(self) -> asyncpg.Pool[asyncpg.Record]:
        pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,  # else the pool itself logs, with a traceback and again and again, that PostgreSQL is away
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
        """Lets go of every connection without waiting for a server that may be dead."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection; raises `Unavailable` or one of `UNAVAILABLE` when there is none."""
        if self._pool is None:
            raise Unavailable("PostgreSQL has not been reached yet")
        async with self._pool.acquire(timeout=TIMEOUT_SECONDS) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: committed at the end, rolled back when the block raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection
