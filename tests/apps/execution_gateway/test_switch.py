"""The kill switch: what people asked for keeps its order, and nothing that fails ends a trip or resumes the venue."""

from __future__ import annotations

import asyncio
import time

import pytest

from apps.catalogue import circuit_breaker_state
from apps.execution_gateway import desk as desks
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.errors import Busy, NotStoredYet, Rejected
from apps.execution_gateway.models import Order
from apps.vocabulary import BreakerState, DeskDuty, OrderStatus, Rejection
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    account_locked,
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


class Elsewhere(Venue):
    """Is halted and resumed without PostgreSQL, as a real venue is, and notes it."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.told: list[str] = []

    async def halt(self) -> int:
        self.told.append("halt")
        return 0

    async def resume(self) -> int:
        self.told.append("resume")
        return 0


# --- a reset


@pytest.mark.usefixtures("impatient")
async def test_a_reset_that_cannot_be_stored_ends_no_trip(desk: TestDesk, recorded: Recorded) -> None:
    venue = put_between(desk, Elsewhere)
    set_away(desk, True)
    report = await desk.switch.trip("fat finger", "ann")
    assert (report.stored, report.venue_halted) == (False, True)

    with pytest.raises(Busy):
        await desk.switch.reset("it was none", "bob")
    await desk.duties[DeskDuty.HALT].attempt(desk.switch.halt)

    assert desk.switch.halting
    assert set(venue.told) == {"halt"}
    assert recorded(circuit_breaker_state) == 1
    await until(lambda: desk.switch.unread, "the outage is noticed")
    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason in (Rejection.BREAKER_TRIPPED, Rejection.BREAKER_UNKNOWN)
    set_away(desk, False)
    await until(lambda: desk.writer.opened.tripped, "the trip is stored")
    await settled(desk)
    assert await changes(desk) == [("TRIPPED", "fat finger", "ann")]
    assert set(venue.told) == {"halt"}


@pytest.mark.usefixtures("impatient")
async def test_a_reset_that_cannot_be_stored_leaves_a_stored_trip_and_its_halt_as_they_are(
    desk: TestDesk, recorded: Recorded
) -> None:
    venue = put_between(desk, Elsewhere)
    await desk.switch.trip("fat finger", "ann")
    await settled(desk)
    set_away(desk, True)

    with pytest.raises(NotStoredYet):
        await desk.switch.reset("it was none", "bob")
    await desk.switch.halt()

    assert desk.writer.opened.tripped
    assert set(venue.told) == {"halt"}
    assert recorded(circuit_breaker_state) == 1


async def test_a_trip_behind_a_reset_that_waits_is_stored_after_it_and_reports_itself(
    desk: TestDesk, database_url: str
) -> None:
    await desk.switch.trip("the first", "ann")
    await settled(desk)
    async with account_locked(database_url):
        placing = asyncio.create_task(desk.orders.place(order()))
        await until(lambda: desk.writer.in_doubt, "a batch waits for the lock")
        resetting = asyncio.create_task(desk.switch.reset("a mistake", "bob"))
        await until(lambda: desk.writer.waiting == 1, "the reset waits")
        tripping = asyncio.create_task(desk.switch.trip("the second", "cid"))
        await until(lambda: desk.writer.waiting == 2, "the trip waits behind it")
        assert not tripping.done()

    report = await tripping
    assert (await resetting).state is BreakerState.OPEN
    with pytest.raises(Rejected):
        await placing
    await settled(desk)
    assert (report.stored, report.venue_halted) == (True, True)
    assert (report.breaker.state, report.breaker.reason, report.breaker.by) == (
        BreakerState.TRIPPED,
        "the second",
        "cid",
    )
    assert await changes(desk) == [
        ("TRIPPED", "the first", "ann"),
        ("OPEN", "a mistake", "bob"),
        ("TRIPPED", "the second", "cid"),
    ]
    assert await is_halted(desk)


@pytest.mark.usefixtures("impatient")
async def test_a_trip_reports_that_it_is_not_stored_while_only_an_earlier_one_is(
    desk: TestDesk, database_url: str
) -> None:
    await desk.switch.trip("the first", "ann")
    await settled(desk)
    async with account_locked(database_url):
        placing = asyncio.create_task(desk.orders.place(order()))
        await until(lambda: desk.writer.in_doubt, "a batch waits for the lock")
        report = await desk.switch.trip("the second", "cid")

    assert not report.stored
    assert (report.breaker.reason, report.breaker.by) == ("the second", "cid")
    await asyncio.gather(placing, return_exceptions=True)
    await settled(desk)
    assert await changes(desk) == [("TRIPPED", "the first", "ann")]


# --- a venue that is slow, or that cannot be halted


class Slow(Venue):
    """Takes as many orders as the test allows."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.allowed = asyncio.Semaphore(3)
        self.begun = self.taken = 0
        self.taken_at_the_halt: int | None = None

    async def submit(self, order: Order) -> None:
        self.begun += 1
        await self.allowed.acquire()
        await super().submit(order)
        self.taken += 1

    async def halt(self) -> int:
        seq = await super().halt()
        self.taken_at_the_halt = self.taken
        return seq


async def test_a_trip_waits_for_one_order_that_is_being_sent_and_the_others_are_not_sent(desk: TestDesk) -> None:
    venue = put_between(desk, Slow)
    placing = [asyncio.create_task(desk.orders.place(order("XOM"))) for _ in range(50)]
    await until(lambda: venue.begun == 4, "three are taken, and one is being sent")

    report = await desk.switch.trip("fat finger", "ann")
    venue.allowed.release()
    outcomes = await asyncio.gather(*placing, return_exceptions=True)
    await settled(desk)

    assert (report.stored, report.venue_halted) == (True, True)
    assert venue.taken_at_the_halt == venue.taken == 3  # the venue was halted before it took the one
    assert venue.begun == 4
    refused = [one.reason for one in outcomes if isinstance(one, Rejected)]
    assert (refused.count(Rejection.BREAKER_TRIPPED), refused.count(Rejection.VENUE_REJECTED)) == (46, 1)
    assert await shares(desk) == await desk.broker.shares() == {"XOM": 30}


@pytest.mark.usefixtures("impatient")
async def test_while_a_trip_cannot_be_stored_no_further_order_that_adds_risk_is_sent(
    desk: TestDesk, database_url: str
) -> None:
    venue = put_between(desk, Slow)
    placing = [asyncio.create_task(desk.orders.place(order("XOM"))) for _ in range(50)]
    await until(lambda: venue.begun == 4, "three are taken, and one is being sent")

    async with account_locked(database_url):
        report = await desk.switch.trip("fat finger", "ann")
        assert (report.stored, report.venue_halted) == (False, True)
        released = time.monotonic()
        venue.allowed.release()
        sending = desk.duties[DeskDuty.SEND]
        await until(lambda: sending.age < time.monotonic() - released, "a round of sending has ended since")
        assert venue.begun == 4
    await asyncio.gather(*placing, return_exceptions=True)
    await settled(desk)

    assert venue.begun == 4
    assert desk.writer.opened.tripped
    assert desk.writer.opened.orders == {}
    assert await shares(desk) == await desk.broker.shares() == {"XOM": 10 * venue.taken}


class NeverHalted(Venue):
    """Does not answer when it is to be halted."""

    async def halt(self) -> int:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.usefixtures("impatient")
async def test_a_halt_that_hangs_holds_up_neither_cancellations_nor_the_next_date(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(desks._SECONDS, DeskDuty.HALT, 0.5)
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        resting, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
        put_between(desk, NeverHalted)

        report = await desk.switch.trip("a test", "me")
        await until(lambda: not desk.writer.opened.orders, "the order is cancelled")
        desk.session.date = TUESDAY
        await desk.see(market(PRICES, date=TUESDAY))
        await until(lambda: desk.writer.opened.trading_date == TUESDAY, "the date begins")
        await until(lambda: desk.failing == [DeskDuty.HALT], "the duty of halting is named")

        assert (report.stored, report.venue_halted) == (True, False)
        assert (await stored(desk, resting)).status is OrderStatus.CANCELLED
        assert not await is_halted(desk)
        take_away(desk)
        await settled(desk)
        assert await is_halted(desk)
        assert desk.failing == []


class NeverBeginning(Venue):
    """Takes no new date."""

    async def begin_day(self, trading_date: object) -> None:
        raise RuntimeError("the venue takes no new date")


async def test_a_date_that_cannot_begin_does_not_keep_the_trip_for_its_loss_from_being_stored(desk: TestDesk) -> None:
    await desk.orders.place(order(qty=1900))
    put_between(desk, NeverBeginning)
    desk.session.date = TUESDAY

    await desk.see(market({**PRICES, "AAPL": 50}, date=TUESDAY, previous=PRICES))
    await until(lambda: desk.writer.opened.tripped and desk.writer.opened.halt.confirmed, "the loss halts the venue")
    await until(lambda: DeskDuty.SEND in desk.failing, "the duty of sending is named")

    assert await changes(desk) == [
        ("TRIPPED", "lost 9.50% on 2020-03-10, the limit is 5.00%", "daily loss limit"),
    ]
    assert await is_halted(desk)
    take_away(desk)
    await settled(desk)
    assert desk.writer.opened.trading_date == TUESDAY
    assert len(await changes(desk)) == 1
