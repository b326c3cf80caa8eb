"""Every placement ends in exactly one status, which is the same in the answer, the metrics and PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import pytest

from apps import paper_venue
from apps.catalogue import (
    fees_dollars_total,
    filled_notional_dollars_total,
    order_fill_duration_seconds,
    order_fills_total,
    order_placement_duration_seconds,
    order_price_improvement_bps,
    order_rejections_total,
    order_slippage_bps,
    orders_outcome_unknown,
    orders_placed_total,
    orders_total,
)
from apps.database import Connection
from apps.execution_gateway import commands, ledger
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import Busy, ClientOrderIdConflict, Failed, OutcomeUnknown, Rejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.writer import Request
from apps.vocabulary import Cancellation, DeskDuty, OrderStatus, PlacementStatus, Rejection
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    GoingAway,
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
COUNTED_AS = {
    OrderStatus.ACCEPTED: PlacementStatus.SUCCESS,
    OrderStatus.PARTLY_FILLED: PlacementStatus.SUCCESS,
    OrderStatus.FILLED: PlacementStatus.SUCCESS,
    OrderStatus.CANCELLED: PlacementStatus.SUCCESS,
    OrderStatus.REJECTED: PlacementStatus.REJECTED,
    OrderStatus.FAILED: PlacementStatus.FAILED,
}


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
        return await ledger.find_orders(connection, limit=10_000)


async def assert_counters_equal_the_rows(desk: Desk, recorded: Recorded) -> None:
    """Compares the counts of AAPL since the test began with what is stored. No order may be pending."""
    orders = await all_orders(desk)
    counted = {
        (side, status): recorded(orders_total, symbol="AAPL", side=side, status=status)
        for side in ("buy", "sell")
        for status in PlacementStatus
    }
    rows = Counter((str(o.side), COUNTED_AS[o.status]) for o in orders)
    assert counted == {key: rows[key] for key in counted}
    refused = Counter(o.reason for o in orders if o.status is OrderStatus.REJECTED)
    assert {r: recorded(order_rejections_total, reason=r) for r in Rejection} == {r: refused[r] for r in Rejection}


class Refusing(Venue):
    """Refuses every order."""

    async def submit(self, order: Order) -> None:
        raise VenueRejected("not today")


class Breaking(Venue):
    """Raises an error before the venue has the order."""

    async def submit(self, order: Order) -> None:
        raise ConnectionError("no route")


class LosingTheAnswer(Venue):
    """Takes the order, but the answer is lost, and so are its executions."""

    async def submit(self, order: Order) -> None:
        await self.real.submit(order)
        raise TimeoutError

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        return []


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client waits only a moment for the outcome of its order."""
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)


async def test_an_accepted_order_is_stored_filled_and_counted_once(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, new = await desk.orders.place(order(qty=10))

    assert new
    assert (placed.status, placed.filled_qty, placed.arrival_price) == (OrderStatus.FILLED, 10, Decimal(100))
    assert await stored(desk, placed) == placed
    assert await shares(desk) == {"AAPL": 10}
    assert recorded(order_placement_duration_seconds, symbol="AAPL", side="buy") == 1
    assert recorded(order_fills_total, symbol="AAPL", side="buy") == 1
    assert recorded(order_fill_duration_seconds, side="buy") == 1
    assert recorded(filled_notional_dollars_total, side="buy") == 1000


async def test_slippage_and_fees_are_recorded_for_every_part(database_url: str, recorded: Recorded) -> None:
    costs: dict[str, Any] = {"slippage_bps": 10, "fee_per_share": "0.01", "max_shares_per_tick": 100}
    async with opened(database_url, **costs) as desk:
        await see(desk, market({"AAPL": 100}))
        placed, _ = await desk.orders.place(order(qty=150))
        assert (placed.status, placed.filled_qty) == (OrderStatus.PARTLY_FILLED, 100)
        await see(desk, market({"AAPL": "99"}))  # 90.1 basis points better than the quote at arrival

        assert (await stored(desk, placed)).status is OrderStatus.FILLED
    assert recorded(order_fills_total, symbol="AAPL", side="buy") == 2
    assert recorded(fees_dollars_total) == pytest.approx(1.5)
    assert recorded(filled_notional_dollars_total, side="buy") == pytest.approx(10010 + 50 * 99.099)
    assert recorded(order_slippage_bps, side="buy") == 1
    assert recorded(order_price_improvement_bps, side="buy") == 1
    assert recorded(orders_total, symbol="AAPL", side="buy", status="success") == 1


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
    assert recorded(order_rejections_total, reason="order_size_limit") == 1
    assert recorded(order_placement_duration_seconds, symbol="AAPL", side="buy") == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "order_size_limit")


async def test_an_order_that_the_venue_refuses_is_rejected(desk: TestDesk, recorded: Recorded) -> None:
    put_between(desk, Refusing)

    with exactly_one(recorded, PlacementStatus.REJECTED), pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())

    assert (refusal.value.reason, str(refusal.value)) == (Rejection.VENUE_REJECTED, "not today")
    assert recorded(order_rejections_total, reason="venue_rejected") == 1
    (kept,) = await all_orders(desk)
    assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "venue_rejected")


async def test_an_order_that_the_venue_never_got_has_failed_and_is_not_filled_later(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 0.3)
    put_between(desk, Breaking)

    with exactly_one(recorded, PlacementStatus.FAILED):
        with pytest.raises(Failed, match="it could not be sent to the venue in time"):
            await desk.orders.place(order())
        take_away(desk)
        (kept,) = await all_orders(desk)
        with pytest.raises(VenueRejected, match="cancelled before it arrived"):  # also if it arrives now
            await desk.broker.submit(kept)
        await see(desk, market(PRICES))

    assert (kept.status, kept.filled_qty) == (OrderStatus.FAILED, 0)
    assert await shares(desk) == await desk.broker.shares() == {}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("limit", "status"), [("100", OrderStatus.FILLED), ("95", OrderStatus.ACCEPTED)])
async def test_an_order_whose_answer_was_lost_is_unknown_then_known_and_counted_once(
    desk: TestDesk, recorded: Recorded, limit: str, status: OrderStatus
) -> None:
    put_between(desk, LosingTheAnswer)
    request = order(order_type="limit", limit_price=limit, client_order_id="mine")

    with exactly_one(recorded, PlacementStatus.SUCCESS):
        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(request)
        assert recorded(orders_outcome_unknown) == 1
        (pending,) = await all_orders(desk)
        assert (pending.id, pending.status) == (unknown.value.order_id, OrderStatus.PENDING)
        take_away(desk)
        await settled(desk)
        again, new = await desk.orders.place(request)

    assert (again.id, again.status, new) == (unknown.value.order_id, status, False)
    assert recorded(orders_outcome_unknown) == 0
    await assert_counters_equal_the_rows(desk, recorded)


async def test_an_order_that_the_venue_does_not_confirm_in_time_is_withdrawn(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 0.3)
    put_between(desk, LosingTheAnswer)

    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
        take_away(desk)
        await see(desk, market({**PRICES, "AAPL": 90}))

    assert (placed.status, placed.reason, placed.filled_qty) == (OrderStatus.CANCELLED, "late", 0)
    assert await stored(desk, placed) == placed
    assert await shares(desk) == await desk.broker.shares() == {}


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


@pytest.mark.parametrize("reached", [True, False])
async def test_after_a_crash_the_next_process_counts_the_placement_once_and_books_its_fills_once(
    reached: bool, database_url: str, recorded: Recorded
) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS if reached else PlacementStatus.REJECTED):
        async with opened(database_url) as crashing:
            await see(crashing, market({"AAPL": 100}))
            slow = put_between(crashing, Waiting)
            placing = asyncio.create_task(crashing.orders.place(order()))
            await slow.arrived.wait()
            (pending,) = await all_orders(crashing)
            if reached:  # the venue has filled the order, and we have booked nothing
                await slow.real.submit(pending)
            placing.cancel()

        async with opened(database_url) as desk:  # the venue is closed for this one: no market has arrived
            await settled(desk)
            for _ in range(2):
                await see(desk, market({"AAPL": 100}))

            kept = await stored(desk, pending)
            assert kept.status is (OrderStatus.FILLED if reached else OrderStatus.REJECTED)
            assert await shares(desk) == await desk.broker.shares() == ({"AAPL": 10} if reached else {})
            assert recorded(order_fills_total, symbol="AAPL", side="buy") == (1 if reached else 0)
            await assert_counters_equal_the_rows(desk, recorded)


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_the_venue_filled_is_booked_once_when_postgresql_is_back(
    desk: TestDesk, recorded: Recorded
) -> None:
    class ThenGone(Venue):
        async def submit(self, order: Order) -> None:
            await self.real.submit(order)
            set_away(desk, True)

    put_between(desk, ThenGone)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(order())
        take_away(desk)
        set_away(desk, False)
        (pending,) = await all_orders(desk)
        assert (pending.id, pending.status) == (unknown.value.order_id, OrderStatus.PENDING)
        await settled(desk)

    await until(lambda: desk.writer.opened.orders == {}, "the fill is booked")
    assert (await stored(desk, pending)).status is OrderStatus.FILLED
    assert await shares(desk) == {"AAPL": 10}


async def test_without_postgresql_orders_that_add_risk_are_refused_and_no_other_is_taken(
    desk: TestDesk, recorded: Recorded
) -> None:
    await desk.orders.place(order(qty=10))
    set_away(desk, True)
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    with pytest.raises(Busy, match="PostgreSQL does not answer"):
        await desk.orders.place(order(side="sell", qty=10))
    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order(side="sell", qty=11))
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN

    set_away(desk, False)
    await settled(desk)
    assert Counter((o.status, o.side, o.qty) for o in await all_orders(desk)) == Counter(
        [
            (OrderStatus.FILLED, "buy", 10),
            (OrderStatus.REJECTED, "buy", 10),
            (OrderStatus.REJECTED, "sell", 11),
        ]
    )
    await assert_counters_equal_the_rows(desk, recorded)


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_was_refused_in_an_outage_stays_refused_whatever_is_stored_before_it(
    desk: TestDesk, recorded: Recorded
) -> None:
    put_between(desk, LosingTheAnswer)
    with pytest.raises(OutcomeUnknown):
        await desk.orders.place(order(qty=10))
    take_away(desk)
    executions = await desk.broker.executions_after(0)
    set_away(desk, True)
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")
    desk.writer.ask(partial(commands.book_executions, executions=executions))
    with pytest.raises(Rejected) as refusal:  # a sell of shares that the book does not have yet
        await desk.orders.place(order(side="sell", qty=10))
    set_away(desk, False)
    await settled(desk)

    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    assert await shares(desk) == {"AAPL": 10}
    await assert_counters_equal_the_rows(desk, recorded)
    assert recorded(order_rejections_total, reason="breaker_unknown") == 1


def has_at_least(answers: list[object], number: int) -> bool:
    return len(answers) >= number


@pytest.mark.usefixtures("impatient")
async def test_orders_around_an_outage_are_each_counted_as_they_are_stored(desk: TestDesk, recorded: Recorded) -> None:
    answers: list[object] = []

    async def keep_placing(name: str, times: int) -> None:
        for number in range(times):
            request = order(qty=1, client_order_id=f"{name} {number}")
            answers.extend(await asyncio.gather(desk.orders.place(request), return_exceptions=True))

    placing = [asyncio.create_task(keep_placing(f"client {number}", 15)) for number in range(4)]
    for away in (True, False, True, False):
        enough = len(answers) + 4
        await until(partial(has_at_least, answers, enough), "some more orders")
        set_away(desk, away)
    await asyncio.gather(*placing)
    await settled(desk)

    expected = (tuple, OutcomeUnknown, Busy, Rejected)
    assert [answer for answer in answers if not isinstance(answer, expected)] == []
    await assert_counters_equal_the_rows(desk, recorded)
    filled = [o for o in await all_orders(desk) if o.status is OrderStatus.FILLED]
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": len(filled)}
    accepted = {answer[0].id for answer in answers if isinstance(answer, tuple)}
    assert accepted <= {o.id for o in filled}
    assert recorded(orders_outcome_unknown) == 0


class LosingCommits(GoingAway):
    """Every second commit is done, but its answer is lost."""

    commits = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
        self.commits += 1
        if self.commits % 2 == 0:
            raise ConnectionResetError("the answer to COMMIT was lost")


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    database_url: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 60)
    database = LosingCommits(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    async with opened(database_url, database, stale_quote_seconds=60) as desk:
        await see(desk, market(PRICES))
        requests = [order(qty=number) for number in range(1, 6)] + [order(qty=5000)]
        answers = await asyncio.gather(*(desk.orders.place(request) for request in requests), return_exceptions=True)
        await until(lambda: desk.idle, "the desk is idle", seconds=20)

        assert {type(answer) for answer in answers} <= {tuple, OutcomeUnknown, Rejected}
        assert await shares(desk) == await desk.broker.shares() == {"AAPL": 15}
        assert desk.writer.opened.cash == 998_500
        await assert_counters_equal_the_rows(desk, recorded)
        assert recorded(order_fills_total, symbol="AAPL", side="buy") == 5
        assert recorded(orders_outcome_unknown) == 0


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
    with exactly_one(recorded, PlacementStatus.SUCCESS, side="sell"):
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
    assert recorded(order_rejections_total, reason="breaker_tripped") == 1
    with exactly_one(recorded, PlacementStatus.SUCCESS, side="sell"):
        await desk.orders.place(order(side="sell", qty=10))

    await desk.switch.reset("a test", "me")
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.orders.place(order())


async def test_a_repeated_client_order_id_is_the_same_order_and_counts_once(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        first, new = await desk.orders.place(order(client_order_id="mine"))
        again, new_again = await desk.orders.place(order(client_order_id="mine"))

    assert (new, new_again) == (True, False)
    assert again == first
    assert await shares(desk) == {"AAPL": 10}


async def test_a_client_order_id_is_known_after_a_restart(database_url: str, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            first, _ = await desk.orders.place(order(client_order_id="mine"))
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            again, new = await desk.orders.place(order(client_order_id="mine"))

    assert (again, new) == (first, False)


async def test_the_same_client_order_id_several_times_at_once_is_one_order(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        answers = await asyncio.gather(*(desk.orders.place(order(client_order_id="mine")) for _ in range(5)))

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
    desk: TestDesk, recorded: Recorded, other: dict[str, Any]
) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.orders.place(order(client_order_id="mine"))
        with pytest.raises(ClientOrderIdConflict, match="'mine' belongs to another order"):
            await desk.orders.place(order(client_order_id="mine", **other))


async def test_a_repeated_order_that_was_refused_is_refused_again_in_the_same_words(
    desk: TestDesk, recorded: Recorded
) -> None:
    with exactly_one(recorded, PlacementStatus.REJECTED):
        with pytest.raises(Rejected) as first:
            await desk.orders.place(order(qty=5000, client_order_id="mine"))
        with pytest.raises(Rejected) as again:
            await desk.orders.place(order(qty=5000, client_order_id="mine"))

    assert (again.value.status, again.value.detail) == (first.value.status, first.value.detail)
    assert first.value.status == 409
    assert first.value.reason is Rejection.ORDER_SIZE_LIMIT


class CutBeforeCommit(GoingAway):
    """PostgreSQL goes away before the next COMMIT, if `cut` is set."""

    cut = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            if self.cut:
                self.cut, self.away = False, True
                raise ConnectionResetError("cut before COMMIT")


@pytest.mark.usefixtures("impatient")
async def test_while_the_breaker_cannot_be_read_an_order_whose_commit_is_in_doubt_is_unknown_to_who_repeats_it(
    database_url: str, recorded: Recorded
) -> None:
    database = CutBeforeCommit(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    async with opened(database_url, database) as desk:
        await see(desk, market(PRICES))
        request = order(client_order_id="mine")
        with exactly_one(recorded, PlacementStatus.SUCCESS):
            database.cut = True
            with pytest.raises(OutcomeUnknown) as first:
                await desk.orders.place(request)
            await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

            with pytest.raises(OutcomeUnknown) as again:
                await desk.orders.place(request)
            assert recorded(orders_outcome_unknown) == 1
            set_away(desk, False)
            await settled(desk)

        (kept,) = await all_orders(desk)
        assert (kept.id, kept.client_order_id, kept.status) == (again.value.order_id, "mine", OrderStatus.FILLED)
        assert first.value.order_id == kept.id
        assert recorded(orders_outcome_unknown) == 0


async def test_while_the_breaker_cannot_be_read_the_order_of_an_earlier_process_is_the_answer_to_its_id(
    database_url: str,
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        first, _ = await desk.orders.place(order(client_order_id="mine"))
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await until(lambda: desk.orders.remembers, "the ids are read")
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
        with pytest.raises(ClientOrderIdConflict):
            await desk.orders.place(order(qty=11, client_order_id="mine"))
        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order(client_order_id="another"))
        assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
        set_away(desk, False)
        await settled(desk)


async def test_while_the_ids_of_earlier_processes_cannot_be_read_no_order_with_an_id_is_refused_for_good(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        first, _ = await desk.orders.place(order(client_order_id="mine"))

    async def gone(*_: object) -> dict[str, Order]:
        raise ConnectionResetError("gone")

    with monkeypatch.context() as without:
        without.setattr(ledger, "find_newest_known", gone)
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            assert await desk.orders.place(order(client_order_id="mine")) == (first, False)  # PostgreSQL knows it
            set_away(desk, True)
            await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")
            with pytest.raises(Busy, match="the client_order_id may be known"):
                await desk.orders.place(order(client_order_id="mine"))
            with pytest.raises(Rejected) as refusal:
                await desk.orders.place(order())
            assert refusal.value.reason is Rejection.BREAKER_UNKNOWN

            without.undo()
            set_away(desk, False)
            await until(lambda: desk.orders.remembers and desk.failing == [], "they are read")
            assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
            await settled(desk)


async def test_an_id_that_was_placed_while_those_of_earlier_processes_were_read_is_known(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = asyncio.Event(), asyncio.Event()
    find = ledger.find_newest_known

    async def slow(connection: Connection) -> dict[str, Order]:
        found = await find(connection)
        reading.set()
        await go.wait()
        return found

    monkeypatch.setattr(ledger, "find_newest_known", slow)
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await reading.wait()
        first, _ = await desk.orders.place(order(client_order_id="mine"))
        go.set()
        await until(lambda: desk.orders.remembers, "the ids are read")
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
        set_away(desk, False)


@asynccontextmanager
async def nothing_is_stored(url: str) -> AsyncIterator[None]:
    """Locks the row with which each commit begins, while the block runs."""
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute("SELECT * FROM gateway.account FOR UPDATE")
            yield
    finally:
        await other.close()


@pytest.mark.usefixtures("impatient")
async def test_two_orders_with_one_id_that_are_both_in_doubt_name_the_one_that_is_stored(
    desk: TestDesk, database_url: str, recorded: Recorded
) -> None:
    async with nothing_is_stored(database_url):
        answers = await asyncio.gather(
            *(desk.orders.place(order(client_order_id="mine")) for _ in range(2)), return_exceptions=True
        )
    await settled(desk)

    (kept,) = await all_orders(desk)
    assert [(type(a), getattr(a, "order_id", None)) for a in answers] == [(OutcomeUnknown, kept.id)] * 2
    assert kept.status is OrderStatus.FILLED
    assert recorded(orders_outcome_unknown) == 0


async def test_an_order_is_on_its_way_also_if_another_one_with_its_id_was_taken_back(
    desk: TestDesk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = order(client_order_id="mine")
    async with nothing_is_stored(database_url):
        desk.writer.ask(lambda draft: draft.set(high_water_mark=Decimal(2_000_000)))
        await until(lambda: desk.writer.in_doubt, "the writer waits")
        with monkeypatch.context() as impatient:
            impatient.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)
            taken_back = asyncio.create_task(desk.orders.place(request))
            await until(lambda: desk.writer.waiting == 1, "it waits")
        placing = asyncio.create_task(desk.orders.place(request))
        with pytest.raises(Busy, match="could not be stored in time"):
            await taken_back
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(request)
        set_away(desk, False)
    placed, _ = await placing

    assert (unknown.value.order_id, placed.status) == (placed.id, OrderStatus.FILLED)


def keep_the_event_loop_busy(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.usefixtures("impatient")
async def test_an_outcome_that_comes_at_the_moment_when_the_time_is_over_is_told_and_is_not_unknown(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request[Any]] = []

    def ask(command: object, *, client_order_id: str | None = None, first: bool = False) -> Request[Any]:
        asked.append(Request(lambda _: None, asyncio.get_running_loop().create_future(), client_order_id, taken=True))
        return asked[-1]

    with monkeypatch.context() as writer:
        writer.setattr(desk.writer, "ask", ask)
        placing = asyncio.create_task(desk.orders.place(order(client_order_id="mine")))
        await until(lambda: asked, "it is asked for")
    keep_the_event_loop_busy(0.4)
    asked[0].done.set_exception(ClientOrderIdConflict("it belongs to another order"))

    with pytest.raises(ClientOrderIdConflict):
        await placing
    assert recorded(orders_outcome_unknown) == 0


@pytest.mark.usefixtures("impatient")
async def test_the_venues_answer_at_the_moment_when_the_time_is_over_leaves_no_unknown_outcome(
    desk: TestDesk, recorded: Recorded
) -> None:
    put_between(desk, Waiting)
    placing = asyncio.create_task(desk.orders.place(order()))
    await until(lambda: desk.writer.opened.orders, "it is stored")
    (pending,) = desk.writer.opened.orders.values()
    keep_the_event_loop_busy(0.4)
    accepted = pending.model_copy(update={"status": OrderStatus.ACCEPTED})
    desk.orders.book_changed(desk.writer.opened, {pending.id: accepted})

    assert await placing == (accepted, True)
    assert recorded(orders_outcome_unknown) == 0


async def test_orders_at_the_same_time_do_not_spend_the_same_cash(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, initial_cash=Decimal(1501)) as desk:
        await see(desk, market({"AAPL": 100}))

        answers = await asyncio.gather(*(desk.orders.place(order(qty=10)) for _ in range(4)), return_exceptions=True)

        assert sorted(type(answer).__name__ for answer in answers) == ["Rejected", "Rejected", "Rejected", "tuple"]
    assert recorded(order_rejections_total, reason="insufficient_cash") == 3


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


@pytest.mark.usefixtures("impatient")
async def test_shares_of_a_sell_whose_answer_was_lost_cannot_be_sold_twice(desk: TestDesk) -> None:
    await desk.orders.place(order(qty=10))
    put_between(desk, LosingTheAnswer)
    with pytest.raises(OutcomeUnknown):
        await desk.orders.place(order(side="sell", qty=10))
    assert await desk.broker.shares() == {}

    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order(side="sell", qty=10))
    take_away(desk)
    await settled(desk)

    assert refusal.value.reason is Rejection.INSUFFICIENT_SHARES
    with pytest.raises(Rejected):
        await desk.orders.place(order(side="sell", qty=1))
    assert await shares(desk) == await desk.broker.shares() == {}


async def test_an_execution_that_is_committed_late_is_booked(desk: TestDesk) -> None:
    resting, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
    async with desk.database.connection() as late:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("UPDATE venue.orders SET remaining = 0 WHERE id = $1", resting.id)
        await late.execute(
            "INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)"
            " SELECT seq + 1, $1, 'AAPL', 'buy', 10, 95, 0, trading_date FROM venue.state",
            resting.id,
        )
        placing = asyncio.create_task(desk.orders.place(order("MSFT")))
        await until(lambda: any(o.symbol == "MSFT" for o in desk.writer.opened.orders.values()), "it is on its way")
        await transaction.commit()
    await placing
    await until(lambda: "AAPL" in desk.writer.opened.positions, "the late one is booked")
    await settled(desk)

    assert (await stored(desk, resting)).status is OrderStatus.FILLED
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": 10, "MSFT": 10}


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
