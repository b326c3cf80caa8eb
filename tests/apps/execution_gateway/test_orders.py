"""Every placement ends in exactly one status, which is the same in the answer, the metrics and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from apps.catalogue import (
    fees_dollars_total,
    filled_notional_dollars_total,
    order_fill_duration_seconds,
    order_fills_total,
    order_placement_duration_seconds,
    order_price_improvement_bps,
    order_rejections_total,
    order_slippage_bps,
    orders_total,
)
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import Busy, OutcomeUnknown, Rejected
from apps.execution_gateway.models import Order
from apps.labels import PlacementLabels, RejectionLabels, SideLabels, SymbolSideLabels
from apps.vocabulary import Cancellation, DeskDuty, OrderStatus, PlacementStatus, Rejection, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    do,
    opened,
    order,
    put_between,
    see,
    settled,
    shares,
    stored,
    take_away,
)
from tests.apps.execution_gateway.placements import (
    COUNTED_AS,
    Refusing,
    Waiting,
    all_orders,
    assert_counters_equal_the_rows,
    exactly_one,
)
from tests.apps.markets import TUESDAY, market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


async def test_an_accepted_order_is_stored_filled_and_counted_once(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, new = await desk.orders.place(order(qty=10))

    assert new
    assert (placed.status, placed.filled_qty, placed.arrival_price) == (OrderStatus.FILLED, 10, Decimal(100))
    assert await stored(desk, placed) == placed
    assert await shares(desk) == {"AAPL": 10}
    assert recorded(order_placement_duration_seconds, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    assert recorded(order_fill_duration_seconds, SideLabels(side=Side.BUY)) == 1
    assert recorded(filled_notional_dollars_total, SideLabels(side=Side.BUY)) == 1000


async def test_slippage_and_fees_are_recorded_for_every_part(database_url: str, recorded: Recorded) -> None:
    costs: dict[str, Any] = {"slippage_bps": 10, "fee_per_share": "0.01", "max_shares_per_tick": 100}
    async with opened(database_url, **costs) as desk:
        await see(desk, market({"AAPL": 100}))
        placed, _ = await desk.orders.place(order(qty=150))
        assert (placed.status, placed.filled_qty) == (OrderStatus.PARTLY_FILLED, 100)
        await see(desk, market({"AAPL": "99"}))  # 90.1 basis points better than the quote at arrival

        assert (await stored(desk, placed)).status is OrderStatus.FILLED
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 2
    assert recorded(fees_dollars_total) == pytest.approx(1.5)
    assert recorded(filled_notional_dollars_total, SideLabels(side=Side.BUY)) == pytest.approx(10010 + 50 * 99.099)
    assert recorded(order_slippage_bps, SideLabels(side=Side.BUY)) == 1
    assert recorded(order_price_improvement_bps, SideLabels(side=Side.BUY)) == 1
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)) == 1


async def test_an_order_that_rests_is_accepted(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, _ = await desk.orders.place(order(order_type="limit", limit_price="99"))

    assert (placed.status, placed.filled_qty) == (OrderStatus.ACCEPTED, 0)


async def test_the_parts_of_a_marketable_limit_order_are_filled_at_the_quote_and_not_at_the_limit(
    database_url: str,
) -> None:
    async with opened(database_url, max_shares_per_tick=100) as desk:
        await see(desk, market({"AAPL": 100}))
        placed, _ = await desk.orders.place(order(qty=300, order_type="limit", limit_price="110"))
        for _ in range(2):
            await see(desk, market({"AAPL": 100}))

        assert (await stored(desk, placed)).status is OrderStatus.FILLED
        assert [(e.qty, e.price) for e in await desk.broker.executions_after(0)] == [(100, Decimal(100))] * 3
        assert desk.writer.opened.positions["AAPL"].average_cost == 100


async def test_a_refused_order_is_counted_by_reason_and_stored_and_timed(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.orders.place(order(qty=5000))

    assert refusal.value.reason is Rejection.ORDER_SIZE_LIMIT
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.ORDER_SIZE_LIMIT)) == 1
    assert recorded(order_placement_duration_seconds, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "order_size_limit")


async def test_an_order_that_the_venue_refuses_is_rejected(desk: TestDesk, recorded: Recorded) -> None:
    put_between(desk, Refusing)

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())

    assert (refusal.value.reason, str(refusal.value)) == (Rejection.VENUE_REJECTED, "not today")
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.VENUE_REJECTED)) == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "venue_rejected")


async def test_an_order_that_the_venue_cannot_deal_with_holds_up_no_other(desk: TestDesk) -> None:
    class Choking(Venue):
        async def submit(self, order: Order) -> None:
            if order.symbol == "XOM":
                raise RuntimeError("no idea what XOM is")
            await self.real.submit(order)

    put_between(desk, Choking)
    stuck = asyncio.create_task(desk.orders.place(order("XOM")))
    await until(lambda: desk.writer.opened.orders, "it is stored")

    placed, _ = await desk.orders.place(order())

    assert placed.status is OrderStatus.FILLED
    assert desk.failing == [DeskDuty.SEND]
    take_away(desk)
    assert (await stuck)[0].status is OrderStatus.FILLED


async def test_no_order_is_sent_twice_while_it_is_being_placed(desk: TestDesk, recorded: Recorded) -> None:
    slow = put_between(desk, Waiting)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placing = asyncio.create_task(desk.orders.place(order()))
        await slow.arrived.wait()
        assert [o.status for o in await all_orders(desk)] == [OrderStatus.PENDING]
        slow.go.set()
        placed, _ = await placing
        await settled(desk)

    assert placed.status is OrderStatus.FILLED
    assert await shares(desk) == {"AAPL": 10}


async def test_an_order_goes_on_when_its_client_does_not_wait_for_it(desk: TestDesk, recorded: Recorded) -> None:
    slow = put_between(desk, Waiting)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placing = asyncio.create_task(desk.orders.place(order()))
        await slow.arrived.wait()
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        slow.go.set()
        await settled(desk)

    assert [o.status for o in await all_orders(desk)] == [OrderStatus.FILLED]


async def test_before_the_book_was_read_no_order_is_taken(database_url: str) -> None:
    async with opened(database_url) as desk:
        pass
    unread = Desk(desk.database, desk.broker, desk.settings, desk.session.trading_date)

    with pytest.raises(Busy, match="the book has not been read"):
        await unread.orders.place(order(side="sell", qty=1))


async def test_if_the_breaker_cannot_be_read_only_orders_that_add_risk_are_refused(
    desk: TestDesk, recorded: Recorded
) -> None:
    await desk.orders.place(order(qty=10))
    async with desk.database.connection() as connection:
        await connection.execute("ALTER TABLE gateway.breaker_changes RENAME TO elsewhere")
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    await settled(desk)  # the refusal is stored
    with exactly_one(recorded, PlacementStatus.SUCCESS, side=Side.SELL):
        await desk.orders.place(order(side="sell", qty=10))
    await settled(desk)
    await assert_counters_equal_the_rows(desk, recorded)


async def test_a_tripped_breaker_refuses_orders_that_add_risk_and_passes_orders_that_reduce_it(
    desk: TestDesk, recorded: Recorded
) -> None:
    await desk.orders.place(order(qty=10))
    await desk.switch.trip("a test", "me")

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_TRIPPED
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.BREAKER_TRIPPED)) == 1
    with exactly_one(recorded, PlacementStatus.SUCCESS, side=Side.SELL):
        await desk.orders.place(order(side="sell", qty=10))

    await desk.switch.reset("a test", "me")
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.orders.place(order())


async def test_orders_at_the_same_time_do_not_spend_the_same_cash(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, initial_cash=Decimal(1501)) as desk:
        await see(desk, market({"AAPL": 100}))

        answers = await asyncio.gather(*(desk.orders.place(order(qty=10)) for _ in range(4)), return_exceptions=True)

        assert sorted(type(answer).__name__ for answer in answers) == ["Rejected", "Rejected", "Rejected", "tuple"]
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.INSUFFICIENT_CASH)) == 3


async def test_the_cash_of_a_resting_buy_is_reserved_until_the_order_ends(database_url: str) -> None:
    async with opened(database_url, initial_cash=Decimal(1500)) as desk:
        await see(desk, market({"AAPL": 100}))
        resting, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))

        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order(qty=6))
        assert refusal.value.reason is Rejection.INSUFFICIENT_CASH

        await desk.orders.cancel(resting.id, Cancellation.CLIENT)
        await desk.orders.place(order(qty=6))
        assert await shares(desk) == {"AAPL": 6}


async def test_cash_is_never_negative_when_the_parts_of_a_buy_fill_at_rising_quotes(database_url: str) -> None:
    async with opened(
        database_url, initial_cash=Decimal(101010), max_shares_per_tick=100, fee_per_share="0.005", slippage_bps=1
    ) as desk:
        await see(desk, market({"AAPL": 100}))
        placed, _ = await desk.orders.place(order(qty=999))
        for number in range(1, 16):
            await see(desk, market({"AAPL": 100 + Decimal(number) / 5}))
            assert desk.writer.opened.cash >= 0

        # No part above 101.0101: the quote with slippage, and 1 % on it.
        kept = await stored(desk, placed)
        assert (kept.status, kept.filled_qty) == (OrderStatus.PARTLY_FILLED, 600)
        assert max(e.price for e in await desk.broker.executions_after(0)) <= Decimal("101.0101")
        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order(qty=10))
        assert refusal.value.reason is Rejection.INSUFFICIENT_CASH


async def test_many_orders_at_once_are_each_accepted_or_not_taken(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("waiting.ANSWER_SECONDS", "dispatch.SEND_SECONDS"):
        monkeypatch.setattr(f"apps.execution_gateway.{name}", 60)  # the machine of the tests may be slow
    answers = await asyncio.gather(*(desk.orders.place(order(qty=1)) for _ in range(800)), return_exceptions=True)
    await settled(desk)

    kinds = Counter(type(answer) for answer in answers)
    assert set(kinds) <= {tuple, Busy}
    assert kinds[tuple] >= 100
    assert all(dict(answer.headers) == {"Retry-After": "1"} for answer in answers if isinstance(answer, Busy))
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": kinds[tuple]}
    await assert_counters_equal_the_rows(desk, recorded)


@pytest.mark.usefixtures("impatient")
async def test_no_more_orders_are_taken_than_the_venue_can_be_sent(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = put_between(desk, Waiting)
    monkeypatch.setattr("apps.execution_gateway.orders.QUEUE", 3)
    first = await asyncio.gather(*(desk.orders.place(order(qty=1)) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in first] == [OutcomeUnknown] * 3

    with pytest.raises(Busy, match="3 commands and orders are waiting"):  # nothing waits for PostgreSQL
        await desk.orders.place(order(qty=1))
    slow.go.set()
    await settled(desk)

    await desk.orders.place(order(qty=1))
    assert await shares(desk) == {"AAPL": 4}


async def test_a_command_that_can_never_be_stored_fails_alone(desk: TestDesk, recorded: Recorded) -> None:
    def poison(draft: Draft) -> None:
        (one,) = [o for o in draft.book.orders.values() if o.symbol == "XOM"]
        draft.put_order(one.model_copy(update={"filled_qty": 2**70}))

    resting, _ = await desk.orders.place(order("XOM", order_type="limit", limit_price="48"))
    before, poisoned, after = await asyncio.gather(
        desk.orders.place(order()), do(desk, poison), desk.orders.place(order()), return_exceptions=True
    )
    await settled(desk)

    assert isinstance(poisoned, Exception)
    assert [isinstance(answer, tuple) for answer in (before, after)] == [True, True]
    assert await shares(desk) == {"AAPL": 20}
    assert (await stored(desk, resting)).filled_qty == desk.writer.opened.orders[resting.id].filled_qty == 0
    assert desk.failing == []


async def test_an_order_is_stored_with_its_trading_date(desk: TestDesk) -> None:
    await see(desk, market({"AAPL": 100}, date=TUESDAY))

    placed, _ = await desk.orders.place(order())

    assert placed.trading_date == TUESDAY
    assert [fill.trading_date for fill in await desk.broker.executions_after(0)] == [TUESDAY]


def test_each_status_that_an_order_ends_in_is_counted_as_one() -> None:
    assert set(COUNTED_AS) == set(OrderStatus) - {OrderStatus.PENDING}
