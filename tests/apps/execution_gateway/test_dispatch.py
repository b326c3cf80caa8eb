"""The desk's side of the venue: what hangs there is ended, what it loses is repeated, and a sell need not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from apps.catalogue import duty_failures_total
from apps.execution_gateway import desk as desks
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.dispatch import SENT_AT_ONCE
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.labels import DutyLabels
from apps.market import MarketState
from apps.vocabulary import DeskDuty, OrderStatus, Rejection
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    account_locked,
    is_halted,
    opened,
    order,
    put_between,
    see,
    settled,
    shares,
    stored,
    take_away,
)
from tests.apps.markets import market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


class Hanging(Venue):
    """Answers neither an order nor the question for its executions."""

    async def submit(self, order: Order) -> None:
        await asyncio.Event().wait()

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_venue_that_hangs_holds_up_sending_for_its_time_only_and_no_trip(
    database_url: str, monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    monkeypatch.setitem(desks._SECONDS, DeskDuty.SEND, 1.0)
    monkeypatch.setitem(desks._SECONDS, DeskDuty.FETCH, 1.0)
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        put_between(desk, Hanging)
        placing = asyncio.create_task(desk.orders.place(order()))
        await until(lambda: desk.writer.opened.orders, "it is stored")
        (stuck,) = desk.writer.opened.orders.values()
        report = await desk.switch.trip("the venue hangs", "ann")

        assert (report.stored, report.venue_halted) == (True, True)
        assert await is_halted(desk)
        await until(lambda: desk.failing == [DeskDuty.SEND, DeskDuty.FETCH], "both duties are ended and named")
        assert isinstance(desk.duties[DeskDuty.SEND].error, TimeoutError)
        assert (recorded(duty_failures_total, DutyLabels(duty=DeskDuty.SEND)) or 0) >= 1
        take_away(desk)
        await until(lambda: desk.failing == [], "both work again")
        await settled(desk)
        await asyncio.gather(placing, return_exceptions=True)  # it may have waited too long to be told
        ended = await stored(desk, stuck)
        assert (ended.status, ended.reason) == (OrderStatus.REJECTED, Rejection.BREAKER_TRIPPED)
        await desk.switch.reset("it works again", "ann")
        await settled(desk)
        assert (await desk.orders.place(order()))[0].status is OrderStatus.FILLED
        assert await shares(desk) == await desk.broker.shares() == {"AAPL": 10}


class CancellingItself(Venue):
    """Each call ends as if its task were cancelled, as some libraries do when they close a connection."""

    async def submit(self, order: Order) -> None:
        raise asyncio.CancelledError

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        raise asyncio.CancelledError

    async def see(self, market: MarketState) -> bool:
        raise asyncio.CancelledError

    async def halt(self) -> int:
        raise asyncio.CancelledError


async def test_a_venue_whose_calls_cancel_themselves_fails_duties_and_ends_none(
    desk: TestDesk, recorded: Recorded
) -> None:
    concerned = [DeskDuty.HALT, DeskDuty.SEND, DeskDuty.FETCH, DeskDuty.TICK_VENUE]
    before = {duty: recorded(duty_failures_total, DutyLabels(duty=duty)) or 0 for duty in concerned}
    put_between(desk, CancellingItself)

    placing = asyncio.create_task(desk.orders.place(order()))
    await until(lambda: DeskDuty.SEND in desk.failing, "sending fails")
    await desk.see(market(PRICES))
    tripping = asyncio.create_task(desk.switch.trip("a test", "ann"))
    await until(lambda: desk.failing == concerned, "all of them fail")
    for duty in concerned:
        assert (recorded(duty_failures_total, DutyLabels(duty=duty)) or 0) > before[duty]
        assert "cancelled from within" in str(desk.duties[duty].error)
    take_away(desk)

    report = await tripping
    assert (report.stored, report.venue_halted) == (True, True)
    with pytest.raises(Rejected):
        await placing
    await until(lambda: desk.failing == [], "all of them work again")
    await settled(desk)
    assert await is_halted(desk)


class Asked(Venue):
    """Notes after which number executions are asked for, and how many it tells."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.told: list[tuple[int, int]] = []

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        executions = await super().executions_after(seq, limit)
        self.told.append((seq, len(executions)))
        return executions


async def test_while_executions_are_booked_the_next_ones_are_fetched_and_no_others(
    desk: TestDesk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        await desk.orders.place(order(order_type="limit", limit_price="95"))
    monkeypatch.setattr("apps.execution_gateway.dispatch.BOOKED_AT_ONCE", 2)
    venue = put_between(desk, Asked)

    async with account_locked(database_url):
        await desk.see(market({**PRICES, "AAPL": 90}))
        await until(lambda: venue.told == [(0, 2), (2, 2)], "two parts are fetched")
        for _ in range(3):
            await desk.duties[DeskDuty.FETCH].attempt(desk.dispatch.fetch)
        assert venue.told == [(0, 2), (2, 2)]
    await until(lambda: not desk.writer.opened.orders, "every order is filled")
    await settled(desk)

    assert [told for told in venue.told if told[1]] == [(0, 2), (2, 2), (4, 2), (6, 1)]
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": 70}


class SlowlyCancelling(Venue):
    """Cancels as many orders as the test allows."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.allowed = asyncio.Semaphore(0)
        self.cancelled = 0

    def allow(self, orders: int) -> None:
        for _ in range(orders):
            self.allowed.release()

    async def cancel(self, order_id: UUID) -> bool:
        await self.allowed.acquire()
        self.cancelled += 1
        return await super().cancel(order_id)


async def test_after_a_trip_a_sell_that_reduces_does_not_wait_for_all_cancellations(desk: TestDesk) -> None:
    await desk.orders.place(order(qty=100))
    resting = [order("XOM", qty=1, order_type="limit", limit_price="48") for _ in range(200)]
    await asyncio.gather(*(desk.orders.place(one) for one in resting))
    venue = put_between(desk, SlowlyCancelling)
    await desk.see(market(PRICES))

    report = await desk.switch.trip("a test", "ann")
    selling = asyncio.create_task(desk.orders.place(order(side="sell", qty=100)))
    await until(lambda: any(o.symbol == "AAPL" for o in desk.writer.opened.orders.values()), "the sell is stored")
    venue.allow(SENT_AT_ONCE)
    sold, _ = await selling

    assert (report.stored, report.venue_halted) == (True, True)
    assert sold.status is OrderStatus.FILLED
    assert venue.cancelled == SENT_AT_ONCE
    venue.allow(200)
    await until(lambda: not desk.writer.opened.orders, "all are cancelled", seconds=20)
    assert await shares(desk) == await desk.broker.shares() == {}
