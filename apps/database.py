"""The PostgreSQL of a service: waits for it, creates the tables, and reconnects after an outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction

from apps.addresses import only_reads, problem_of_postgres

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

T = TypeVar("T")

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3.0
"""Limit for a connection and for each statement, so that no order waits long for a server that hangs."""
CONNECTIONS = 16
SNAPSHOTS = 4
"""How many of the connections readers may use at once. The rest is left for what changes data."""

UNAVAILABLE = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError,
               asyncpg.InternalClientError, asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError,
               asyncpg.CrashShutdownError, asyncpg.TooManyConnectionsError,
               asyncpg.ReadOnlySQLTransactionError)  # fmt: skip
"""The errors that asyncpg raises when PostgreSQL is down, hangs, goes down during a statement, or is read-only.

An InternalClientError says that a connection is in a state that asyncpg did not expect, as after a statement that was
given up.
"""


class Unavailable(Exception):
    """PostgreSQL has not been reached since the service started."""


class Unusable(Exception):
    """The service cannot work with its settings or data. The message says why, and the way out."""


class OtherSchema(Unusable):
    """The tables were made by another version of this program."""


class NoTables(Unusable):
    """The tables are not there, and this database does not create them."""


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


class _Connection(asyncpg.Connection):
    """A connection without a reset after each use: nothing here changes a session, and a reset is a round trip."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool of connections. `schema` is the SQL that creates the tables; it may run many times.

    Without it nothing is created, and opening raises `NoTables` if the tables of this `number` are not there.

    `number` is the name of the first schema in it, and the number of this form of its tables: if the tables have
    another number, opening raises `OtherSchema`. `timeout` is the limit in seconds for each statement. `name` is the
    `application_name` of the connections in `pg_stat_activity`.
    """

    def __init__(
        self,
        dsn: str,
        schema: str | None,
        *,
        number: tuple[str, int] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        name: str = "",
    ) -> None:
        self._dsn = dsn
        self._schema = schema
        self._number = number
        self._timeout = timeout
        self._name = name
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._readers = asyncio.Semaphore(SNAPSHOTS)

    async def open(self) -> None:
        """Waits until PostgreSQL is available, then creates the tables. Raises `Unusable`, or a kind of it."""
        if self._pool is None:
            self._pool = await when_there(self._connect)

    async def _connect(self) -> asyncpg.Pool[asyncpg.Record]:
        pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,  # with a minimum, the pool logs a traceback again and again while PostgreSQL is down
            max_size=CONNECTIONS,
            timeout=self._timeout,
            command_timeout=self._timeout,
            connection_class=_Connection,
            server_settings={
                "application_name": self._name,
                # A process that was stopped in a transaction must not keep its locks from all others.
                "idle_in_transaction_session_timeout": f"{int(2000 * self._timeout)}",
                # A statement that was given up here must not wait for a lock for ever.
                "statement_timeout": f"{int(1000 * self._timeout) + 1000}",
            },
        )
        try:
            async with _first(pool, self._dsn) as connection, connection.transaction():
                await self._prepare(connection)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _prepare(self, connection: Connection) -> None:
        if self._schema is None:
            if self._number is not None:
                await _check_is_there(connection, *self._number)
            return
        # Two processes that start together must not create the same table at once.
        await connection.execute("SELECT pg_advisory_xact_lock(8002)")
        if self._number is not None:
            await _check_number(connection, *self._number)
        await connection.execute(self._schema)

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
        async with self._pool.acquire(timeout=self._timeout) as connection:
            try:
                yield connection
            except (*UNAVAILABLE, asyncio.CancelledError):
                with suppress(asyncpg.InterfaceError):  # the pool has noticed its end already
                    connection.terminate()  # the pool would wait once more for a server that does not answer
                raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, which is committed at the end and rolled back when the block raises."""
        async with self.connection() as connection, _transaction(connection.transaction()):
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection that only reads, and whose statements all see one moment. A few at once may be in use."""
        async with asyncio.timeout(self._timeout):
            await self._readers.acquire()
        try:
            async with (
                self.connection() as connection,
                _transaction(connection.transaction(isolation="repeatable_read", readonly=True)),
            ):
                yield connection
        finally:
            self._readers.release()


@asynccontextmanager
async def _first(pool: asyncpg.Pool[asyncpg.Record], dsn: str) -> AsyncIterator[Connection]:
    """The first connection of the pool. Raises `Unusable` if the address will never lead to one that can be used."""
    try:
        connection = await pool.acquire()
    except Exception as error:
        if (problem := problem_of_postgres(error, dsn)) is not None:
            raise Unusable(f"DATABASE_URL cannot be used: {problem}") from None
        raise
    try:
        yield connection
    except asyncpg.ReadOnlySQLTransactionError:
        if option := only_reads(dsn):
            raise Unusable(f"DATABASE_URL cannot be used: its option {option} asks for a server to read from") from None
        raise
    finally:
        await pool.release(connection)


@asynccontextmanager
async def _transaction(transaction: Transaction) -> AsyncIterator[None]:
    """Like the transaction's own block, but without a ROLLBACK to a server that does not answer."""
    await transaction.start()
    try:
        yield
    except (*UNAVAILABLE, asyncio.CancelledError):
        raise
    except BaseException:
        await transaction.rollback()
        raise
    else:
        await transaction.commit()


async def _check_is_there(connection: Connection, schema: str, number: int) -> None:
    there = await connection.fetchval(
        "SELECT to_regnamespace($1) IS NOT NULL AND to_regclass('public.schema_numbers') IS NOT NULL", schema
    )
    stored = None
    if there:
        stored = await connection.fetchval("SELECT number FROM public.schema_numbers WHERE schema = $1", schema)
    if stored is None:
        raise NoTables(f"it has no tables of {schema}")
    if stored != number:
        raise OtherSchema(_other_number(schema, stored, number))


async def _check_number(connection: Connection, schema: str, number: int) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS public.schema_numbers (schema text PRIMARY KEY, number integer NOT NULL)"
    )
    stored = await connection.fetchval("SELECT number FROM public.schema_numbers WHERE schema = $1", schema)
    if stored is None and await connection.fetchval("SELECT to_regnamespace($1) IS NULL", schema):
        await connection.execute("INSERT INTO public.schema_numbers VALUES ($1, $2)", schema, number)
    elif stored != number:
        raise OtherSchema(_other_number(schema, stored, number))


def _other_number(schema: str, stored: int | None, number: int) -> str:
    return (
        f"the tables of {schema} were made by another version of this program (their number is {stored}, this "
        f"version needs {number}): run the version that made them, or remove the data with `make clean-data`"
    )
