"""Open orders are cancelled for a client, at the close, on a new date, or when the breaker is tripped."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest

from apps.catalogue import open_orders, order_cancellations_total
from apps.execution_gateway import commands
from apps.execution_gateway.broker import VenueRejected
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import Busy, NotOpen, OutcomeUnknown, UnknownOrder
from apps.execution_gateway.models import Order
from apps.labels import CancellationLabels, SideLabels
from apps.vocabulary import Cancellation, DeskDuty, OrderStatus, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    do,
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


async def place(desk: Desk, symbol: str, side: str, qty: int, limit: str | None = None) -> Order:
    more = {} if limit is None else {"order_type": "limit", "limit_price": limit}
    placed, _ = await desk.orders.place(order(symbol, side, qty, **more))
    return placed


async def test_a_client_cancels_a_resting_order(desk: TestDesk, recorded: Recorded) -> None:
    resting = await place(desk, "AAPL", "buy", 10, "95")

    cancelled = await desk.orders.cancel(resting.id, Cancellation.CLIENT)
    await see(desk, market({**PRICES, "AAPL": 90}))

    assert (cancelled.status, cancelled.reason, cancelled.filled_qty) == (OrderStatus.CANCELLED, "client", 0)
    assert await stored(desk, resting) == cancelled
    assert await shares(desk) == {}
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.CLIENT)
        )
        == 1
    )


async def test_shares_that_were_filled_before_a_cancellation_stay_filled(database_url: str) -> None:
    async with opened(database_url, max_shares_per_tick=4) as desk:
        await see(desk, market(PRICES))
        resting = await place(desk, "AAPL", "buy", 10)
        await desk.broker.see(market(PRICES))  # the venue fills another part, which we have not booked yet

        cancelled = await desk.orders.cancel(resting.id, Cancellation.CLIENT)

        assert (cancelled.status, cancelled.filled_qty) == (OrderStatus.CANCELLED, 8)
        assert await shares(desk) == {"AAPL": 8}


async def test_an_order_that_has_ended_cannot_be_cancelled(desk: TestDesk, recorded: Recorded) -> None:
    filled = await place(desk, "AAPL", "buy", 10)
    resting = await place(desk, "AAPL", "buy", 10, "95")
    await desk.orders.cancel(resting.id, Cancellation.CLIENT)

    with pytest.raises(NotOpen, match="the order is filled"):
        await desk.orders.cancel(filled.id, Cancellation.CLIENT)
    with pytest.raises(NotOpen, match="the order is cancelled"):
        await desk.orders.cancel(resting.id, Cancellation.CLIENT)
    with pytest.raises(UnknownOrder, match="no order has the id"):
        await desk.orders.cancel(uuid4(), Cancellation.CLIENT)
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.CLIENT)
        )
        == 1
    )


async def test_several_cancellations_at_the_same_time_are_one_and_count_once(
    desk: TestDesk, recorded: Recorded
) -> None:
    resting = await place(desk, "AAPL", "buy", 10, "95")

    answers = await asyncio.gather(*(desk.orders.cancel(resting.id, Cancellation.CLIENT) for _ in range(3)))

    assert [answer.status for answer in answers] == [OrderStatus.CANCELLED] * 3
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.CLIENT)
        )
        == 1
    )


async def test_a_cancellation_is_answered_also_by_the_commit_that_ends_the_order(desk: TestDesk) -> None:
    resting = await place(desk, "AAPL", "buy", 10, "95")

    answer, _ = await asyncio.gather(
        desk.orders.cancel(resting.id, Cancellation.CLIENT),
        do(desk, partial(commands.end, order_id=resting.id, taken=True)),  # waits behind it, in one batch
    )

    assert answer.status is OrderStatus.CANCELLED


async def test_a_cancellation_whose_answer_was_lost_is_asked_for_again(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LosingTheAnswer(Venue):
        async def cancel(self, order_id: UUID) -> bool:
            await self.real.cancel(order_id)
            raise TimeoutError

    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)
    resting = await place(desk, "AAPL", "buy", 10, "95")
    put_between(desk, LosingTheAnswer)

    with pytest.raises(OutcomeUnknown) as unknown:
        await desk.orders.cancel(resting.id, Cancellation.CLIENT)
    assert unknown.value.order_id == resting.id
    assert (await stored(desk, resting)).status is OrderStatus.ACCEPTED
    take_away(desk)
    await settled(desk)

    assert (await stored(desk, resting)).status is OrderStatus.CANCELLED
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.CLIENT)
        )
        == 1
    )


async def test_without_postgresql_a_cancellation_is_not_taken_or_its_outcome_is_unknown(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)
    resting = await place(desk, "AAPL", "buy", 10, "95")
    set_away(desk, True)

    with pytest.raises((Busy, OutcomeUnknown)) as first:
        await desk.orders.cancel(resting.id, Cancellation.CLIENT)
    with pytest.raises((Busy, OutcomeUnknown)) as second:
        await desk.orders.cancel(resting.id, Cancellation.CLIENT)
    set_away(desk, False)
    await settled(desk)

    taken = OutcomeUnknown in {first.type, second.type}
    assert (await stored(desk, resting)).status is (OrderStatus.CANCELLED if taken else OrderStatus.ACCEPTED)


async def test_an_order_that_arrives_after_its_cancellation_is_never_filled(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Delaying(Venue):
        async def submit(self, order: Order) -> None:
            raise TimeoutError

    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.2)
    put_between(desk, Delaying)
    with pytest.raises(OutcomeUnknown) as unknown:
        await place(desk, "AAPL", "buy", 10, "95")
    late = desk.writer.opened.orders[unknown.value.order_id]
    monkeypatch.undo()
    cancelled = await desk.orders.cancel(late.id, Cancellation.CLIENT)
    take_away(desk)

    with pytest.raises(VenueRejected, match="cancelled before it arrived"):
        await desk.broker.submit(late)
    await see(desk, market({**PRICES, "AAPL": 60}))

    assert cancelled.status is (await stored(desk, late)).status is OrderStatus.CANCELLED
    assert await desk.broker.executions_after(0) == []
    assert await shares(desk) == await desk.broker.shares() == {}


async def test_the_close_of_the_session_cancels_every_resting_order(desk: TestDesk, recorded: Recorded) -> None:
    await place(desk, "AAPL", "buy", 10)
    buy, sell = await place(desk, "MSFT", "buy", 10, "195"), await place(desk, "AAPL", "sell", 10, "105")
    assert [recorded(open_orders, SideLabels(side=side)) for side in Side] == [1, 1]

    await see(desk, market(PRICES, is_open=False))
    await see(desk, market(PRICES, is_open=False))

    assert [(await stored(desk, o)).status for o in (buy, sell)] == [OrderStatus.CANCELLED] * 2
    assert (
        recorded(
            order_cancellations_total,
            CancellationLabels(symbol="MSFT", side=Side.BUY, reason=Cancellation.SESSION_CLOSED),
        )
        == 1
    )
    assert (
        recorded(
            order_cancellations_total,
            CancellationLabels(symbol="AAPL", side=Side.SELL, reason=Cancellation.SESSION_CLOSED),
        )
        == 1
    )
    assert [recorded(open_orders, SideLabels(side=side)) for side in Side] == [0, 0]


async def assert_never_filled(desk: TestDesk, resting: Order, recorded: Recorded) -> None:
    kept = await stored(desk, resting)
    assert (kept.status, kept.reason, kept.filled_qty) == (OrderStatus.CANCELLED, "session_closed", 0)
    assert await desk.broker.executions_after(0) == []
    assert await shares(desk) == await desk.broker.shares() == {}
    assert (
        recorded(
            order_cancellations_total,
            CancellationLabels(symbol="AAPL", side=Side.BUY, reason=Cancellation.SESSION_CLOSED),
        )
        == 1
    )


@pytest.mark.parametrize("back", ["before the open", "after the first quote"])
async def test_an_order_of_yesterday_never_fills_when_postgresql_was_away_over_the_close(
    desk: TestDesk, recorded: Recorded, back: str
) -> None:
    resting = await place(desk, "AAPL", "buy", 1900, "95")
    set_away(desk, True)
    await desk.see(market(PRICES, is_open=False))
    if back == "before the open":
        set_away(desk, False)
    desk.session.date = TUESDAY
    await desk.see(market({**PRICES, "AAPL": 60}, date=TUESDAY))
    set_away(desk, False)
    await settled(desk)
    await see(desk, market({**PRICES, "AAPL": 60}, date=TUESDAY))

    await assert_never_filled(desk, resting, recorded)


async def test_an_order_of_yesterday_never_fills_when_the_desk_was_down_at_the_close(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        resting = await place(desk, "AAPL", "buy", 1900, "95")

    async with opened(database_url) as desk:
        await see(desk, market({**PRICES, "AAPL": 60}, date=TUESDAY))
        await see(desk, market({**PRICES, "AAPL": 60}, date=TUESDAY))

        await assert_never_filled(desk, resting, recorded)


async def test_the_close_cancels_also_while_the_breaker_cannot_be_read(desk: TestDesk, recorded: Recorded) -> None:
    resting = await place(desk, "AAPL", "buy", 1900, "95")
    async with desk.database.connection() as connection:
        await connection.execute("ALTER TABLE gateway.breaker_changes RENAME TO elsewhere")
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

    await see(desk, market(PRICES, is_open=False))
    await see(desk, market({**PRICES, "AAPL": 60}, date=TUESDAY))

    await assert_never_filled(desk, resting, recorded)


async def test_a_trip_cancels_orders_that_add_risk_and_keeps_orders_that_reduce_it(
    desk: TestDesk, recorded: Recorded
) -> None:
    await place(desk, "AAPL", "buy", 10)
    adding = await place(desk, "MSFT", "buy", 10, "195")
    more = await place(desk, "AAPL", "buy", 1, "95")
    reducing = await place(desk, "AAPL", "sell", 10, "105")

    await desk.switch.trip("a test", "me")
    await settled(desk)

    assert [(await stored(desk, o)).status for o in (adding, more, reducing)] == [
        OrderStatus.CANCELLED,
        OrderStatus.CANCELLED,
        OrderStatus.ACCEPTED,
    ]
    assert (
        recorded(
            order_cancellations_total, CancellationLabels(symbol="MSFT", side=Side.BUY, reason=Cancellation.BREAKER)
        )
        == 1
    )
    await see(desk, market({**PRICES, "AAPL": 106}))
    assert await shares(desk) == {}


async def test_a_trip_cancels_an_order_that_would_cross_zero_after_the_orders_that_stay(database_url: str) -> None:
    async with opened(database_url, allow_short=True) as desk:
        await see(desk, market(PRICES))
        await place(desk, "AAPL", "buy", 100)
        first = await place(desk, "AAPL", "sell", 80, "105")
        second = await place(desk, "AAPL", "sell", 80, "106")
        third = await place(desk, "AAPL", "sell", 20, "107")

        await desk.switch.trip("a test", "me")
        await settled(desk)
        await see(desk, market({**PRICES, "AAPL": 108}))

        assert [(await stored(desk, o)).status for o in (first, second, third)] == [
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
        ]
        assert await shares(desk) == {}
