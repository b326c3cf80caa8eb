"""Every placement ends in exactly one status, which is the same in the answer, the metrics and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    orders_placed_total,
    orders_total,
)
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import ClientOrderIdConflict, Failed, OutcomeUnknown, Rejected
from apps.execution_gateway.models import Order
from apps.vocabulary import Cancellation, OrderStatus, PlacementStatus, Rejection
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    Venue,
    opened,
    order,
    put_between,
    set_away,
    shares,
    stored,
    take_away,
)
from tests.apps.markets import TUESDAY, market


@contextmanager
def exactly_one(
    recorded: Recorded, status: PlacementStatus, symbol: str = "AAPL", side: str = "buy", times: int = 1
) -> Iterator[None]:
    """Fails unless the block raises the count of this status by `times`, and of no other status."""

    def counts() -> Counter[str]:
        return Counter(
            {s: int(recorded(orders_total, symbol=symbol, side=side, status=s) or 0) for s in PlacementStatus}
        )

    before, everything, placed = (
        counts(),
        sum(orders_total.values().values()),
        sum(orders_placed_total.values().values()),
    )
    yield
    assert counts() - before == Counter({status: times})
    assert sum(orders_total.values().values()) == everything + times
    accepted = times if status is PlacementStatus.SUCCESS else 0
    assert sum(orders_placed_total.values().values()) == placed + accepted


async def all_orders(desk: Desk) -> list[Order]:
    async with desk.database.connection() as connection:
        return await ledger.find_orders(connection)


class Refusing(Venue):
    """Refuses every order."""

    async def submit(self, order: Order) -> None:
        raise VenueRejected("not today")


class Breaking(Venue):
    """Raises an error before the venue has the order."""

    async def submit(self, order: Order) -> None:
        raise ConnectionError("no route")


class LosingTheAnswer(Venue):
    """Takes the order, but the answer is lost."""

    async def submit(self, order: Order) -> None:
        await self.real.submit(order)
        raise TimeoutError


class Waiting(Venue):
    """Takes the order only when the test allows it."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def submit(self, order: Order) -> None:
        self.arrived.set()
        await self.go.wait()
        await self.real.submit(order)


async def test_an_accepted_order_is_stored_filled_and_counted_once(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, new = await desk.placement.place(order(qty=10))

    assert new
    assert (placed.status, placed.filled_qty, placed.arrival_price) == (OrderStatus.FILLED, 10, Decimal(100))
    assert await stored(desk, placed) == placed
    assert await shares(desk) == {"AAPL": 10}
    assert recorded(order_placement_duration_seconds, symbol="AAPL", side="buy") == 1
    assert recorded(order_fills_total, symbol="AAPL", side="buy") == 1
    assert recorded(order_fill_duration_seconds, side="buy") == 1
    assert recorded(filled_notional_dollars_total, side="buy") == 1000


async def test_slippage_and_fees_are_recorded_for_every_part(database_url: str, recorded: Recorded) -> None:
    costs = {"slippage_bps": 10, "fee_per_share": "0.01", "max_shares_per_tick": 100}
    async with opened(database_url, **costs) as desk:
        await desk.see(market({"AAPL": 100}))
        placed, _ = await desk.placement.place(order(qty=150))
        assert (placed.status, placed.filled_qty) == (OrderStatus.PARTLY_FILLED, 100)
        await desk.see(market({"AAPL": "99"}))  # 90.1 basis points better than the quote at arrival

        assert (await stored(desk, placed)).status is OrderStatus.FILLED
    assert recorded(order_fills_total, symbol="AAPL", side="buy") == 2
    assert recorded(fees_dollars_total) == pytest.approx(1.5)
    assert recorded(filled_notional_dollars_total, side="buy") == pytest.approx(10010 + 50 * 99.099)
    assert recorded(order_slippage_bps, side="buy") == 1
    assert recorded(order_price_improvement_bps, side="buy") == 1
    assert recorded(orders_total, symbol="AAPL", side="buy", status="success") == 1


async def test_an_order_that_rests_is_accepted(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, _ = await desk.placement.place(order(order_type="limit", limit_price="99"))

    assert (placed.status, placed.filled_qty) == (OrderStatus.ACCEPTED, 0)


async def test_a_refused_order_is_counted_by_reason_and_stored_and_timed(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.placement.place(order(qty=5000))

    assert refusal.value.reason is Rejection.ORDER_SIZE_LIMIT
    assert recorded(order_rejections_total, reason="order_size_limit") == 1
    assert recorded(order_placement_duration_seconds, symbol="AAPL", side="buy") == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "order_size_limit")


async def test_an_order_that_the_venue_refuses_is_rejected(desk: Desk, recorded: Recorded) -> None:
    put_between(desk, Refusing)

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.placement.place(order())

    assert (refusal.value.reason, str(refusal.value)) == (Rejection.VENUE_REJECTED, "not today")
    assert recorded(order_rejections_total, reason="venue_rejected") == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "venue_rejected")


@pytest.mark.parametrize("venue", [Breaking, LosingTheAnswer])
async def test_after_an_error_of_ours_the_order_has_failed_and_is_not_filled_later(
    venue: Callable[[Broker], Venue], database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url, max_shares_per_tick=6) as desk:
        await desk.see(market({"AAPL": 100}))
        put_between(desk, venue)

        with exactly_one(recorded, PlacementStatus.FAILED):
            with pytest.raises(Failed, match="the order could not be placed"):
                await desk.placement.place(order(qty=10))
            take_away(desk)
            await desk.catch_up()
            await desk.see(market({"AAPL": 101}))
            await desk.catch_up()

        (kept,) = await all_orders(desk)
        # Shares that the venue filled before our error are ours. The rest must not be filled.
        filled = 6 if venue is LosingTheAnswer else 0
        assert (kept.status, kept.filled_qty) == (OrderStatus.FAILED, filled)
        assert await shares(desk) == await desk.broker.shares() == ({"AAPL": 6} if filled else {})


async def test_a_repeated_order_gets_an_answer_only_when_the_outcome_of_the_first_is_known(
    desk: Desk, recorded: Recorded
) -> None:
    put_between(desk, Breaking)
    with pytest.raises(Failed):
        await desk.placement.place(order(client_order_id="x1"))
    take_away(desk)

    with pytest.raises(OutcomeUnknown, match="'x1' is not known yet, ask again"):
        await desk.placement.place(order(client_order_id="x1"))
    await desk.catch_up()
    again, new = await desk.placement.place(order(client_order_id="x1"))

    assert (again.status, new) == (OrderStatus.FAILED, False)
    assert recorded(orders_total, symbol="AAPL", side="buy", status="failed") == 1
    assert recorded(orders_total, symbol="AAPL", side="buy", status="success") == 0


async def test_resolving_does_not_touch_an_order_that_is_being_placed(desk: Desk, recorded: Recorded) -> None:
    slow = put_between(desk, Waiting)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placing = asyncio.create_task(desk.placement.place(order()))
        await slow.arrived.wait()
        await desk.catch_up()
        assert [o.status for o in await all_orders(desk)] == [OrderStatus.PENDING]
        slow.go.set()
        placed, _ = await placing

    assert placed.status is OrderStatus.FILLED


async def test_a_cancelled_placement_has_failed(desk: Desk, recorded: Recorded) -> None:
    slow = put_between(desk, Waiting)
    with exactly_one(recorded, PlacementStatus.FAILED):
        placing = asyncio.create_task(desk.placement.place(order()))
        await slow.arrived.wait()
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        await desk.catch_up()

    assert [o.status for o in await all_orders(desk)] == [OrderStatus.FAILED]


@pytest.mark.parametrize("reached", [True, False])
async def test_after_a_crash_the_next_process_counts_the_placement_once_and_books_its_fills_once(
    reached: bool, database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as crashing:
        await crashing.see(market({"AAPL": 100}))
        slow = put_between(crashing, Waiting)
        placing = asyncio.create_task(crashing.placement.place(order()))
        await slow.arrived.wait()
        (pending,) = await all_orders(crashing)
        if reached:  # the venue has filled the order, and we have booked nothing
            await slow.real.submit(pending)

        status = PlacementStatus.SUCCESS if reached else PlacementStatus.FAILED
        with exactly_one(recorded, status):
            async with opened(database_url) as desk:
                for _ in range(2):
                    await desk.see(market({"AAPL": 100}))
                    await desk.catch_up()

                kept = await stored(desk, pending)
                assert kept.status is (OrderStatus.FILLED if reached else OrderStatus.FAILED)
                assert await shares(desk) == ({"AAPL": 10} if reached else {})
                assert recorded(order_fills_total, symbol="AAPL", side="buy") == (1 if reached else 0)
        placing.cancel()
        await asyncio.gather(placing, return_exceptions=True)


async def test_an_order_that_the_venue_has_is_accepted_even_if_we_cannot_store_that(
    desk: Desk, recorded: Recorded
) -> None:
    class ThenGone(Venue):
        async def submit(self, order: Order) -> None:
            await self.real.submit(order)
            set_away(desk, True)

    put_between(desk, ThenGone)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, new = await desk.placement.place(order())
        assert (placed.status, new) == (OrderStatus.ACCEPTED, True)
        set_away(desk, False)
        assert (await stored(desk, placed)).status is OrderStatus.PENDING
        for _ in range(2):
            await desk.catch_up()

    assert (await stored(desk, placed)).status is OrderStatus.FILLED
    assert await shares(desk) == {"AAPL": 10}


async def test_without_postgresql_orders_that_add_risk_are_refused_and_the_others_fail(
    desk: Desk, recorded: Recorded
) -> None:
    await desk.placement.place(order(qty=10))
    await desk.see(market({"AAPL": 100, "MSFT": 200}))
    set_away(desk, True)

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.placement.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    assert recorded(order_rejections_total, reason="breaker_unknown") == 1

    with exactly_one(recorded, PlacementStatus.FAILED, side="sell"), pytest.raises(Failed):
        await desk.placement.place(order(side="sell", qty=10))
    with exactly_one(recorded, PlacementStatus.REJECTED, side="sell"), pytest.raises(Rejected):
        await desk.placement.place(order(side="sell", qty=11))

    set_away(desk, False)
    await desk.catch_up()
    assert [o.status for o in await all_orders(desk)] == [OrderStatus.FILLED]


async def test_before_the_book_was_read_every_order_counts_as_adding_risk(database_url: str) -> None:
    async with opened(database_url) as desk:
        set_away(desk, True)

        with pytest.raises(Rejected) as refusal:
            await desk.placement.place(order(side="sell", qty=1))

    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN


async def test_if_the_breaker_cannot_be_read_only_orders_that_add_risk_are_refused(
    desk: Desk, recorded: Recorded
) -> None:
    await desk.placement.place(order(qty=10))
    async with desk.database.connection() as connection:
        await connection.execute("ALTER TABLE gateway.breaker_changes RENAME TO elsewhere")

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.placement.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    with exactly_one(recorded, PlacementStatus.SUCCESS, side="sell"):
        await desk.placement.place(order(side="sell", qty=10))


async def test_a_tripped_breaker_refuses_orders_that_add_risk_and_passes_orders_that_reduce_it(
    desk: Desk, recorded: Recorded
) -> None:
    await desk.placement.place(order(qty=10))
    await desk.trip("a test", "me")

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.placement.place(order())
    assert refusal.value.reason is Rejection.BREAKER_TRIPPED
    assert recorded(order_rejections_total, reason="breaker_tripped") == 1
    with exactly_one(recorded, PlacementStatus.SUCCESS, side="sell"):
        await desk.placement.place(order(side="sell", qty=10))

    await desk.reset("a test", "me")
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.placement.place(order())


async def test_a_repeated_client_order_id_is_the_same_order_and_counts_once(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        first, new = await desk.placement.place(order(client_order_id="mine"))
        again, new_again = await desk.placement.place(order(client_order_id="mine"))

    assert (new, new_again) == (True, False)
    assert again == first
    assert await shares(desk) == {"AAPL": 10}


async def test_the_same_client_order_id_several_times_at_once_is_one_order(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        answers = await asyncio.gather(*(desk.placement.place(order(client_order_id="mine")) for _ in range(5)))

    assert len({placed.id for placed, _ in answers}) == 1
    assert sorted(new for _, new in answers) == [False] * 4 + [True]
    assert await shares(desk) == {"AAPL": 10}


@pytest.mark.parametrize(
    "other",
    [
        {"symbol": "MSFT"},
        {"side": "sell"},
        {"qty": 11},
        {"order_type": "limit", "limit_price": "100"},
    ],
)
async def test_a_client_order_id_cannot_be_used_for_a_different_order(
    desk: Desk, recorded: Recorded, other: dict[str, Any]
) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.placement.place(order(client_order_id="mine"))
        with pytest.raises(ClientOrderIdConflict, match="'mine' belongs to another order"):
            await desk.placement.place(order(client_order_id="mine", **other))


async def test_a_repeated_order_that_was_refused_has_the_status_rejected(desk: Desk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.REJECTED):
        with pytest.raises(Rejected):
            await desk.placement.place(order(qty=5000, client_order_id="mine"))
        again, new = await desk.placement.place(order(qty=5000, client_order_id="mine"))

    assert (again.status, again.reason, new) == (OrderStatus.REJECTED, "order_size_limit", False)


async def test_orders_at_the_same_time_do_not_spend_the_same_cash(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, initial_cash=Decimal(1501)) as desk:
        await desk.see(market({"AAPL": 100}))

        answers = await asyncio.gather(*(desk.placement.place(order(qty=10)) for _ in range(4)), return_exceptions=True)

        assert sorted(type(answer).__name__ for answer in answers) == ["Rejected", "Rejected", "Rejected", "tuple"]
    assert recorded(order_rejections_total, reason="insufficient_cash") == 3


async def test_the_cash_of_a_resting_buy_is_reserved_until_the_order_ends(database_url: str) -> None:
    async with opened(database_url, initial_cash=Decimal(1500)) as desk:
        await desk.see(market({"AAPL": 100}))
        resting, _ = await desk.placement.place(order(order_type="limit", limit_price="95"))

        with pytest.raises(Rejected) as refusal:
            await desk.placement.place(order(qty=6))
        assert refusal.value.reason is Rejection.INSUFFICIENT_CASH

        await desk.cancel(resting.id, Cancellation.CLIENT)
        await desk.placement.place(order(qty=6))
        assert await shares(desk) == {"AAPL": 6}


async def test_an_order_is_stored_with_its_trading_date(desk: Desk) -> None:
    await desk.see(market({"AAPL": 100}, date=TUESDAY))

    placed, _ = await desk.placement.place(order())

    assert placed.trading_date == TUESDAY
    assert [fill.trading_date for fill in await desk.broker.executions_after(0)] == [TUESDAY]
