"""The circuit breaker: each change is a row, only a person resets it, and a trip stops what adds risk at the venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from apps import paper_venue
from apps.catalogue import (
    circuit_breaker_resets_total,
    circuit_breaker_state,
    circuit_breaker_trips_total,
    daily_loss_ratio,
    order_cancellations_total,
    risk_added_while_tripped_total,
)
from apps.database import Connection, Database
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.labels import CancellationLabels, TripLabels
from apps.vocabulary import BreakerState, Cancellation, DeskDuty, OrderStatus, Rejection, Side, TripReason
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    changes,
    is_halted,
    opened,
    order,
    put_between,
    see,
    set_away,
    settled,
    shares,
    stored,
    take_away,
)
from tests.apps.markets import TUESDAY, market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


async def make_unreadable(desk: Desk, to: str = "elsewhere", name: str = "breaker_changes") -> None:
    async with desk.database.connection() as connection:
        await connection.execute(f"ALTER TABLE gateway.{name} RENAME TO {to}")


async def test_it_is_open_before_its_first_change(desk: TestDesk, recorded: Recorded) -> None:
    await desk.switch.read()

    assert recorded(circuit_breaker_state) == 0
    assert await changes(desk) == []
    assert not await is_halted(desk)


async def test_a_change_is_stored_counted_in_the_gauge_and_at_the_venue(desk: TestDesk, recorded: Recorded) -> None:
    report = await desk.switch.trip("fat finger", "ann")
    tripped = report.breaker
    assert (report.stored, report.venue_halted) == (True, True)
    assert (tripped.state, tripped.reason, tripped.by) == (BreakerState.TRIPPED, "fat finger", "ann")
    assert tripped.at is not None
    assert recorded(circuit_breaker_state) == 1
    assert await is_halted(desk)

    reset = await desk.switch.reset("checked", "bob")
    assert (reset.state, reset.reason, reset.by) == (BreakerState.OPEN, "checked", "bob")
    assert recorded(circuit_breaker_state) == 0
    await settled(desk)
    assert not await is_halted(desk)

    assert await changes(desk) == [("TRIPPED", "fat finger", "ann"), ("OPEN", "checked", "bob")]
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.MANUAL)) == 1
    assert recorded(circuit_breaker_resets_total) == 1


async def test_the_same_change_again_changes_nothing(desk: TestDesk, recorded: Recorded) -> None:
    await desk.switch.reset("nothing to reset", "bob")
    await desk.switch.trip("first", "ann")
    again = (await desk.switch.trip("second", "bob")).breaker

    assert (again.reason, again.by) == ("first", "ann")
    assert await changes(desk) == [("TRIPPED", "first", "ann")]
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.MANUAL)) == 1
    assert recorded(circuit_breaker_resets_total) == 0


async def test_several_trips_at_the_same_time_count_once(desk: TestDesk, recorded: Recorded) -> None:
    reports = await asyncio.gather(*(desk.switch.trip("a test", f"person {number}") for number in range(5)))

    assert [(report.stored, report.venue_halted) for report in reports] == [(True, True)] * 5
    assert len({report.breaker.by for report in reports}) == 1
    assert len(await changes(desk)) == 1
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.MANUAL)) == 1


async def test_a_reset_that_comes_right_after_a_trip_stays_behind_it(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.5)

    await asyncio.gather(desk.switch.trip("fat finger", "ann"), desk.switch.reset("it was none", "ann"))
    await settled(desk)

    assert await changes(desk) == [("TRIPPED", "fat finger", "ann"), ("OPEN", "it was none", "ann")]
    assert recorded(circuit_breaker_state) == 0
    assert not await is_halted(desk)


async def test_it_survives_a_restart(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url) as desk:
        await desk.switch.trip("a test", "me")
    circuit_breaker_state.remove()

    async with opened(database_url) as desk:
        await see(desk, market(PRICES))

        assert recorded(circuit_breaker_state) == 1
        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order())
        assert refusal.value.reason is Rejection.BREAKER_TRIPPED


async def test_a_change_that_another_process_made_is_followed_in_the_gauge_and_at_the_venue(
    desk: TestDesk, recorded: Recorded
) -> None:
    async with desk.database.connection() as connection:
        await connection.execute(
            "INSERT INTO gateway.breaker_changes (state, reason, by) VALUES ('TRIPPED', 'by hand', 'dba')"
        )

    await until(lambda: recorded(circuit_breaker_state) == 1, "the gauge follows")
    await settled(desk)

    assert await is_halted(desk)
    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_TRIPPED


async def test_a_loss_trips_it_once_per_trading_date(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, daily_loss_limit="0.01") as desk:
        await see(desk, market({"AAPL": 100}))
        await desk.orders.place(order(qty=1000))

        await see(desk, market({"AAPL": 80}))
        assert recorded(circuit_breaker_state) == 1
        assert await is_halted(desk)
        await desk.switch.reset("seen", "ann")
        await see(desk, market({"AAPL": 70}))
        assert recorded(circuit_breaker_state) == 0
        assert not await is_halted(desk)

        await see(desk, market({"AAPL": 70}, date=TUESDAY))
        assert recorded(circuit_breaker_state) == 0
        await see(desk, market({"AAPL": 50}, date=TUESDAY, previous={"AAPL": 70}))
        assert recorded(circuit_breaker_state) == 1

        assert await changes(desk) == [
            ("TRIPPED", "lost 2.00% on 2020-03-09, the limit is 1.00%", "daily loss limit"),
            ("OPEN", "seen", "ann"),
            ("TRIPPED", "lost 2.06% on 2020-03-10, the limit is 1.00%", "daily loss limit"),
        ]
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == 2


async def test_a_loss_while_it_was_tripped_does_not_trip_it_after_a_reset(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url, daily_loss_limit="0.01") as desk:
        await see(desk, market({"AAPL": 100}))
        await desk.orders.place(order(qty=1000))
        await desk.switch.trip("a test", "ann")
        await see(desk, market({"AAPL": 80}))
        await desk.switch.reset("seen, and the loss too", "ann")

        await see(desk, market({"AAPL": 79}))

        assert recorded(circuit_breaker_state) == 0
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == 0


class NeverCancelling(Venue):
    """Does not answer when an order is to be cancelled."""

    async def cancel(self, order_id: UUID) -> bool:
        raise TimeoutError


async def test_after_a_trip_no_resting_order_adds_risk_though_none_is_cancelled_yet(
    desk: TestDesk, recorded: Recorded
) -> None:
    placed = await asyncio.gather(
        *(desk.orders.place(order(qty=10, order_type="limit", limit_price="95")) for _ in range(200))
    )
    put_between(desk, NeverCancelling)

    report = await desk.switch.trip("a test", "me")
    await desk.see(market({**PRICES, "AAPL": 90}))
    await desk.dispatch.tick()

    assert (report.stored, report.venue_halted) == (True, True)
    assert await desk.broker.executions_after(0) == []
    take_away(desk)
    await until(lambda: not desk.writer.opened.orders, "all are cancelled", seconds=20)
    assert {(await stored(desk, one)).status for one, _ in placed} == {OrderStatus.CANCELLED}
    assert await desk.broker.executions_after(0) == []
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.BREAKER)
        )
        == 200
    )
    assert recorded(risk_added_while_tripped_total) == 0


async def test_a_trip_stops_an_order_that_is_stored_but_not_sent_yet(desk: TestDesk, recorded: Recorded) -> None:
    class Stuck(Venue):
        async def submit(self, order: object) -> None:
            raise TimeoutError

    put_between(desk, Stuck)
    placing = asyncio.create_task(desk.orders.place(order()))
    await until(lambda: desk.writer.opened.orders, "it is stored")
    await desk.switch.trip("a test", "me")
    take_away(desk)

    with pytest.raises(Rejected) as refusal:
        await placing
    assert refusal.value.reason is Rejection.BREAKER_TRIPPED
    await see(desk, market(PRICES))
    assert await shares(desk) == await desk.broker.shares() == {}
    assert recorded(risk_added_while_tripped_total) == 0


@pytest.mark.usefixtures("impatient")
async def test_a_trip_that_cannot_be_stored_halts_the_venue_and_is_stored_as_soon_as_that_is_possible(
    desk: TestDesk, recorded: Recorded
) -> None:
    await desk.orders.place(order("XOM"))
    await make_unreadable(desk)

    report = await desk.switch.trip("fat finger", "ann")

    assert (report.stored, report.venue_halted) == (False, True)
    assert await is_halted(desk)
    assert recorded(circuit_breaker_state) == 1
    with pytest.raises(Rejected):
        await desk.orders.place(order())
    await make_unreadable(desk, "breaker_changes", "elsewhere")
    await until(lambda: desk.writer.opened.tripped, "the trip is stored")
    await settled(desk)
    assert await changes(desk) == [("TRIPPED", "fat finger", "ann")]
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.MANUAL)) == 1
    assert await shares(desk) == {"XOM": 10}


async def test_while_the_breaker_cannot_be_read_its_gauge_goes_and_the_other_duties_go_on(
    desk: TestDesk, recorded: Recorded
) -> None:
    resting, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
    held, _ = await desk.orders.place(order(qty=100))
    await make_unreadable(desk)
    await until(lambda: recorded(circuit_breaker_state) is None, "the gauge goes")

    await see(desk, market({**PRICES, "AAPL": 94}))
    assert (await stored(desk, resting)).status is OrderStatus.FILLED
    assert recorded(daily_loss_ratio) == pytest.approx(0.00061)
    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    assert desk.failing == [DeskDuty.READ_BREAKER]

    await make_unreadable(desk, "breaker_changes", "elsewhere")
    await until(lambda: recorded(circuit_breaker_state) == 0, "the gauge is back")
    await desk.orders.place(order())
    assert held.status is OrderStatus.FILLED


@pytest.mark.usefixtures("impatient")
async def test_a_trip_while_postgresql_is_away_is_stored_when_it_is_back(desk: TestDesk, recorded: Recorded) -> None:
    set_away(desk, True)
    report = await desk.switch.trip("fat finger", "ann")

    assert (report.stored, report.venue_halted) == (False, False)
    assert recorded(circuit_breaker_state) == 1
    set_away(desk, False)
    await until(lambda: desk.writer.opened.tripped, "the trip is stored")
    await settled(desk)
    assert await changes(desk) == [("TRIPPED", "fat finger", "ann")]
    assert await is_halted(desk)


class OnlyReading(Database):
    """A PostgreSQL that can be made read-only, like one that has become a standby."""

    read_only = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            await connection.execute(f"SET default_transaction_read_only = {self.read_only}")
            yield connection


@pytest.mark.usefixtures("impatient")
async def test_with_a_postgresql_that_only_reads_a_trip_is_asked_for_until_it_is_stored(
    database_url: str, recorded: Recorded
) -> None:
    database = OnlyReading(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    async with opened(database_url, database) as desk:
        await see(desk, market(PRICES))
        database.read_only = True
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await desk.broker.halt()

        report = await desk.switch.trip("fat finger", "ann")

        assert (report.stored, report.venue_halted) == (False, False)
        assert recorded(circuit_breaker_state) == 1
        database.read_only = False
        await until(lambda: desk.writer.opened.tripped, "the trip is stored")
        await settled(desk)
        assert await changes(desk) == [("TRIPPED", "fat finger", "ann")]
        assert await is_halted(desk)


async def test_a_trip_after_a_reset_after_a_trip_is_stored_although_none_could_be_stored_for_a_while(
    desk: TestDesk,
) -> None:
    set_away(desk, True)
    people = [
        asyncio.create_task(change)
        for change in (
            desk.switch.trip("the first", "me"),
            desk.switch.reset("a mistake", "you"),
            desk.switch.trip("the second", "me"),
        )
    ]
    await until(lambda: desk.writer.in_doubt, "they wait for PostgreSQL")
    set_away(desk, False)
    await asyncio.gather(*people)

    await settled(desk)
    assert await changes(desk) == [
        ("TRIPPED", "the first", "me"),
        ("OPEN", "a mistake", "you"),
        ("TRIPPED", "the second", "me"),
    ]
    assert desk.writer.opened.halt.confirmed
