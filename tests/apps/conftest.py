"""Addresses of the shared servers, with an empty database for each test."""

from __future__ import annotations

import asyncpg
import pytest

from tests.servers import Server

SCHEMAS = ("gateway", "venue", "market_data", "signals", "orchestrator")


@pytest.fixture
async def database_url(servers: tuple[Server, Server]) -> str:
    """A PostgreSQL without the tables of any service."""
    connection = await asyncpg.connect(servers[0].url)
    await connection.execute(f"SET client_min_messages = warning; DROP SCHEMA IF EXISTS {', '.join(SCHEMAS)} CASCADE")
    await connection.close()
    return servers[0].url


@pytest.fixture
def redis_url(servers: tuple[Server, Server]) -> str:
    """A Redis that all tests share. It is not emptied between tests."""
    return servers[1].url
