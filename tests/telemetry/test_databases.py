"""The spans and durations of Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import pytest
import redis.asyncio
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import telemetry
from tests.servers import Server
from tests.telemetry.apart import apart
from tests.telemetry.service import get, values
from tests.telemetry.test_exposition import parsed


class Receiver:
    """Receives spans over OTLP/HTTP, like a collector."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str]] = []
        """Service, instrumentation and name of each span."""

    @contextmanager
    def listening(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any, **__: Any) -> None:
                """Logs nothing: requests should not appear in the output of the test."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    def _take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                self.spans += [(service, scope.scope.name, span.name) for span in scope.spans]


def a_span_and_no_shutdown() -> str:
    """Records a span and does not call shutdown. The exit of the process must send it."""
    telemetry.init("execution_gateway")
    with trace.get_tracer("a.module").start_as_current_span("the last one"):
        return ""


def a_fork_with_a_span() -> str:
    """Records a span in a forked child and ends the child."""
    telemetry.init("execution_gateway")
    if child := os.fork():
        os.waitpid(child, 0)
        return ""
    with trace.get_tracer("a.module").start_as_current_span("the child's"):
        pass
    telemetry.shutdown()
    os._exit(0)


def test_a_forked_child_sends_its_own_spans() -> None:
    receiver = Receiver()
    with receiver.listening() as address:
        apart(
            a_fork_with_a_span,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_BSP_SCHEDULE_DELAY="600000",
            OTEL_EXPORTER_PROMETHEUS_PORT="0",
        )

    assert receiver.spans == [("execution-gateway", "a.module", "the child's")]


def test_a_process_that_exits_normally_sends_its_last_spans() -> None:
    receiver = Receiver()
    with receiver.listening() as address:
        done = apart(
            a_span_and_no_shutdown,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_BSP_SCHEDULE_DELAY="600000",
            OTEL_EXPORTER_PROMETHEUS_PORT="0",
        )

    assert receiver.spans == [("execution-gateway", "a.module", "the last one")]
    assert done.exit_seconds < 2


def some_queries(postgres_url: str, redis_url: str) -> str:
    """Sends one good and one failing query to Redis and to PostgreSQL. Returns the text of /metrics."""
    app = FastAPI()
    client = redis.asyncio.from_url(redis_url)  # created before init, like a client at module level
    telemetry.init("execution_gateway", app)

    async def work() -> None:
        with telemetry.span("work"):  # without it, they would be no part of a trace
            await ask()

    async def ask() -> None:
        await client.set("key", "value")
        with pytest.raises(redis.asyncio.ResponseError):
            await client.lpush("key", "value")
        await client.aclose()
        pool = await asyncpg.create_pool(postgres_url, min_size=1, max_size=1)
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.execute("INSERT INTO nowhere VALUES (1)")
        await pool.close()

    asyncio.run(work())
    text = get(app, "/metrics")[0].text
    telemetry.shutdown()
    return text


def test_with_otlp_the_spans_of_redis_and_asyncpg_go_to_the_collector(servers: tuple[Server, Server]) -> None:
    receiver = Receiver()
    with receiver.listening() as address:
        apart(
            some_queries,
            *(server.url for server in servers),
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
        )

    assert {service for service, _, _ in receiver.spans} == {"execution-gateway"}
    names = [(scope.removeprefix("opentelemetry.instrumentation."), name) for _, scope, name in receiver.spans]
    assert names.count(("redis", "SET")) == 1
    assert names.count(("redis", "LPUSH")) == 1
    assert ("asyncpg", "SELECT") in names
    assert names.count(("asyncpg", "INSERT")) == 1


def test_without_otlp_there_are_durations_but_no_spans(servers: tuple[Server, Server]) -> None:
    receiver = Receiver()
    with receiver.listening() as address:
        done = apart(some_queries, *(server.url for server in servers), OTEL_EXPORTER_OTLP_ENDPOINT=address)

    assert receiver.spans == []
    series = parsed(done.answer.encode())
    operations = "db_client_operation_duration_seconds_count"
    assert values(series, operations, db_system="redis", db_operation_name="SET") == [1]
    assert values(series, "db_client_errors_total", db_system="redis", error_type="ResponseError") == [1]
