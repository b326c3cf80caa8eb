"""Waiting for PostgreSQL, creating the tables, and using it again after an outage."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import certifi
import pytest

from apps.addresses import only_reads
from apps.database import (
    SNAPSHOTS,
    UNAVAILABLE,
    Connection,
    Database,
    NoTables,
    OtherSchema,
    Unavailable,
    Unusable,
    when_there,
)
from tests.servers import Server, folder, postgres_server
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

        async def interrupted() -> None:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO gateway.things VALUES (2)")
                server.kill()
                await until(connection.is_closed, "the process of the connection has noticed")
                await connection.execute("INSERT INTO gateway.things VALUES (3)")

        with pytest.raises(UNAVAILABLE):
            await interrupted()
        await asyncio.to_thread(stack.enter_context, postgres_server(place))
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT array_agg(id) FROM gateway.things") == [1]
        await database.close()


async def test_open_waits_for_a_postgresql_that_is_read_only(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with away_from_writes(database_url) as allow:
        database = Database(database_url, SCHEMA)
        opening = asyncio.create_task(database.open())
        await until(lambda: "waiting for it: ReadOnlySQLTransactionError" in caplog.text, "an attempt")
        assert not opening.done()

        await allow()
        await asyncio.wait_for(opening, 5)
        async with database.connection() as connection:
            await connection.execute("INSERT INTO gateway.things VALUES (1)")
    await database.close()


@asynccontextmanager
async def away_from_writes(database_url: str) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """New connections to this database are read-only, until what is yielded is called."""
    connection = await asyncpg.connect(database_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield lambda: connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await connection.close()


async def test_an_outage_between_two_statements_is_told_as_what_it_is(database_url: str) -> None:
    database = Database(database_url, SCHEMA)
    await database.open()

    async def ended() -> None:
        async with database.connection() as connection:

            def given_back() -> bool:
                try:
                    return connection.is_closed()
                except asyncpg.InterfaceError:  # the pool has it back
                    return True

            pid = await connection.fetchval("SELECT pg_backend_pid()")
            other = await asyncpg.connect(database_url)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            await other.close()
            await until(given_back, "the process of the connection has noticed")
            raise OSError("what the caller saw of it")

    with pytest.raises(OSError, match="what the caller saw of it"):
        await ended()
    await database.close()


async def test_a_connection_in_a_state_that_asyncpg_did_not_expect_is_not_used_again(database_url: str) -> None:
    database = Database(database_url, SCHEMA)
    await database.open()
    used = []

    async def confused() -> None:
        async with database.transaction() as connection:
            used.append(await connection.fetchval("SELECT pg_backend_pid()"))
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    with pytest.raises(UNAVAILABLE, match="another operation"):
        await confused()

    async with database.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") not in used
    await database.close()


async def test_connections_say_in_postgresql_whose_they_are(database_url: str) -> None:
    database = Database(database_url, SCHEMA, name="signal_service")
    await database.open()

    async with database.connection() as connection:
        shown = await connection.fetchval("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")

    assert shown == "signal_service"
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


@asynccontextmanager
async def opened(url: str, seconds: float = 3) -> AsyncIterator[Database]:
    database = Database(url, SCHEMA, timeout=seconds)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def test_a_statement_that_takes_longer_than_the_timeout_is_ended(database_url: str) -> None:
    async with opened(database_url, seconds=0.3) as database:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with database.connection() as connection:
                await connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 10

        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
    async with opened(database_url, seconds=20) as database, database.connection() as connection:
        await connection.execute("SELECT pg_sleep(0.5)")  # the limit is the one that was given


async def test_all_that_a_snapshot_reads_is_of_one_moment(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.snapshot() as snapshot, database.connection() as other:
            assert await count(snapshot) == 0

            await other.execute("INSERT INTO gateway.things VALUES (1)")

            assert [await count(snapshot), await count(other)] == [0, 1]
        async with database.snapshot() as snapshot:
            assert await count(snapshot) == 1


async def count(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM gateway.things"))


async def test_a_snapshot_cannot_write(database_url: str) -> None:
    async with opened(database_url) as database:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with database.snapshot() as snapshot:
                await snapshot.execute("INSERT INTO gateway.things VALUES (1)")
        async with database.connection() as connection:  # the same connection writes again
            await connection.execute("INSERT INTO gateway.things VALUES (2)")
            assert await count(connection) == 1


async def test_readers_leave_connections_to_those_that_write(database_url: str) -> None:
    async with opened(database_url) as database:
        reading, enough = 0, asyncio.Event()

        async def read() -> None:
            nonlocal reading
            async with database.snapshot():
                reading += 1
                await enough.wait()

        readers = [asyncio.create_task(read()) for _ in range(50)]
        await until(lambda: reading == SNAPSHOTS, "as many read as may")
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO gateway.things VALUES (1)")
        assert reading == SNAPSHOTS

        enough.set()
        await asyncio.gather(*readers)
        assert reading == 50


async def test_a_reader_that_finds_no_free_slot_gives_up_after_the_timeout(database_url: str) -> None:
    async with opened(database_url, seconds=0.5) as database, AsyncExitStack() as reading:
        for _ in range(SNAPSHOTS):
            await reading.enter_async_context(database.snapshot())

        with pytest.raises(TimeoutError):
            async with database.snapshot():
                raise AssertionError("one more reads than may")

        await reading.aclose()
        for _ in range(2 * SNAPSHOTS):  # no slot was lost
            async with database.snapshot() as snapshot:
                assert await count(snapshot) == 0


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A PostgreSQL that the test may break."""
    with folder() as place, postgres_server(place) as server:
        yield server


@contextmanager
def hanging(server: Server, backend: int) -> Iterator[None]:
    """Neither the connection of this backend nor a new one is answered while the block runs."""
    server.pause()
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)
        server.resume()


@pytest.mark.server
@pytest.mark.parametrize("kind", ["connection", "transaction", "snapshot"])
async def test_a_server_that_hangs_costs_one_timeout_and_not_two(own_server: Server, kind: str) -> None:
    async with opened(own_server.url, seconds=1) as database:
        block = {"connection": database.connection, "transaction": database.transaction, "snapshot": database.snapshot}

        async def ask() -> None:
            async with block[kind]() as connection:
                await connection.execute("SELECT 1")

        async with database.connection() as connection:
            backend = await connection.fetchval("SELECT pg_backend_pid()")
        with hanging(own_server, backend):
            for _ in ("with the connection of the pool", "with a new one"):
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    await ask()
                assert 0.9 < time.monotonic() - began < 1.9
        await ask()


@pytest.mark.server
async def test_a_server_that_hangs_in_the_middle_of_a_transaction_costs_one_timeout(own_server: Server) -> None:
    async with opened(own_server.url, seconds=1) as database:
        began = 0.0

        async def change() -> None:
            nonlocal began
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO gateway.things VALUES (1)")
                backend = await connection.fetchval("SELECT pg_backend_pid()")
                with hanging(own_server, backend):
                    began = time.monotonic()
                    await connection.execute("INSERT INTO gateway.things VALUES (2)")

        with pytest.raises(TimeoutError):
            await change()
        assert 0.9 < time.monotonic() - began < 1.9
        async with database.connection() as connection:
            assert await count(connection) == 0


NUMBERED = "CREATE SCHEMA IF NOT EXISTS numbered; CREATE TABLE IF NOT EXISTS numbered.things (id int PRIMARY KEY)"


@pytest.fixture
async def without_numbers(database_url: str) -> AsyncIterator[str]:
    """A PostgreSQL that has no schema `numbered`, and has not had one."""

    async def forget() -> None:
        async with opened(database_url) as database, database.connection() as connection:
            await connection.execute(
                "SET client_min_messages = warning; DROP SCHEMA IF EXISTS numbered CASCADE;"
                " CREATE TABLE IF NOT EXISTS public.schema_numbers (schema text PRIMARY KEY, number integer NOT NULL);"
                " DELETE FROM public.schema_numbers WHERE schema = 'numbered'"
            )

    await forget()
    yield database_url
    await forget()


async def numbered(url: str, number: int, schema: str = NUMBERED) -> None:
    """Opens and closes a database whose tables have this number."""
    database = Database(url, schema, number=("numbered", number))
    try:
        await database.open()
    finally:
        await database.close()


async def test_tables_of_another_number_are_refused_in_a_sentence_that_says_what_to_do(without_numbers: str) -> None:
    await numbered(without_numbers, 7)
    await numbered(without_numbers, 7)

    for other in (6, 8):
        with pytest.raises(OtherSchema, match=f"their number is 7, this version needs {other}.*`make clean-data`"):
            await numbered(without_numbers, other)


async def test_tables_from_before_there_were_numbers_are_refused(without_numbers: str) -> None:
    async with opened(without_numbers) as database, database.connection() as connection:
        await connection.execute(NUMBERED)

    with pytest.raises(OtherSchema, match="their number is None, this version needs 7"):
        await numbered(without_numbers, 7)


async def test_a_refused_opening_creates_no_table(without_numbers: str) -> None:
    await numbered(without_numbers, 7)

    with pytest.raises(OtherSchema):
        await numbered(without_numbers, 8, NUMBERED + "; CREATE TABLE numbered.more (id int)")

    async with opened(without_numbers) as database, database.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('numbered.more')") is None


async def test_two_processes_that_start_together_create_the_tables_once(without_numbers: str) -> None:
    await asyncio.gather(*(numbered(without_numbers, 7) for _ in range(5)))

    async with opened(without_numbers) as database, database.connection() as connection:
        assert await connection.fetchval("SELECT number FROM public.schema_numbers WHERE schema = 'numbered'") == 7


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("&sslmode=hunter2", r"asyncpg does not take one of its parts or options \(ClientConfigurationError\)"),
        ("&port=hunter2", r"asyncpg does not take one of its parts or options \(ValueError\)"),
        ("&dbname=nowhere", 'PostgreSQL says database "nowhere" does not exist'),
        ("&user=nobody", 'PostgreSQL says role "nobody" does not exist'),
        ("&foo=1", 'PostgreSQL says unrecognized configuration parameter "foo"'),
        ("&work_mem=abc", 'PostgreSQL says invalid value for parameter "work_mem": "abc"'),
        ("&timezone=Mars", 'PostgreSQL says invalid value for parameter "TimeZone": "Mars"'),
        ("&role=nobody", 'PostgreSQL says role "nobody" does not exist'),
        ("&max_connections=5", 'PostgreSQL says parameter "max_connections" cannot be changed .*'),
        ("&target_session_attrs=standby", "its option target_session_attrs asks for a server to read from"),
        ("&target_session_attrs=read-only", "its option target_session_attrs asks for a server to read from"),
        (
            "&default_transaction_read_only=on",
            "its option default_transaction_read_only asks for a server to read from",
        ),
        ("&sslmode=require&sslrootcert=/hunter2", "the file of its option sslrootcert cannot be read"),
        ("&sslmode=require&sslrootcert=/dev/null", "the file of its option sslrootcert cannot be read"),
        ("&session_preload_libraries=nope", 'PostgreSQL says could not access file "nope": No such file or directory'),
        ("&intervalstyle=x", 'PostgreSQL says invalid value for parameter "IntervalStyle": "x"'),
        ("&sslmode=require&sslcert=/hunter2", "the file of its option sslcert cannot be read"),
    ],
)
async def test_an_address_that_cannot_be_used_is_not_waited_for(database_url: str, option: str, why: str) -> None:
    socket = urlsplit(database_url).query  # without user and name before it, which options do not replace
    database = Database(f"postgresql://?{socket}&user=postgres{option}", SCHEMA)

    async with asyncio.timeout(5):
        with pytest.raises(Unusable, match=f"^DATABASE_URL cannot be used: {why}$") as refusal:
            await database.open()

    assert refusal.value.__cause__ is None
    assert "hunter2" not in str(refusal.value)


async def test_a_server_that_may_become_the_primary_is_waited_for(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with away_from_writes(database_url) as allow:
        database = Database(f"{database_url}&target_session_attrs=read-write", SCHEMA)
        opening = asyncio.create_task(database.open())
        await until(lambda: "waiting for it: TargetServerAttributeNotMatched" in caplog.text, "an attempt")
        assert not opening.done()

        await allow()
        await asyncio.wait_for(opening, 5)
    await database.close()


async def test_a_socket_that_is_not_there_is_waited_for_also_when_a_certificate_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"postgresql://postgres@/trading?host={tmp_path}&sslmode=require&sslrootcert={certifi.where()}"
    opening = asyncio.create_task(Database(url, SCHEMA).open())

    await until(lambda: "waiting for it: FileNotFoundError" in caplog.text, "an attempt")

    assert not opening.done()
    opening.cancel()


async def test_without_a_schema_nothing_is_created(without_numbers: str) -> None:
    reader = Database(without_numbers, None, number=("numbered", 7))
    with pytest.raises(NoTables, match=r"^it has no tables of numbered$"):
        await reader.open()

    async with opened(without_numbers) as database, database.connection() as connection:
        assert await connection.fetchval("SELECT to_regnamespace('numbered')") is None
        assert not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM public.schema_numbers WHERE schema = 'numbered')"
        )

    await numbered(without_numbers, 7)
    await reader.open()
    await reader.close()
    with pytest.raises(OtherSchema, match="their number is 7, this version needs 8"):
        await Database(without_numbers, None, number=("numbered", 8)).open()


def test_only_an_option_that_asks_for_it_asks_for_a_server_to_read_from() -> None:
    address = "postgresql://host/trading?"
    assert only_reads(f"{address}default_transaction_read_only=on") == "default_transaction_read_only"
    assert only_reads(f"{address}target_session_attrs=standby") == "target_session_attrs"
    for option in ("", "default_transaction_read_only=off", "target_session_attrs=prefer-standby"):
        assert only_reads(address + option) == ""
