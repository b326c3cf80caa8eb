"""The command line trips the breaker: it says no more than what is done, and waits for a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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
