"""Measures the pools of asyncpg: their connections, and how long callers wait for one."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal

from asyncpg.pool import Pool
from opentelemetry.metrics import Observation

from telemetry import pools
from telemetry.catalogue import (
    DATABASE,
    PoolLabels,
    db_client_connection_max,
    db_client_connection_pending_requests,
    db_client_connection_wait_time_seconds,
)
from telemetry.wrapping import is_suppressed, wrap

POSTGRESQL: Literal["postgresql"] = "postgresql"
_LABELS: PoolLabels = {"db_client_connection_pool_name": POSTGRESQL}
_waits = db_client_connection_wait_time_seconds.bind(_LABELS)
_pending = db_client_connection_pending_requests.bind(_LABELS)

# A pool cannot be referred to weakly. Its first place for a connection can, and knows it.
_first_places: weakref.WeakSet[Any] = weakref.WeakSet()
_lock = threading.Lock()


def _begin_again() -> None:
    """In a child after a fork: a thread of the parent may hold the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_begin_again)


def measure() -> None:
    """Has all pools measured, those that exist from their next use on. A second call changes nothing."""
    wrap(Pool, "_async__init__", _made)
    wrap(Pool, "_acquire", _acquired)
    DATABASE.know([POSTGRESQL])  # nobody waits before the first one does
    pools.show(POSTGRESQL, _counts)
    db_client_connection_max.watch(_most)


def _remember(pool: Any) -> None:
    for place in pool._holders[:1]:
        if place not in _first_places:
            with _lock:
                _first_places.add(place)


def _made(original: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when a pool is awaited, or its block is entered."""

    async def measured(self: Any) -> Any:
        answer = await original(self)
        _remember(self)
        return answer

    return measured


def _acquired(original: Callable[..., Any]) -> Callable[..., Any]:
    """What waits for a connection of a pool."""

    async def measured(self: Any, *args: Any) -> Any:
        if is_suppressed():
            return await original(self, *args)
        _remember(self)
        full = self._queue is not None and self._queue.empty()
        if full:
            _pending.add(1)
        began = perf_counter()
        try:
            return await original(self, *args)
        finally:
            _waits.record(perf_counter() - began)
            if full:
                _pending.add(-1)

    return measured


def _open_pools() -> list[Any]:
    with _lock:
        places = list(_first_places)
    return [place._pool for place in places if not place._pool.is_closing()]


def _counts() -> tuple[int, int] | None:
    open_pools = _open_pools()
    idle = [place.is_idle() for pool in open_pools for place in pool._holders if _is_connected(place)]
    return (sum(idle), len(idle) - sum(idle)) if open_pools else None


def _is_connected(place: Any) -> bool:
    connection = place._con  # read once: the loop's thread may take it away meanwhile
    return connection is not None and not connection.is_closed()


def _most() -> list[Observation]:
    sizes = [pool.get_max_size() for pool in _open_pools()]
    return [Observation(sum(sizes), _LABELS)] if sizes else []  # type: ignore[arg-type]
