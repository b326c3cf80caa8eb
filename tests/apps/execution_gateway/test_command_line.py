"""The command line trips the breaker: it says no more than what is done, and waits for a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from urllib.parse import urlsplit

import asyncpg
import pytest

from apps.execution_gateway.__main__ import main
from apps.vocabulary import OrderStatus
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    account_locked,
    changes,
    is_halted,
    opened,
    order,
    see,
    settled,
)
from tests.apps.markets import market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
NOT_IN_UTF8 = "Jos\udce9"
"""What Python makes of a name that a terminal sends in Latin-1."""

Trip = Callable[[str], Awaitable[int]]


@pytest.fixture
def trip(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Trip:
    """Trips the breaker from the command line, in the name of somebody. Returns the exit code."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda by: asyncio.to_thread(main, ["trip", "--reason", "a test", "--by", by])


async def forbid_changes(desk: TestDesk) -> None:
    """PostgreSQL answers each change of the breaker as it does to somebody without the right."""
    async with desk.database.connection() as connection:
        await connection.execute("""
            CREATE FUNCTION gateway.forbid() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'permission denied'; END $$;
            CREATE TRIGGER forbidden BEFORE INSERT ON gateway.breaker_changes EXECUTE FUNCTION gateway.forbid();
        """)


async def allow_changes(desk: TestDesk) -> None:
    async with desk.database.connection() as connection:
        await connection.execute("DROP TRIGGER forbidden ON gateway.breaker_changes")


async def test_a_trip_by_a_name_that_cannot_be_stored_is_stored_with_question_marks(
    database_url: str, trip: Trip
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))

        for by in (NOT_IN_UTF8, "b\u200bob", " ", "x" * 300):
            assert await trip(by) == 0
            await desk.switch.read()
            await desk.switch.halt()
            await desk.switch.reset("next", "bob")
            await settled(desk)

        assert [change[2] for change in await changes(desk) if change[0] == "TRIPPED"] == [
            "Jos?",
            "b?ob",
            "?",
            "x" * 200,
        ]


async def test_a_trip_that_cannot_be_stored_is_said_and_its_halt_of_the_venue_stays(
    database_url: str, trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await forbid_changes(desk)

        assert await trip("ann") == 1

        said = capsys.readouterr()
        assert "TRIPPED" not in said.out
        assert "The trip is not stored: " in said.err
        assert "Traceback" not in said.err
        assert said.out == "The venue is halted: it fills only what reduces a position.\n"
        await desk.switch.read()
        await desk.switch.halt()
        assert await changes(desk) == []
        assert await is_halted(desk)

    async with opened(database_url) as desk:  # a restart
        await see(desk, market(PRICES))
        await desk.switch.read()
        await desk.switch.halt()
        assert await is_halted(desk)
        await allow_changes(desk)
        await desk.switch.reset("it is known now", "bob")
        await settled(desk)
        assert not await is_halted(desk)
        assert (await desk.orders.place(order()))[0].status is OrderStatus.FILLED


async def test_a_lock_that_is_held_for_longer_than_a_statement_may_take_is_waited_for(
    desk: TestDesk, database_url: str, trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def tried_again() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "Trying again" in said

    async with account_locked(database_url):
        tripping = asyncio.ensure_future(trip("ann"))
        await until(tried_again, "a statement was given up", seconds=8)
        assert not tripping.done()
    assert await tripping == 0

    assert "The circuit breaker is TRIPPED." in capsys.readouterr().out
    await until(lambda: desk.writer.opened.tripped, "the gateway notices it")
    await settled(desk)
    assert await changes(desk) == [("TRIPPED", "a test", "ann")]
    assert await is_halted(desk)


async def schemas(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname IN ('gateway', 'venue')")
    await connection.close()
    return [row["nspname"] for row in rows]


@pytest.mark.parametrize("numbered", [True, False])
async def test_in_a_database_without_a_gateway_nothing_is_tripped_and_nothing_is_created(
    database_url: str, trip: Trip, capsys: pytest.CaptureFixture[str], numbered: bool
) -> None:
    connection = await asyncpg.connect(database_url)
    if numbered:  # the schemas were removed, and their number was left
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.schema_numbers (schema text PRIMARY KEY, number integer NOT NULL)"
        )
    else:
        await connection.execute("DROP TABLE IF EXISTS public.schema_numbers")

    assert await trip("ann") == 1

    said = capsys.readouterr()
    assert said.err.startswith("Nothing is tripped: this database has no gateway (")
    assert said.err.endswith("). Check DATABASE_URL.\n")
    assert said.out == ""
    assert await schemas(database_url) == []
    there = await connection.fetchval("SELECT to_regclass('public.schema_numbers') IS NOT NULL")
    await connection.close()
    assert there is numbered


@pytest.mark.parametrize(
    "missing", ["DELETE FROM gateway.account", "DELETE FROM venue.state", "DROP SCHEMA venue CASCADE"]
)
async def test_a_gateway_that_is_there_in_part_is_not_tripped(
    database_url: str, trip: Trip, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    async with opened(database_url):
        pass
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"SET client_min_messages = warning; {missing}")

    assert await trip("ann") == 1

    assert "Nothing is tripped: this database has no gateway (" in capsys.readouterr().err
    assert await connection.fetchval("SELECT count(*) FROM gateway.breaker_changes") == 0
    await connection.close()


async def test_no_other_setting_of_the_gateway_keeps_it_from_being_tripped(
    database_url: str, trip: Trip, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url, initial_cash=Decimal(5000)) as desk:
        for name, value in {
            "POSITION_LIMIT": "-5",
            "MARKET_DATA_URL": "garbage",
            "REDIS_URL": "garbage",
            "ALLOWED_HOSTS": "*.*",
            "INITIAL_CASH": "7",
            "SLIPPAGE_BPS": "many",
        }.items():
            monkeypatch.setenv(name, value)

        assert await trip("ann") == 0

        assert await changes(desk) == [("TRIPPED", "a test", "ann")]
        assert await is_halted(desk)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("&dbname=nowhere", 'PostgreSQL says database "nowhere" does not exist'),
        ("&user=nobody", 'PostgreSQL says role "nobody" does not exist'),
        ("&sslmode=foo", "asyncpg does not take one of its parts"),
        ("&foo=1", 'PostgreSQL says unrecognized configuration parameter "foo"'),
    ],
)
async def test_an_address_that_cannot_be_used_is_a_sentence(
    database_url: str,
    trip: Trip,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    why: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://?{urlsplit(database_url).query}&user=postgres{option}")

    assert await trip("ann") == 1

    assert capsys.readouterr().err.startswith(f"Nothing is tripped: DATABASE_URL cannot be used: {why}")
