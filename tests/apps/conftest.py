"""A clean database for each test, on the servers that all of them share."""

from __future__ import annotations

import asyncpg
import pytest

from tests.servers import Server

SCHEMAS = ("gateway", "venue", "market_data", "signals", "orchestrator")


@pytest.fixture
async def database_url(servers: tuple[Server, Server]) -> str:
    """A PostgreSQL in which no service has been yet."""
    connection = await asyncpg.connect(servers[0].url)
    await connection.execute(f"SET client_min_messages = warning; DROP SCHEMA IF EXISTS {', '.join(SCHEMAS)} CASCADE")
    await connection.close()
    return servers[0].url


@pytest.fixture
def redis_url(servers: tuple[Server, Server]) -> str:
    """A Redis that tests share."""
    return servers[1].url
