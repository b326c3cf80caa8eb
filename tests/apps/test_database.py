"""Waiting for PostgreSQL, creating the tables, and using it again after an outage."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import asyncpg
import pytest

from apps.database import UNAVAILABLE, Database, Unavailable, when_there
from tests.servers import folder, postgres_server
from tests.waiting import until

SCHEMA = "CREATE SCHEMA IF NOT EXISTS gateway; CREATE TABLE IF NOT EXISTS gateway.things (id int PRIMARY KEY)"


@pytest.mark.server
async def test_open_waits_for_postgresql_and_connections_work_again_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with folder() as place, ExitStack() as stack:
        database = Database(f"postgresql://postgres@/trading?host={place}/sockets", SCHEMA)
        with pytest.raises(Unavailable):
            async with database.connection():
                pass
        opening = asyncio.create_task(database.open())
        await until(lambda: "PostgreSQL is not there yet" in caplog.text, "an attempt")
        assert not opening.done()

        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        await asyncio.wait_for(opening, 5)
        assert 1 <= caplog.text.count("PostgreSQL is not there yet") <= 3  # once for each type of error
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO gateway.things VALUES (1)")

        server.kill()
        with pytest.raises(UNAVAILABLE):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO gateway.things VALUES (2)")
        await asyncio.to_thread(stack.enter_context, postgres_server(place))
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT array_agg(id) FROM gateway.things") == [1]
        await database.close()


async def test_a_block_that_raises_is_rolled_back(database_url: str) -> None:
    database = Database(database_url, SCHEMA)
    await database.open()
    await database.open()  # a second call changes nothing

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO gateway.things VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM gateway.things") == 0
    await database.close()
    await database.close()


async def test_when_there_repeats_while_postgresql_is_unavailable_and_raises_other_errors() -> None:
    answers: list[Exception] = [Unavailable("not yet"), asyncpg.CannotConnectNowError("starting")]

    async def what() -> str:
        if answers:
            raise answers.pop(0)
        return "done"

    assert await when_there(what) == "done"

    answers.append(ValueError("ours"))
    with pytest.raises(ValueError, match="ours"):
        await when_there(what)
