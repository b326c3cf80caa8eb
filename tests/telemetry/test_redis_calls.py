"""What redis-py measures about itself arrives in our declared metrics, without keys, channels, hosts or pools."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from typing import Any

import asyncpg
import pytest
import redis
import redis.asyncio
from fastapi import FastAPI
from opentelemetry import metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from redis.observability import get_observability_instance

import telemetry
from telemetry import redis_calls
from telemetry.catalogue import (
    DatabaseErrorLabels,
    DatabaseOperationLabels,
    MessageLabels,
    PoolLabels,
    db_client_connection_wait_time_seconds,
    db_client_errors_total,
    db_client_operation_duration_seconds,
    redis_client_pubsub_messages_total,
)
from telemetry.redis_calls import _Connections, command
from telemetry.testing import Recorded
from tests.servers import Server
from tests.telemetry.apart import apart
from tests.telemetry.service import get, values
from tests.telemetry.test_exposition import parsed
from tests.telemetry.test_store import ended


@pytest.fixture
def url(servers: tuple[Server, Server]) -> str:
    redis_calls.measure()
    return servers[1].url


class Counts:
    """How many calls or errors there were since the test began."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, name: str, error: str = "") -> int | float:
        labels = DatabaseOperationLabels(db_system="redis", db_operation_name=name, error_type=error)
        return self._recorded(db_client_operation_duration_seconds, labels) or 0

    def errors(self, error: str) -> int | float:
        return self._recorded(db_client_errors_total, DatabaseErrorLabels(db_system="redis", error_type=error)) or 0


@pytest.fixture
def counts(recorded: Recorded) -> Counts:
    return Counts(recorded)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("GET", "GET"),
        ("get", "GET"),
        ("GET secret-key", "GET"),
        ("CONFIG GET", "CONFIG"),
        ("FT.SEARCH", "FT.SEARCH"),
        ("*1\r\n$4\r\n", "_OTHER"),
        ("secret@example.com", "_OTHER"),
        ("A" * 33, "_OTHER"),
        ("", "_OTHER"),
    ],
)
def test_only_the_command_is_a_label(given: str, name: str) -> None:
    assert command(given) == name


def test_each_command_counts_once_and_a_pipeline_as_one(url: str, counts: Counts) -> None:
    with redis.from_url(url) as client:
        for _ in range(3):
            client.set("key", "value")
        client.get("key")
        client.execute_command("GET key")
        client.execute_command(b"GET", "key")
        client.pipeline(transaction=False).get("key").get("key").execute()
        client.pipeline().get("key").get("key").execute()

    assert [counts(name) for name in ("SET", "GET", "PIPELINE", "MULTI", "CONNECT")] == [3, 3, 1, 1, 1]


async def test_the_asyncio_client_counts_the_same(url: str, counts: Counts) -> None:
    async with redis.asyncio.from_url(url) as client:
        await client.set("key", "value")
        await asyncio.gather(*(client.get("key") for _ in range(5)))

    assert [counts("SET"), counts("GET")] == [1, 5]


async def test_an_error_counts_by_its_class(url: str, counts: Counts) -> None:
    async with redis.asyncio.from_url(url) as client:
        await client.set("key", "value")
        with pytest.raises(redis.ResponseError):
            await client.lpush("key", "value")

    assert counts.errors("ResponseError") == 1
    assert counts("LPUSH") == 0, "redis-py times no command that fails for good"


async def test_a_refused_connection_is_an_error_for_each_attempt(url: str, counts: Counts, free_port: str) -> None:
    retry = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 2)
    async with redis.asyncio.Redis(host="127.0.0.1", port=int(free_port), retry=retry) as client:
        with pytest.raises(redis.ConnectionError):
            await client.get("key")

    assert counts.errors("ConnectionError") == 3


async def test_messages_are_counted_by_direction(url: str, recorded: Recorded) -> None:
    async with redis.asyncio.from_url(url) as client, client.pubsub() as subscription:
        await subscription.subscribe("secret-channel")
        for _ in range(2):
            await client.publish("secret-channel", "text")
        received = 0
        async with asyncio.timeout(5):
            while received < 2:
                message = await subscription.get_message(timeout=1)
                received += message is not None and message["type"] == "message"

    for direction in ("publish", "receive"):
        labels = MessageLabels(redis_client_pubsub_message_direction=direction)
        assert recorded(redis_client_pubsub_messages_total, labels) == 2


def test_a_pool_that_makes_callers_wait_times_them(url: str, recorded: Recorded) -> None:
    pool = redis.BlockingConnectionPool.from_url(url, max_connections=1)
    with redis.Redis(connection_pool=pool) as client:
        client.get("key")
        client.get("key")

    assert recorded(db_client_connection_wait_time_seconds, PoolLabels(db_client_connection_pool_name="redis")) == 2


def test_a_suppressed_call_is_not_counted(url: str, counts: Counts) -> None:
    with suppress_instrumentation(), redis.from_url(url) as client:
        client.get("key")

    assert counts("GET") == counts("CONNECT") == 0


def change(connections: _Connections, state: str, amount: int) -> None:
    connections.change(amount, {"db.client.connection.state": state, "db.client.connection.pool.name": "secret-host"})


def repeat(connections: _Connections, times: int) -> None:
    for _ in range(times):
        change(connections, "used", 1)


def test_the_changes_of_all_pools_are_added_up_and_nothing_is_shown_before_the_first() -> None:
    connections = _Connections()
    assert connections.counts() is None
    for _ in range(5000):  # also when nobody asks
        change(connections, "used", 1)
        change(connections, "idle", 2)
    change(connections, "used", -1)

    assert len(connections._changes) <= 1001
    assert connections.counts() == (10_000, 4_999)


def test_a_pool_collected_while_the_numbers_are_read_waits_for_no_lock() -> None:
    connections = _Connections()
    change(connections, "used", 1)
    with connections._lock:
        caller = threading.Thread(target=lambda: repeat(connections, 2000), daemon=True)
        caller.start()
        caller.join(5)
        assert not caller.is_alive()
    assert connections.counts() == (0, 2001)


def test_a_child_of_a_process_that_reads_the_numbers_waits_for_no_lock_of_it() -> None:
    with redis_calls.connections._lock:
        child = os.fork()
        if child == 0:
            redis_calls.connections.counts()
            os._exit(0)

    assert ended(child) == 0


def test_numbers_that_cannot_be_true_are_not_shown_any_more(caplog: pytest.LogCaptureFixture) -> None:
    connections = _Connections()
    change(connections, "used", -1)
    change(connections, "idle", 1)
    with caplog.at_level(logging.WARNING):
        assert connections.counts() is None
        change(connections, "used", 5)
        assert connections.counts() is None
    assert len(caplog.records) == 1


def many_short_lived_clients(postgres_url: str, redis_url: str) -> str:
    provider = MeterProvider()
    metrics.set_meter_provider(provider)
    app = FastAPI()
    telemetry.init("execution_gateway", app)

    async def work() -> None:
        client = redis.asyncio.from_url(redis_url)
        await client.get("secret-key")
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("SELECT 1")
        await connection.close()
        for _ in range(500):
            with redis.from_url(redis_url) as another:
                another.get("key")
        for _ in range(100):
            async with redis.asyncio.from_url(redis_url) as short:
                await short.get("key")
        await client.aclose()

    asyncio.run(work())
    gc.collect()
    return get(app, "/metrics")[0].text


def test_short_lived_clients_leave_no_series_and_both_databases_are_one_family(
    servers: tuple[Server, Server],
) -> None:
    """Also when somebody has set a MeterProvider before."""
    done = apart(many_short_lived_clients, *(server.url for server in servers))
    text: str = done.answer
    series = parsed(text.encode())

    operations = "db_client_operation_duration_seconds_count"
    assert values(series, operations, db_system="redis", db_operation_name="GET", error_type="") == [601]
    assert values(series, operations, db_system="postgresql", db_operation_name="SELECT", error_type="") == [1]
    assert text.count("# TYPE db_client_operation_duration_seconds ") == 1
    assert text.count("db_client_connection_count{") == 2
    assert sum(name.startswith(("db_client", "redis_client")) for name, _ in series) < 200
    assert values(series, "telemetry_series", metric="db_client_operation_duration_seconds") == [4]
    assert values(series, "db_client_connection_count", db_client_connection_pool_name="redis") == [0, 0]
    assert "secret" not in text
    assert "left out" not in done.log


def what_is_touched(postgres_url: str, redis_url: str) -> dict[str, Any]:
    telemetry.init("execution_gateway", app := FastAPI())

    async def work() -> None:
        async with redis.asyncio.from_url(redis_url) as client:
            await client.get("key")
        await (await asyncpg.connect(postgres_url)).close()

    asyncio.run(work())
    import httpx
    from asyncpg.pool import Pool

    methods = [asyncpg.Connection.execute, Pool._acquire, httpx.HTTPTransport.handle_request]  # type: ignore[attr-defined]
    return {
        "text": get(app, "/metrics")[0].text,
        "measured": [hasattr(method, "__wrapped__") for method in methods],
        "redis": get_observability_instance().is_enabled(),
    }


@pytest.mark.parametrize(
    ("environment", "measured", "of_redis"),
    [
        ({}, [True, True, True], True),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis"}, [True, True, True], False),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": " asyncpg , HTTPX"}, [False, False, False], True),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}, [False, False, False], False),
        ({"OTEL_SDK_DISABLED": "true"}, [False, False, False], False),
        ({"OTEL_METRICS_EXPORTER": "none"}, [False, False, False], False),
    ],
)
def test_a_library_that_is_not_to_be_measured_is_not_touched(
    servers: tuple[Server, Server], environment: dict[str, str], measured: list[bool], of_redis: bool
) -> None:
    answer = apart(what_is_touched, *(server.url for server in servers), **environment).answer

    assert answer["measured"] == measured
    assert answer["redis"] == of_redis
    assert ('db_client_operation_duration_seconds_count{db_system="redis"' in answer["text"]) == of_redis
    assert ('db_client_operation_duration_seconds_count{db_system="postgresql"' in answer["text"]) == measured[0]
    waiting = 'db_client_connection_pending_requests{db_client_connection_pool_name="postgresql"} 0\n'
    assert (waiting in answer["text"]) == measured[1]
    assert ("redis_client_pubsub_messages_total{" in answer["text"]) == of_redis
