"""What asyncpg is asked, by operation and error, counted exactly against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias

import asyncpg
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.utils import suppress_instrumentation

import telemetry
from telemetry import asyncpg_calls
from telemetry.asyncpg_calls import operation
from telemetry.catalogue import (
    DatabaseErrorLabels,
    DatabaseOperationLabels,
    db_client_errors_total,
    db_client_operation_duration_seconds,
)
from telemetry.testing import Recorded
from tests.servers import Server, folder, postgres_server
from tests.telemetry.apart import apart
from tests.telemetry.service import get, values
from tests.telemetry.test_exposition import parsed

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
def dsn(servers: tuple[Server, Server]) -> str:
    return servers[0].url


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    """It exists before anything is measured in this process, at least in the first test."""
    made = await asyncpg.connect(dsn)
    await made.execute("CREATE TEMPORARY TABLE letters (id int PRIMARY KEY, text text)")
    asyncpg_calls.measure()
    yield made
    await made.close()


class Counts:
    """How many calls there were since the test began, by operation and error."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, name: str, error: str = "") -> int | float:
        return (
            self._recorded(
                db_client_operation_duration_seconds,
                DatabaseOperationLabels(db_system="postgresql", db_operation_name=name, error_type=error),
            )
            or 0
        )

    def errors(self, error: str) -> int | float:
        return (
            self._recorded(db_client_errors_total, DatabaseErrorLabels(db_system="postgresql", error_type=error)) or 0
        )

    def all(self) -> dict[str, int | float]:
        """The operations that were called at all, whatever their end."""
        keys = db_client_operation_duration_seconds.readings()
        found = {key[1]: self(key[1], key[2]) for key in keys if key[0] == "postgresql" and not key[2]}
        return {name: count for name, count in found.items() if count}


@pytest.fixture
def counts(connection: Connection, recorded: Recorded) -> Counts:
    """Begins to count when the connection is there."""
    return Counts(recorded)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT 1", "SELECT"),
        ("select\n1", "SELECT"),
        ("-- a note\n  /* and\n another */ INSERT INTO letters VALUES (1)", "INSERT"),
        ("((SELECT 1) UNION (SELECT 2))", "SELECT"),
        (";;BEGIN;", "BEGIN"),
        ("WITH old AS (DELETE FROM letters RETURNING *) SELECT * FROM old", "WITH"),
        ("COMMIT;", "COMMIT"),
        ("ROLLBACK TO asyncpg_savepoint;", "ROLLBACK"),
        ("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;", "RESET"),
        ("secret@example.com", "_OTHER"),
        ("SELECTION", "_OTHER"),
        ("", "_OTHER"),
        ("/* without an end", "_OTHER"),
        ("/**/" * 100_000 + "?", "_OTHER"),
        (" (" * 100_000, "_OTHER"),
        (None, "_OTHER"),
        (b"SELECT 1", "_OTHER"),
    ],
)
def test_the_operation_is_the_first_word_of_a_closed_vocabulary(statement: object, name: str) -> None:
    assert operation(statement) == name


async def test_each_kind_of_call_counts_once_under_its_operation(connection: Connection, counts: Counts) -> None:
    for number in range(3):
        await connection.execute("INSERT INTO letters VALUES ($1, 'a')", number)
    await connection.execute("UPDATE letters SET text = 'b'")
    await connection.executemany("INSERT INTO letters VALUES ($1, $2)", [(number, "c") for number in range(10, 20)])
    await connection.executemany(command="DELETE FROM letters WHERE id = $1", args=[(10,), (11,)])
    for _ in range(4):
        await connection.fetch("SELECT * FROM letters")
    await connection.fetchrow("SELECT * FROM letters")
    await connection.fetchval(query="SELECT 1")
    await connection.fetchmany("SELECT $1::int", [(1,), (2,)])

    assert counts.all() == {"INSERT": 4, "UPDATE": 1, "DELETE": 1, "SELECT": 7}


async def test_a_prepared_statement_counts_once_to_prepare_and_once_for_each_use(
    connection: Connection, counts: Counts
) -> None:
    statement = await connection.prepare("SELECT $1::int")
    for _ in range(3):
        await statement.fetch(1)
    await statement.fetchrow(1)
    await statement.fetchval(1)
    await statement.fetchmany([(1,), (2,)])
    change = await connection.prepare("INSERT INTO letters VALUES ($1)")
    await change.executemany([(1,), (2,)])

    assert counts.all() == {"PREPARE": 2, "SELECT": 6, "INSERT": 1}


async def test_a_cursor_counts_each_time_it_asks_the_server_and_a_transaction_its_begin_and_end(
    connection: Connection, counts: Counts
) -> None:
    async with connection.transaction():
        rows = [row async for row in connection.cursor("SELECT generate_series(1, 25)", prefetch=10)]
        cursor = await connection.cursor("SELECT generate_series(1, 25)")
        await cursor.forward(5)
        await cursor.fetch(5)
        await cursor.fetchrow()
        await cursor.fetch(100)
        await cursor.fetch(100)  # it knows that there are no more
        async with connection.transaction():
            await connection.execute("SELECT 1")
    with pytest.raises(ZeroDivisionError):
        async with connection.transaction():
            raise ZeroDivisionError

    assert len(rows) == 25
    assert counts.all() == {
        "BEGIN": 2,
        "FETCH": 3 + 3,
        "DECLARE": 1,
        "MOVE": 1,
        "SAVEPOINT": 1,
        "SELECT": 1,
        "RELEASE": 1,
        "COMMIT": 1,
        "ROLLBACK": 1,
    }


async def test_a_cursor_without_rows_is_no_error(connection: Connection, counts: Counts) -> None:
    async with connection.transaction():
        assert [row async for row in connection.cursor("SELECT 1 WHERE false")] == []

    assert counts.all() == {"BEGIN": 1, "FETCH": 1, "COMMIT": 1}
    assert counts("FETCH", "StopAsyncIteration") == 0


async def test_copy_in_each_direction_is_one_operation(connection: Connection, counts: Counts) -> None:
    await connection.copy_records_to_table("letters", records=[(1, "a"), (2, "b")])
    await connection.copy_to_table("letters", source=io.BytesIO(b"3\tc\n"))
    await connection.copy_from_table("letters", output=io.BytesIO())
    await connection.copy_from_query("SELECT 1", output=io.BytesIO())

    assert counts.all() == {"COPY": 4}


async def test_a_new_connection_is_an_operation_and_a_refused_one_an_error(
    dsn: str, counts: Counts, free_port: str
) -> None:
    await (await asyncpg.connect(dsn)).close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(host="127.0.0.1", port=int(free_port), user="nobody")

    assert counts("CONNECT") == 1
    assert counts("CONNECT", "ConnectionRefusedError") == 1
    assert counts.errors("ConnectionRefusedError") == 1


async def test_an_error_counts_by_its_class_and_under_its_operation(connection: Connection, counts: Counts) -> None:
    await connection.execute("INSERT INTO letters VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO letters VALUES (1)")
    for call in (connection.execute, connection.fetch, connection.prepare):
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await call("SELECT FROM FROM")
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.copy_records_to_table("nowhere", records=[(1,)])
    with pytest.raises(asyncpg.PostgresSyntaxError):
        async with connection.transaction():
            [_ async for _ in connection.cursor("SELECT FROM FROM")]

    assert counts("INSERT") == 1
    assert counts("INSERT", "UniqueViolationError") == counts.errors("UniqueViolationError") == 1
    assert counts("SELECT", "PostgresSyntaxError") == 2
    assert counts("PREPARE", "PostgresSyntaxError") == 1
    assert counts("FETCH", "PostgresSyntaxError") == 1
    assert counts.errors("PostgresSyntaxError") == 4
    assert counts("COPY", "UndefinedTableError") == 1


async def test_time_outs_and_cancelled_callers_are_errors_and_their_time_is_counted(
    connection: Connection, counts: Counts
) -> None:
    before = db_client_operation_duration_seconds.values()
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(10)", timeout=0.1)
    caller = asyncio.create_task(connection.execute("SELECT pg_sleep(10)"))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    after = db_client_operation_duration_seconds.values()

    assert counts("SELECT", "TimeoutError") == counts.errors("TimeoutError") == 1
    assert counts("SELECT", "CancelledError") == counts.errors("CancelledError") == 1
    key = ("postgresql", "SELECT", "TimeoutError")
    assert after[key][1] - before.get(key, ([], 0))[1] >= 0.1


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server of this test alone."""
    with folder() as place, postgres_server(place) as server:
        yield server


@pytest.mark.server
async def test_a_server_that_dies_is_an_error_of_the_running_statement_and_of_the_next_one(
    mortal: Server, recorded: Recorded
) -> None:
    asyncpg_calls.measure()
    counts = Counts(recorded)
    connection = await asyncpg.connect(mortal.url)
    running = asyncio.create_task(connection.execute("SELECT pg_sleep(10)"))
    await asyncio.sleep(0)
    mortal.kill()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await running
    with pytest.raises(asyncpg.InterfaceError):
        await connection.execute("SELECT 1")
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        await asyncpg.connect(mortal.url)

    assert counts.all() == {"CONNECT": 1}
    assert counts("SELECT", "ConnectionDoesNotExistError") == 1
    assert counts("SELECT", "InterfaceError") == 1
    assert counts("CONNECT", "ConnectionRefusedError") + counts("CONNECT", "FileNotFoundError") == 1


class Quiet(asyncpg.Connection):
    """A connection class as services have them."""

    def get_reset_query(self) -> str:
        return ""


async def test_pools_and_subclasses_are_measured_and_a_reset_is_no_select(dsn: str, counts: Counts) -> None:
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1, connection_class=Quiet) as pool:
        await pool.fetchval("SELECT 1")
        async with pool.acquire() as proxy:
            await proxy.fetchval("SELECT 1")
    assert counts.all() == {"CONNECT": 1, "SELECT": 2}

    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
        await pool.fetchval("SELECT 1")
    assert counts.all() == {"CONNECT": 2, "SELECT": 3, "RESET": 1}


async def test_measuring_twice_counts_once_and_a_suppressed_call_not_at_all(
    connection: Connection, counts: Counts
) -> None:
    asyncpg_calls.measure()
    await connection.execute("SELECT 1")
    with suppress_instrumentation():
        await connection.execute("SELECT 1")

    assert counts.all() == {"SELECT": 1}


async def test_no_text_argument_database_or_address_is_in_a_label(dsn: str, connection: Connection) -> None:
    await connection.fetch("SELECT $1 /* secret-text */", "secret-argument")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn, database="secret-database")

    shown = {text for key in db_client_operation_duration_seconds.readings() for text in key}
    assert not [text for text in shown if "secret" in text.lower() or "/" in text]


def traced_calls(dsn: str) -> list[float]:
    async def work() -> None:
        connection = await asyncpg.connect(dsn)  # before init
        telemetry.init("execution_gateway", app)
        for _ in range(3):
            await connection.execute("SELECT 1")
        async with connection.transaction():
            [_ async for _ in connection.cursor("SELECT generate_series(1, 25)", prefetch=10)]
        await connection.close()

    app = FastAPI()
    asyncio.run(work())
    operations = "db_client_operation_duration_seconds_count"
    series = parsed(get(app, "/metrics")[0].content)
    telemetry.shutdown()
    return [sum(values(series, operations, db_operation_name=name)) for name in ("SELECT", "FETCH", "BEGIN", "COMMIT")]


@pytest.mark.parametrize("exporter", ["none", "otlp"])
def test_with_spans_each_call_still_counts_once(dsn: str, exporter: str) -> None:
    done = apart(traced_calls, dsn, OTEL_TRACES_EXPORTER=exporter, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert done.answer == [3, 3, 1, 1]
