"""The circuit breaker: each change is a row, the last row is the state, and only a person resets it."""

from __future__ import annotations

import asyncio

from apps.catalogue import circuit_breaker_resets_total, circuit_breaker_state, circuit_breaker_trips_total
from apps.execution_gateway import breaker
from apps.execution_gateway.desk import Desk
from apps.vocabulary import BreakerState
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import opened
from tests.apps.markets import MONDAY, TUESDAY


async def changes(desk: Desk) -> list[tuple[str, str, str]]:
    async with desk.database.connection() as connection:
        rows = await connection.fetch("SELECT state, reason, by FROM gateway.breaker_changes ORDER BY id")
    return [tuple(row) for row in rows]


async def test_it_is_open_before_its_first_change(desk: Desk, recorded: Recorded) -> None:
    await desk.catch_up()

    assert recorded(circuit_breaker_state) == 0
    assert await changes(desk) == []


async def test_a_change_is_stored_counted_and_in_the_gauge(desk: Desk, recorded: Recorded) -> None:
    tripped = await desk.trip("fat finger", "ann")
    assert (tripped.state, tripped.reason, tripped.by) == (BreakerState.TRIPPED, "fat finger", "ann")
    assert tripped.at is not None
    assert recorded(circuit_breaker_state) == 1

    reset = await desk.reset("checked", "bob")
    assert (reset.state, reset.reason, reset.by) == (BreakerState.OPEN, "checked", "bob")
    assert recorded(circuit_breaker_state) == 0

    assert await changes(desk) == [("TRIPPED", "fat finger", "ann"), ("OPEN", "checked", "bob")]
    assert recorded(circuit_breaker_trips_total, reason="manual") == 1
    assert recorded(circuit_breaker_resets_total) == 1


async def test_the_same_change_again_changes_nothing(desk: Desk, recorded: Recorded) -> None:
    await desk.reset("nothing to reset", "bob")
    await desk.trip("first", "ann")
    again = await desk.trip("second", "bob")

    assert (again.reason, again.by) == ("first", "ann")
    assert await changes(desk) == [("TRIPPED", "first", "ann")]
    assert recorded(circuit_breaker_trips_total, reason="manual") == 1
    assert recorded(circuit_breaker_resets_total) == 0


async def test_several_trips_at_the_same_time_count_once(desk: Desk, recorded: Recorded) -> None:
    await asyncio.gather(*(desk.trip("a test", f"person {number}") for number in range(5)))

    assert len(await changes(desk)) == 1
    assert recorded(circuit_breaker_trips_total, reason="manual") == 1


async def test_it_survives_a_restart(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url) as desk:
        await desk.trip("a test", "me")
    circuit_breaker_state.remove()

    async with opened(database_url) as desk:
        await desk.catch_up()

        assert recorded(circuit_breaker_state) == 1


async def test_the_gauge_follows_a_change_that_another_process_made(desk: Desk, recorded: Recorded) -> None:
    async with desk.database.connection() as connection:
        await connection.execute(
            "INSERT INTO gateway.breaker_changes (state, reason, by) VALUES ('TRIPPED', 'by hand', 'dba')"
        )

    await desk.catch_up()

    assert recorded(circuit_breaker_state) == 1


async def test_a_loss_trips_it_once_per_trading_date(desk: Desk, recorded: Recorded) -> None:
    await breaker.trip_for_loss(desk.database, MONDAY, "lost 6 %")
    assert recorded(circuit_breaker_state) == 1
    await desk.reset("seen", "ann")

    await breaker.trip_for_loss(desk.database, MONDAY, "lost 7 %")
    assert recorded(circuit_breaker_state) == 0

    await breaker.trip_for_loss(desk.database, TUESDAY, "lost 8 %")
    assert recorded(circuit_breaker_state) == 1
    assert await changes(desk) == [
        ("TRIPPED", "lost 6 %", "daily loss limit"),
        ("OPEN", "seen", "ann"),
        ("TRIPPED", "lost 8 %", "daily loss limit"),
    ]
    assert recorded(circuit_breaker_trips_total, reason="daily_loss") == 2


async def test_a_loss_while_it_was_tripped_does_not_trip_it_after_a_reset(desk: Desk, recorded: Recorded) -> None:
    await desk.trip("a test", "ann")
    await breaker.trip_for_loss(desk.database, MONDAY, "lost 6 %")
    await desk.reset("seen, and the loss too", "ann")

    await breaker.trip_for_loss(desk.database, MONDAY, "lost 7 %")

    assert recorded(circuit_breaker_state) == 0
    assert recorded(circuit_breaker_trips_total, reason="daily_loss") == 0
