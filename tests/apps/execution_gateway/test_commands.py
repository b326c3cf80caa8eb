"""Each command on a draft: what it changes, what it says has happened, and what it leaves alone."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from apps.execution_gateway import commands
from apps.execution_gateway.book import Breaker, Halt, Position
from apps.execution_gateway.draft import MarkReset
from apps.execution_gateway.errors import ClientOrderIdConflict, NotOpen
from apps.execution_gateway.events import Cancelled, DayStarted, Placed, Reset, Tripped
from apps.vocabulary import BreakerState, Cancellation, OrderStatus, PlacementStatus, Rejection, Side, TripReason
from tests.apps.execution_gateway.books import NOW, a_book, a_draft, an_arrival, an_execution, an_order
from tests.apps.execution_gateway.conftest import order
from tests.apps.markets import MONDAY, TUESDAY, market

AT = dt.datetime.fromtimestamp(NOW, dt.UTC)
TRIPPED = Breaker(BreakerState.TRIPPED, "why", "ann", AT)


def test_a_placed_order_is_pending_and_reserves_shares_and_cash_and_has_no_outcome_yet() -> None:
    draft = a_draft(market_order_band=0)

    placed, new = commands.place(draft, an_arrival(order(qty=10)))

    assert (placed.status, placed.trading_date, placed.created_at, new) == (OrderStatus.PENDING, MONDAY, AT, True)
    assert placed.arrival_price == 100
    assert draft.book.orders == {placed.id: placed}
    assert draft.book.waiting.shares == {("AAPL", Side.BUY): 10}
    assert draft.book.waiting.cash == Decimal("1000.005")
    assert draft.events == []


def test_a_refused_order_is_stored_with_its_reason_and_counted_and_reserves_nothing() -> None:
    draft = a_draft()

    refused, new = commands.place(draft, an_arrival(order(qty=2001)))

    assert (refused.status, refused.reason, new) == (OrderStatus.REJECTED, Rejection.ORDER_SIZE_LIMIT, True)
    assert refused.message == "200100.00 is over the limit of 200000"
    assert draft.changed_orders == {refused.id: refused}
    assert draft.book.orders == {}
    assert draft.events == [Placed(refused, PlacementStatus.REJECTED)]


def test_two_orders_of_one_batch_cannot_spend_the_same_cash_or_sell_the_same_shares() -> None:
    draft = a_draft(a_book({"XOM": 10}, cash="1500"), market_order_band=0)

    outcomes = [
        commands.place(draft, an_arrival(request))[0]
        for request in (order(qty=10), order(qty=10), order("XOM", "sell", 10), order("XOM", "sell", 1))
    ]

    assert [placed.reason for placed in outcomes] == [
        None, Rejection.INSUFFICIENT_CASH, None, Rejection.INSUFFICIENT_SHARES,
    ]  # fmt: skip


def test_while_the_breaker_cannot_be_read_only_orders_that_add_risk_are_refused() -> None:
    draft = a_draft(a_book({"AAPL": 10}))

    refused, _ = commands.place(draft, an_arrival(order(), unread=True))
    sold, _ = commands.place(draft, an_arrival(order(side="sell", qty=10), unread=True))

    assert (refused.reason, refused.message) == (Rejection.BREAKER_UNKNOWN, commands.UNREAD)
    assert sold.status is OrderStatus.PENDING


@pytest.mark.parametrize("where", ["in the same batch", "in the book", "ended earlier"])
def test_a_known_client_order_id_gets_the_first_order_as_it_is_now(where: str) -> None:
    request = order(qty=10, client_order_id="a")
    stored = an_order(qty=10, client_order_id="a", filled=4)
    ended = stored.model_copy(update={"status": OrderStatus.FILLED, "filled_qty": 10})
    if where == "in the same batch":
        draft = a_draft()
        expected, _ = commands.place(draft, an_arrival(request))
    elif where == "in the book":
        draft, expected = a_draft(a_book({}, stored), known={"a": stored.model_copy(update={"filled_qty": 1})}), stored
    else:
        draft, expected = a_draft(known={"a": ended}), ended
    before = draft.finished(2, 0.0)

    assert commands.place(draft, an_arrival(request)) == (expected, False)
    assert draft.finished(2, 0.0) == before


@pytest.mark.parametrize("more", [{"qty": 11}, {"side": "sell"}, {"order_type": "limit", "limit_price": "99"}])
def test_a_client_order_id_of_another_order_is_a_conflict_and_stores_nothing(more: dict[str, object]) -> None:
    draft = a_draft(known={"a": an_order(qty=10, client_order_id="a")})
    request = order(**{"qty": 10, "client_order_id": "a", **more})  # type: ignore[arg-type]

    with pytest.raises(ClientOrderIdConflict, match="'a' belongs to another order"):
        commands.place(draft, an_arrival(request))

    assert not draft.changed


def test_a_refused_client_order_id_gets_the_same_refusal_again() -> None:
    draft = a_draft()
    request = order(qty=2001, client_order_id="a")

    first, _ = commands.place(draft, an_arrival(request))

    assert commands.place(draft, an_arrival(request)) == (first, False)
    assert len(draft.events) == 1


def test_the_venue_accepts_a_pending_order_once() -> None:
    pending = an_order(status=OrderStatus.PENDING)
    draft = a_draft(a_book({}, pending))

    for _ in range(2):
        commands.accept(draft, pending.id)
        commands.refuse(draft, pending.id, "too late")

    assert draft.book.orders[pending.id].status is OrderStatus.ACCEPTED
    assert draft.events == [Placed(pending, PlacementStatus.SUCCESS)]


def test_an_order_that_the_venue_refuses_is_rejected_with_its_sentence() -> None:
    pending = an_order(status=OrderStatus.PENDING)
    draft = a_draft(a_book({}, pending))

    for _ in range(2):
        commands.refuse(draft, pending.id, "no such symbol")

    refused = draft.changed_orders[pending.id]
    assert (refused.status, refused.reason, refused.message) == (
        OrderStatus.REJECTED, Rejection.VENUE_REJECTED, "no such symbol",
    )  # fmt: skip
    assert draft.events == [Placed(refused, PlacementStatus.REJECTED)]
    assert draft.book.waiting.shares == {}


def test_a_cancelled_order_stays_open_and_keeps_its_reservation_until_the_venue_has_ended_it() -> None:
    resting = an_order(qty=10, filled=4, limit=100)
    draft = a_draft(a_book({"AAPL": 4}, resting))

    leaving = commands.cancel(draft, resting.id, Cancellation.CLIENT)
    assert (leaving.status, leaving.cancelling) == (OrderStatus.PARTLY_FILLED, Cancellation.CLIENT)
    assert draft.book.waiting.shares == {("AAPL", Side.BUY): 6}
    assert draft.events == []

    draft.book_execution(an_execution(resting, 1, 2))  # the venue filled it before the cancellation came
    commands.end(draft, resting.id, taken=True)
    ended = draft.changed_orders[resting.id]
    assert (ended.status, ended.reason, ended.filled_qty, ended.cancelling) == (
        OrderStatus.CANCELLED, Cancellation.CLIENT, 6, None,
    )  # fmt: skip
    assert draft.book.waiting.shares == {}
    assert draft.book.waiting.cash == 0


def test_the_first_reason_of_a_cancellation_holds_and_an_order_that_has_ended_cannot_be_cancelled() -> None:
    resting = an_order()
    draft = a_draft(a_book({}, resting))
    commands.cancel(draft, resting.id, Cancellation.CLIENT)

    commands.cancel(draft, resting.id, Cancellation.BREAKER)
    assert draft.book.orders[resting.id].cancelling is Cancellation.CLIENT

    commands.end(draft, resting.id, taken=True)
    with pytest.raises(NotOpen):
        commands.cancel(draft, resting.id, Cancellation.CLIENT)


@pytest.mark.parametrize(
    ("cancelling", "taken", "status", "reason", "outcome"),
    [
        (None, True, OrderStatus.CANCELLED, Cancellation.LATE, PlacementStatus.SUCCESS),
        (None, False, OrderStatus.FAILED, None, PlacementStatus.FAILED),
        (Cancellation.CLIENT, False, OrderStatus.CANCELLED, Cancellation.CLIENT, PlacementStatus.SUCCESS),
        (Cancellation.BREAKER, True, OrderStatus.CANCELLED, Cancellation.BREAKER, PlacementStatus.SUCCESS),
        (Cancellation.BREAKER, False, OrderStatus.REJECTED, Rejection.BREAKER_TRIPPED, PlacementStatus.REJECTED),
        (Cancellation.SESSION_CLOSED, False, OrderStatus.REJECTED, Rejection.MARKET_CLOSED, PlacementStatus.REJECTED),
    ],
)
def test_a_pending_order_that_the_venue_ends_has_one_outcome_that_says_what_became_of_it(
    cancelling: Cancellation | None, taken: bool, status: OrderStatus, reason: object, outcome: PlacementStatus
) -> None:
    pending = an_order(status=OrderStatus.PENDING, cancelling=cancelling)
    draft = a_draft(a_book({}, pending))

    for _ in range(2):
        commands.end(draft, pending.id, taken)

    ended = draft.changed_orders[pending.id]
    assert (ended.status, ended.reason, ended.cancelling) == (status, reason, None)
    assert [event.status for event in draft.events if isinstance(event, Placed)] == [outcome]
    cancelled = [event.reason for event in draft.events if isinstance(event, Cancelled)]
    assert cancelled == ([reason] if status is OrderStatus.CANCELLED else [])


def test_the_close_cancels_what_rests_and_leaves_what_is_leaving_or_not_confirmed() -> None:
    resting, parts = an_order(), an_order(filled=4)
    pending, leaving = an_order(status=OrderStatus.PENDING), an_order(cancelling=Cancellation.CLIENT)
    draft = a_draft(a_book({}, resting, parts, pending, leaving))

    commands.close_session(draft)

    assert [draft.book.orders[o.id].cancelling for o in (resting, parts, pending, leaving)] == [
        Cancellation.SESSION_CLOSED, Cancellation.SESSION_CLOSED, None, Cancellation.CLIENT,
    ]  # fmt: skip


def test_a_new_date_stores_its_equity_and_its_closes_and_forgets_the_loss() -> None:
    held = {"AAPL": Position(10, Decimal(90), Decimal(95)), "OLD": Position(1, Decimal(1), Decimal(7))}
    draft = a_draft(a_book(held, cash=1000, daily_loss_ratio=Decimal("0.3"), high_water_mark=Decimal(5000)))

    commands.start_day(draft, TUESDAY, {"AAPL": Decimal(100), "MSFT": Decimal(1)})

    book = draft.book
    assert book.trading_date == TUESDAY
    assert [book.start_of_day_equity, book.daily_loss_ratio] == [1000 + 1000 + 7, 0]
    assert (book.positions["AAPL"], book.positions["OLD"]) == (
        Position(10, Decimal(90), Decimal(100)), held["OLD"],
    )  # fmt: skip
    assert book.high_water_mark == 5000
    sentence = "trading date 2020-03-10 starts with an equity of 2007.00"
    assert draft.events == [DayStarted(sentence)]


def test_a_new_date_ends_the_orders_of_every_other_date() -> None:
    resting, leaving = an_order(), an_order(cancelling=Cancellation.CLIENT)
    pending, of_today = an_order(status=OrderStatus.PENDING), an_order(trading_date=TUESDAY)
    draft = a_draft(a_book({}, resting, leaving, pending, of_today))

    commands.start_day(draft, TUESDAY, {})

    assert [(o.id, o.reason) for o in draft.changed_orders.values() if o.status is OrderStatus.CANCELLED] == [
        (resting.id, Cancellation.SESSION_CLOSED),
        (leaving.id, Cancellation.CLIENT),
    ]
    assert draft.book.orders[pending.id].cancelling is Cancellation.SESSION_CLOSED  # the venue must say what it did
    assert draft.book.orders[of_today.id] == of_today


def test_a_new_date_leaves_the_reason_of_a_cancellation_that_is_on_its_way() -> None:
    pending = an_order(status=OrderStatus.PENDING, cancelling=Cancellation.CLIENT)
    draft = a_draft(a_book({}, pending))

    commands.start_day(draft, TUESDAY, {})

    assert draft.book.orders[pending.id].cancelling is Cancellation.CLIENT


@pytest.mark.parametrize("date", [MONDAY, TUESDAY])
def test_a_date_that_is_not_later_changes_nothing_unless_a_person_mends_it(date: dt.date) -> None:
    draft = a_draft(a_book(cash=1000, trading_date=TUESDAY, daily_loss_ratio=Decimal("0.3")))

    commands.start_day(draft, date, {})
    assert not draft.changed

    commands.set_day(draft, date, {})
    assert draft.book.trading_date == date
    assert [draft.book.daily_loss_ratio, draft.book.start_of_day_equity] == [0, 1000]


def test_a_mark_only_rises_and_a_loss_counts_for_its_own_date() -> None:
    draft = a_draft(a_book(daily_loss_ratio=Decimal("0.02"), high_water_mark=Decimal(100)))

    for date, loss, equity in ((MONDAY, "0.01", 90), (TUESDAY, "0.5", None), (MONDAY, "0.03", 110)):
        commands.mark(draft, date, Decimal(loss), None if equity is None else Decimal(equity))

    assert [draft.book.daily_loss_ratio, draft.book.high_water_mark] == [Decimal("0.03"), 110]


def test_a_person_trips_the_breaker_once_and_every_order_that_adds_risk_is_to_be_cancelled() -> None:
    buy, sell = an_order("AAPL", Side.BUY, 10), an_order("XOM", Side.SELL, 10)
    leaving = an_order("AAPL", Side.BUY, 1, cancelling=Cancellation.CLIENT)
    draft = a_draft(a_book({"XOM": 10}, buy, sell, leaving))

    breaker = commands.trip(draft, "a rumour", "ann", NOW)
    again = commands.trip(draft, "another", "bob", NOW + 1)

    assert breaker == again == Breaker(BreakerState.TRIPPED, "a rumour", "ann", AT)
    assert draft.breaker_changes == [breaker]
    assert [event.reason for event in draft.events if isinstance(event, Tripped)] == [TripReason.MANUAL]
    assert "rumour" not in str(draft.events)  # what a person wrote is not for the log
    assert [draft.book.orders[o.id].cancelling for o in (buy, sell, leaving)] == [
        Cancellation.BREAKER, None, Cancellation.CLIENT,
    ]  # fmt: skip


def test_a_loss_trips_the_breaker_once_for_its_date_and_a_reset_holds_until_the_next() -> None:
    draft = a_draft()

    commands.trip_for_loss(draft, MONDAY, "lost 6 %", NOW)
    commands.reset(draft, "we know", "ann", NOW)
    commands.trip_for_loss(draft, MONDAY, "lost 7 %", NOW)
    assert not draft.book.tripped

    commands.trip_for_loss(draft, TUESDAY, "lost 8 %", NOW)
    assert draft.book.breaker == Breaker(BreakerState.TRIPPED, "lost 8 %", "daily loss limit", AT)
    assert draft.events == [
        Tripped(TripReason.DAILY_LOSS, "lost 6 %"),
        Reset(),
        Tripped(TripReason.DAILY_LOSS, "lost 8 %"),
    ]
    assert [change.state for change in draft.breaker_changes] == ["TRIPPED", "OPEN", "TRIPPED"]


def test_a_loss_at_a_tripped_breaker_is_noted_for_its_date_and_the_first_reason_stays() -> None:
    draft = a_draft(a_book(breaker=TRIPPED))

    commands.trip_for_loss(draft, MONDAY, "lost 6 %", NOW)

    assert (draft.book.breaker, draft.book.loss_tripped_on, draft.events) == (TRIPPED, MONDAY, [])
    assert draft.changed


def test_a_reset_of_an_open_breaker_changes_nothing() -> None:
    draft = a_draft()

    assert commands.reset(draft, "why", "ann", NOW) == Breaker()
    assert not draft.changed


def test_the_halt_that_the_venue_confirms_has_a_beginning_and_an_end() -> None:
    draft = a_draft()

    halts = []
    for halted, seq in ((True, 3), (True, 9), (False, 12), (False, 15), (True, 20)):
        commands.confirm_halt(draft, halted, seq)
        halts.append(draft.book.halt)

    assert halts == [
        Halt(True, 3, None), Halt(True, 3, None), Halt(False, 3, 12), Halt(False, 3, 12), Halt(True, 20, None),
    ]  # fmt: skip


def test_a_person_sets_the_high_water_mark_and_the_change_is_kept() -> None:
    draft = a_draft(a_book(high_water_mark=Decimal(110)))

    change = commands.reset_high_water_mark(draft, Decimal(90), "new year", "ann")

    assert change == MarkReset("new year", "ann", Decimal(110), Decimal(90))
    assert draft.mark_resets == [change]
    assert draft.book.high_water_mark == 90


def test_an_order_that_arrives_without_any_state_of_the_market_is_refused() -> None:
    refused, _ = commands.place(a_draft(), an_arrival(order(), state=None))

    assert (refused.reason, refused.trading_date) == (Rejection.STALE_QUOTE, None)


def test_an_order_of_a_closed_market_is_refused() -> None:
    refused, _ = commands.place(a_draft(), an_arrival(order(), state=market({"AAPL": 100}, is_open=False)))

    assert refused.reason is Rejection.MARKET_CLOSED
