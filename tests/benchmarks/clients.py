"""What measuring adds to a call of PostgreSQL or Redis: CPU time of the client, against the bare client.

    python -m tests.benchmarks.clients

Two processes, one with `telemetry.init` and one without, take turns in one run. Each figure is a median.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import asyncpg
import redis.asyncio
from fastapi import FastAPI

import telemetry
from tests.servers import both

ROUNDS = 30
CALLS = 500
KINDS = ("connection.fetchval", "pool.fetchval", "prepared.fetchval", "redis.get")


def main() -> None:
    """Measures, and prints a table."""
    with both() as (postgres, redis_server), ExitStack() as stack:
        processes = {
            how: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.benchmarks.clients", how, postgres.url, redis_server.url],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for how in ("bare", "measured")
        }
        took: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for kind in KINDS:
                for how, process in processes.items():
                    took.setdefault((kind, how), []).append(_ask(process, kind))
        for process in processes.values():
            assert process.stdin is not None
            process.stdin.close()
    print(f"CPU time of the client for a call, median of {ROUNDS} rounds of {CALLS} calls")
    for kind in KINDS:
        bare, measured = (statistics.median(took[kind, how]) * 1e6 for how in ("bare", "measured"))
        print(f"{kind:20} bare {bare:6.1f} us   measured {measured:6.1f} us   added {measured - bare:5.1f} us")


def _ask(process: subprocess.Popen[str], kind: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{kind}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


async def _serve(postgres_url: str, redis_url: str) -> None:
    """Reads a kind of call from each line, and answers with the CPU seconds that one took."""
    connection = await asyncpg.connect(postgres_url)
    prepared = await connection.prepare("SELECT 1")
    pool = await asyncpg.create_pool(postgres_url, min_size=1, max_size=1)
    client = redis.asyncio.from_url(redis_url)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "connection.fetchval": lambda: connection.fetchval("SELECT 1"),
        "pool.fetchval": lambda: pool.fetchval("SELECT 1"),
        "prepared.fetchval": lambda: prepared.fetchval(),
        "redis.get": lambda: client.get("key"),
    }
    for line in sys.stdin:  # nothing else runs in this loop
        call = calls[line.strip()]
        began = time.process_time()
        for _ in range(CALLS):
            await call()
        print((time.process_time() - began) / CALLS, flush=True)
    await client.aclose()
    await pool.close()
    await connection.close()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        if sys.argv[1] == "measured":
            telemetry.init("benchmark", FastAPI())
        asyncio.run(_serve(*sys.argv[2:]))
