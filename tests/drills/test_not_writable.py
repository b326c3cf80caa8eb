"""Redis is filled and PostgreSQL made read-only. They still answer, and the page does not call them unreachable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import asyncpg
import pytest
import redis

from tests.drills.figures import say
from tests.drills.platform import JOBS, Platform

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(600)]

EFFECTS_SECONDS = 60
"""Long enough for the alerts on what a server that takes no writes causes, if they were not muted."""


@contextlib.contextmanager
def _full_redis(platform: Platform) -> Iterator[None]:
    client = redis.Redis.from_url(str(platform.stack.addresses["redis_url"]))
    client.rpush("filling", *[bytes(10_000)] * 300)
    # 1 MB over the limit: just at the limit, Redis takes writes again when a client gives back its buffer.
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 1_000_000)
    try:
        yield
    finally:
        client.delete("filling")
        client.config_set("maxmemory", 0)


@contextlib.contextmanager
def _read_only_postgresql(platform: Platform) -> Iterator[None]:
    database = str(platform.stack.addresses["database_url"])
    asyncio.run(_execute(database, "ALTER SYSTEM SET default_transaction_read_only = on"))
    try:
        yield
    finally:
        asyncio.run(_execute(database, "ALTER SYSTEM RESET default_transaction_read_only"))


async def _execute(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(statement)
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("refuse", "dependency"), [(_full_redis, "redis"), (_read_only_postgresql, "database")], ids=["redis", "postgresql"]
)
def test_a_server_that_takes_no_writes_is_one_page_that_does_not_call_it_unreachable(
    platform: Platform,
    refuse: Callable[[Platform], AbstractContextManager[None]],
    dependency: str,
    record_property: Callable[[str, object], None],
) -> None:
    status = f"max by (job) ({dependency}_connection_status)"
    began = time.time()
    with refuse(platform):
        page = platform.wait_for_page("DependencyNotWritable", "firing", began, 60)
        say(record_property, f"{dependency} takes no writes to page", [page.received_at - began])
        time.sleep(max(0.0, began + EFFECTS_SECONDS - time.time()))
        up = platform.query(status)
    undone = time.time()
    resolution = platform.wait_for_page("DependencyNotWritable", "resolved", undone, 60)
    say(record_property, f"{dependency} takes writes to resolution", [resolution.received_at - undone])
    platform.wait_until_well(60)

    assert page.received_at - began <= 25
    assert page.labels["dependency"] == dependency
    assert "unreachable" not in page.annotations["summary"]
    assert all(job in page.annotations["description"] for job in JOBS)
    assert [value for _, value in up] == [1] * len(JOBS)
    assert platform.said(began) == [("DependencyNotWritable", "firing"), ("DependencyNotWritable", "resolved")]
