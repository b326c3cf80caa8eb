"""Probes that ask Redis and PostgreSQL once a second whether they answer and whether they take writes.

Every probe makes a connection of its own and closes it. So it waits for no pool, and it sees what a new connection
sees: a wrong password, no connection left, a full listen queue. A connection that is kept goes on working through all
of these, and a fresh one every ten seconds would see them too late. A probe costs a service 0.4 ms of CPU for Redis;
for PostgreSQL 1 ms (3 ms with a password), and the server 2.5 ms. With `log_connections` PostgreSQL logs each.
"""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from telemetry.catalogue import (
    DependencyLabels,
    database_connection_status,
    dependency_ping_duration_seconds,
    dependency_writable,
    redis_connection_status,
)
from telemetry.extras import Missing, load
from telemetry.gauges import Gauge

if TYPE_CHECKING:
    import redis.exceptions

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
"""Time from the start of one probe to the start of the next."""
TIMEOUT_SECONDS = 1.0
"""A probe without an answer fails after this time. With both values, the status is correct within 3 s of a change."""
KEY = "telemetry:probe"
"""The key that Redis is asked to write nothing to. It never exists."""
REFUSALS = ("MISCONF", "NOREPLICAS", "OOM", "READONLY")
"""The error codes by which Redis says that it takes no write from anybody: all others are about this one command."""


class _Unusable(Exception):
    """An address with which nothing can be asked. That is a wrong setting, and says nothing about the server."""


class _Writes(NamedTuple):
    """Whether a server that answers takes writes. None if that is not known. `why` is the reason, if it does not."""

    taken: bool | None
    why: str = ""


def _check(dependency: str, address: str, example: str, *schemes: str) -> None:
    """Raises ValueError for what is no address. Its text shows no part of the address, which may hold a password."""
    try:
        parts = urlsplit(address)
        hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL allows several hosts
        # Otherwise a special character ended the password too early, and the rest of it would be taken for a host.
        whole = not parts.fragment and "@" not in parts.path + parts.query
        usable = parts.scheme in schemes and whole and all(urlsplit(f"//{host}").port != 0 for host in hosts)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            f"the address of {dependency} is not like {example}; special characters of a password are written as %2F"
        )


def _reason(problem: Exception) -> str:
    """What kind of error it is. Not its text: that may quote the address, and a part of it may be the password."""
    cause: BaseException | None = problem
    while cause is not None:  # redis raises an error of its own for that of the system
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return f"{type(problem).__name__}: {os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return type(problem).__name__


def _without_spans() -> AbstractContextManager[None]:
    """Instrumentations make no span in this block. Without their package there are none."""
    try:
        from opentelemetry.instrumentation.utils import suppress_instrumentation
    except ImportError:
        return nullcontext()
    suppressed: AbstractContextManager[None] = suppress_instrumentation()
    return suppressed


class _Probe(ABC):
    dependency: Literal["database", "redis"]
    status: Gauge

    def __init__(self) -> None:
        self.up: bool | None = None
        """Whether the last probe was answered. None before the first probe, and when nothing can be asked."""
        self._labels: DependencyLabels = {"dependency": self.dependency}
        self._said: tuple[bool | None, bool | None] | None = None
        """What was logged last: whether it answers, and whether it takes writes."""

    @abstractmethod
    async def _ask(self) -> _Writes: ...

    async def run(self) -> None:
        """Probes until it is cancelled. Failed probes do not raise. At the end there is no status any more."""
        import asyncio  # only here, because importing it takes as long as half of this library

        try:
            while True:
                started = time.monotonic()
                await self.ask()
                await asyncio.sleep(max(0.0, PROBE_SECONDS - (time.monotonic() - started)))
        finally:
            self._show(None, None)

    async def ask(self) -> None:
        """Probes once and sets the metrics. A failed probe does not raise."""
        import asyncio

        started = time.perf_counter()
        up, writes, problem = True, _Writes(None), ""
        try:
            with _without_spans():
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    writes = await self._ask()
        except (Missing, _Unusable) as error:  # nothing was asked: unknown is not down
            self._show(None, None)
            self._say((None, None), logging.WARNING, f"the status of {self.dependency} is not known: {error}")
            return
        except Exception as error:  # every other error means that the dependency does not serve this service
            up, problem = False, _reason(error)
        dependency_ping_duration_seconds.record(time.perf_counter() - started, self._labels)
        self._show(up, writes.taken)
        state = (up, writes.taken)
        if not up:
            self._say(state, logging.WARNING, f"{self.dependency} does not answer: {problem}")
        elif writes.taken is None:
            text = f"{self.dependency} answers; whether it takes writes is not known: {writes.why}"
            self._say(state, logging.WARNING, text)
        elif writes.taken:
            self._say(state, logging.INFO, f"{self.dependency} answers and takes writes")
        else:
            self._say(state, logging.WARNING, f"{self.dependency} answers but takes no writes: {writes.why}")

    def _show(self, up: bool | None, writable: bool | None) -> None:
        """Sets the series. What is not known has none."""
        self.up = up
        if up is None:
            self.status.remove()
        else:
            self.status.set(int(up))
        if writable is None:
            dependency_writable.remove(self._labels)
        else:
            dependency_writable.set(int(writable), self._labels)

    def _say(self, state: tuple[bool | None, bool | None], level: int, text: str) -> None:
        """Logs changes only, not every probe."""
        if state != self._said:
            logger.log(level, "%s", text)
        self._said = state


class DatabaseProbe(_Probe):
    """Sets `database_connection_status` and `dependency_writable{dependency="database"}`, once a second.

    The status is 1 if PostgreSQL took a new connection and answered a query within one second, otherwise 0. There is no
    series before the first probe. The duration goes into `dependency_ping_duration_seconds{dependency="database"}`.

    The query is `SHOW transaction_read_only`. It tells of `default_transaction_read_only`, as this user and this
    database have it, and of a standby. It does not tell of a full disk, nor of a stop against wraparound. A real write
    that leaves no row would not tell of the disk either, and it would use up a transaction number every second.

    `dsn` is an address such as `postgresql://user:password@host:5432/trading`. Raises ValueError if it is malformed.
    One that only asyncpg finds unusable (`?sslmode=maybe`) is logged, and there is no series.

    Example:

        probe = DatabaseProbe("postgresql://postgres@127.0.0.1:5432/trading")
        task = asyncio.create_task(probe.run())
        task.cancel()
    """

    dependency: Literal["database", "redis"] = "database"
    status = database_connection_status

    def __init__(self, dsn: str) -> None:
        super().__init__()
        _check("PostgreSQL", dsn, "postgresql://user:password@host:5432/database", "postgresql", "postgres")
        self._dsn = dsn

    async def _ask(self) -> _Writes:
        connect = load("asyncpg").connect
        settings = {"application_name": "telemetry probe"}
        try:
            # Without the cache a statement has no name, by which PgBouncer could not find it on another connection.
            connection = await connect(
                self._dsn, timeout=TIMEOUT_SECONDS, statement_cache_size=0, server_settings=settings
            )
        except ValueError as error:
            if isinstance(error, OSError):  # a certificate that was not accepted is both
                raise
            raise _Unusable(f"its address cannot be used ({type(error).__name__})") from error
        try:
            read_only = await connection.fetchval("SHOW transaction_read_only")
        finally:
            connection.terminate()
        return _Writes(False, "it is read-only") if read_only == "on" else _Writes(True)


class RedisProbe(_Probe):
    """Sets `redis_connection_status` and `dependency_writable{dependency="redis"}`, once a second.

    The status is 1 if Redis took a new connection and answered a `PING` within one second, otherwise 0. There is no
    series before the first probe. The duration goes into `dependency_ping_duration_seconds{dependency="redis"}`.

    Whether it takes writes is asked with `SETRANGE telemetry:probe 0 ""`. That is a write, which Redis refuses when it
    is full, is a replica, cannot save, or misses its replicas. It changes nothing, whether or not the key exists. If
    this user may not do that (`NOPERM`), or another node of a cluster has the key (`MOVED`), there is no series,
    because it is not known. The user needs `+setrange` and `~telemetry:probe`.

    `url` is an address such as `redis://:password@host:6379/0`. Raises ValueError if it is malformed. One that only
    redis-py finds unusable (`?db=first`) is logged, and there is no series.

    Example:

        probe = RedisProbe("redis://127.0.0.1:6379/0")
        task = asyncio.create_task(probe.run())
        task.cancel()
    """

    dependency: Literal["database", "redis"] = "redis"
    status = redis_connection_status

    def __init__(self, url: str) -> None:
        super().__init__()
        _check("Redis", url, "redis://:password@host:6379/0", "redis", "rediss", "unix")
        self._url = url

    def _connection(self) -> Any:
        """A connection outside of any pool and client: redis-py measures calls and pools in those."""
        pools = load("redis.asyncio").ConnectionPool
        try:
            # Nothing but what is asked: an old Redis counts each command that it does not know as an error.
            return pools.from_url(self._url, protocol=2, driver_info=None).make_connection()
        except Exception as error:  # also a TypeError, for an option that redis does not have
            raise _Unusable(f"its address cannot be used ({type(error).__name__})") from error

    async def _ask(self) -> _Writes:
        connection = self._connection()
        error_of_redis = load("redis.asyncio").ResponseError
        try:
            await connection.connect()
            await connection.send_command("PING")
            try:
                await connection.read_response()
            except error_of_redis as error:
                if _code(error) not in (*REFUSALS, "NOPERM"):  # Redis that cannot save answers even a PING with MISCONF
                    raise
            await connection.send_command("SETRANGE", KEY, 0, "")
            try:
                await connection.read_response()
            except error_of_redis as error:
                return _Writes(False if _code(error) in REFUSALS else None, _code(error))
        finally:
            await connection.disconnect(nowait=True)
        return _Writes(True)


def _code(error: redis.exceptions.ResponseError) -> str:
    """The first word of an error of Redis, such as OOM. redis-py cuts off those that it knows."""
    return error.status_code or str(error).partition(" ")[0]
