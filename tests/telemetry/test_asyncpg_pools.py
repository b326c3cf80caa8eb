"""What the pools of asyncpg hold, and how long callers wait for them, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import os

import asyncpg
import pytest

from telemetry import asyncpg_pools
from telemetry.catalogue import (
    PoolLabels,
    db_client_connection_count,
    db_client_connection_max,
    db_client_connection_pending_requests,
    db_client_connection_wait_time_seconds,
)
from telemetry.testing import Recorded
from tests.servers import Server
from tests.telemetry.test_store import ended
from tests.waiting import until

POOLS = PoolLabels(db_client_connection_pool_name="postgresql")


@pytest.fixture
def dsn(servers: tuple[Server, Server]) -> str:
    asyncpg_pools.measure()
    return servers[0].url


def shown() -> tuple[int | float | None, int | float | None, int | float | None]:
    """Idle and used connections, and the most that there can be."""
    counts = db_client_connection_count.values()
    most = db_client_connection_max.values()
    return counts.get(("postgresql", "idle")), counts.get(("postgresql", "used")), most.get(("postgresql",))


async def test_a_pool_shows_its_idle_and_used_connections_and_disappears_when_it_is_closed(dsn: str) -> None:
    assert shown() == (None, None, None)
    pool = await asyncpg.create_pool(dsn, min_size=2, max_size=4)
    assert shown() == (2, 0, 4)
    async with pool.acquire(), pool.acquire(), pool.acquire():
        assert shown() == (0, 3, 4)
    assert shown() == (3, 0, 4)
    await pool.close()
    assert shown() == (None, None, None)


async def test_all_pools_of_a_process_are_one_pair_of_series(dsn: str) -> None:
    first = asyncpg.create_pool(dsn, min_size=1, max_size=2)
    async with first, asyncpg.create_pool(dsn, min_size=2, max_size=3) as second:
        async with second.acquire():
            assert shown() == (2, 1, 5)
        first.terminate()
        assert shown() == (2, 0, 3)
    assert len({key[0] for key in db_client_connection_count.values()} - {"redis"}) == 0


async def test_a_pool_that_existed_before_is_shown_from_its_next_use_on(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncpg_pools, "_remember", lambda _: None)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        monkeypatch.undo()
        assert shown() == (None, None, None)
        await pool.fetchval("SELECT 1")
        assert shown() == (1, 0, 1)


async def test_a_pool_that_nobody_refers_to_is_not_kept_alive(dsn: str) -> None:
    pool = await asyncpg.create_pool(dsn, min_size=0, max_size=1)  # with a connection, asyncpg would complain
    assert shown() == (0, 0, 1)
    del pool
    gc.collect()
    assert shown() == (None, None, None)


async def test_waiting_is_timed_and_callers_who_wait_are_counted_until_they_get_a_connection_or_give_up(
    dsn: str, recorded: Recorded
) -> None:
    before = db_client_connection_wait_time_seconds.values().get(("postgresql",), ([], 0))[1]
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        held = await pool.acquire()
        assert recorded(db_client_connection_wait_time_seconds, POOLS) == 1
        waiting = asyncio.ensure_future(pool.acquire(timeout=10))
        leaving = asyncio.ensure_future(pool.acquire())
        hasty = asyncio.ensure_future(pool.acquire(timeout=0.05))
        await until(lambda: recorded(db_client_connection_pending_requests, POOLS) == 3, "three callers wait")
        with pytest.raises(TimeoutError):
            await hasty
        assert recorded(db_client_connection_pending_requests, POOLS) == 2
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await pool.release(held)
        await pool.release(await waiting)

    assert recorded(db_client_connection_pending_requests, POOLS) == 0
    assert recorded(db_client_connection_wait_time_seconds, POOLS) == 4
    assert db_client_connection_wait_time_seconds.values()[("postgresql",)][1] - before >= 0.15


async def test_a_caller_for_whom_a_connection_is_made_does_not_wait_for_a_free_one(
    dsn: str, recorded: Recorded
) -> None:
    pending = []

    async def made(_: object) -> None:
        pending.append(recorded(db_client_connection_pending_requests, POOLS))

    async with (
        asyncpg.create_pool(dsn, min_size=0, max_size=2, init=made, setup=made) as pool,
        pool.acquire(),
        pool.acquire(),
    ):
        pass

    assert pending == [0, 0, 0, 0]


class Place:
    """The first place of a pool, as asyncpg has it."""

    def __init__(self) -> None:
        self._holders = [self]


def test_a_child_of_a_process_that_reads_the_pools_waits_for_no_lock_of_it() -> None:
    pool = Place()
    with asyncpg_pools._lock:
        child = os.fork()
        if child == 0:
            asyncpg_pools._remember(pool)
            os._exit(0 if pool in asyncpg_pools._first_places else 1)

    assert ended(child) == 0
