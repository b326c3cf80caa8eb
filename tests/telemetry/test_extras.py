"""The library loads what it needs when it needs it, and says what is missing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import httpx

import telemetry
from tests.telemetry.apart import apart
from tests.telemetry.service import values
from tests.telemetry.test_exposition import parsed

HEAVY = ("asyncio", "asyncpg", "fastapi", "http.server", "opentelemetry.sdk", "prometheus_client", "redis", "starlette")


def test_importing_the_library_loads_neither_the_sdk_nor_any_extra() -> None:
    code = "import sys, telemetry; print([m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def a_service_without_extras(*missing: str) -> dict[str, Any]:
    for module in missing:
        sys.modules[module] = None  # type: ignore[assignment]  # so that importing it fails

    telemetry.init("somebody")
    probes = [telemetry.DatabaseProbe("postgresql://nowhere"), telemetry.RedisProbe("redis://nowhere")]

    async def ask() -> None:
        for probe in probes:
            await probe.ask()
            await probe.ask()

    asyncio.run(ask())
    port = os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {"text": text, "up": [probe.up for probe in probes]}


def test_a_package_that_is_missing_is_a_sentence_and_what_needs_it_is_unknown(free_port: str) -> None:
    done = apart(
        a_service_without_extras,
        *("fastapi", "asyncpg", "redis", "redis.asyncio", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=free_port,
        OTEL_TRACES_EXPORTER="otlp",
    )
    series = parsed(done.answer["text"].encode())

    assert "telemetry: there is no part for traces: " in done.log
    assert "run pip install 'trading-telemetry[otlp]'" in done.log
    for name, extra in (("database", "asyncpg"), ("redis", "redis")):
        assert done.log.count(f"the status of {name} is not known: ") == 1
        assert f"run pip install 'trading-telemetry[{extra}]'" in done.log
    assert "Traceback" not in done.log
    assert done.answer["up"] == [None, None]
    assert values(series, "database_connection_status") == values(series, "redis_connection_status") == []
    assert values(series, "dependency_writable") == []
    assert set(values(series, "dependency_ping_duration_seconds_count")) <= {0}  # nothing was asked
    assert values(series, "heartbeat_timestamp_seconds") != []
