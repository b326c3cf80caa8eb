"""The core of the desk, without any server: commands on a draft, one by one and in batches, lead to the same book."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution_gateway import commands
from apps.execution_gateway.book import Book, Halt, Position
from apps.execution_gateway.draft import Draft, waiting
from apps.execution_gateway.errors import OrderError
from apps.execution_gateway.events import (
    Cancelled,
    DayStarted,
    Event,
    Filled,
    Placed,
    Reset,
    RiskAdded,
    SetAside,
    Tripped,
)
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import OPEN, Order, OrderRequest
from apps.execution_gateway.valuation import value
from apps.vocabulary import Cancellation, OrderStatus, PlacementStatus, Side
from tests.apps.execution_gateway.books import NOW, PRICES, a_book, a_draft, an_arrival, an_execution, an_order, limits
from tests.apps.execution_gateway.test_book import Fill, recomputed
from tests.apps.markets import MONDAY, market

Command = Callable[[Draft], object]

SETTINGS = limits(
    allow_short=True, fee_per_share=Decimal("0.0049"), slippage_bps=Decimal("3.7"), max_shares_per_tick=90
)


@dataclass
class Program:
    """Commands as the desk gives them: with growing numbers of executions, and a market that goes on to new dates."""

    commands: list[Command] = field(default_factory=list)
    requests: dict[UUID, OrderRequest] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    days: int = 0

    def add(self, kind: str, number: int, side: Side, qty: int, price: Decimal, flag: bool) -> None:
        """Adds a command of this kind. `number` chooses among the orders so far."""
        known = list(self.requests)
        if number < 15:
            known = known[-4:]  # older ones have mostly ended
        order_id = known[number % len(known)] if known else UUID(int=999)
        if kind == "place":
            self._place(number, side, qty, price, flag)
        elif kind == "execute":
            self._execute(order_id, qty, price)
        else:
            self.days += kind == "start day"
            self.commands.append(self._others(number, price, flag)[kind](order_id))

    def _others(self, number: int, price: Decimal, flag: bool) -> dict[str, Callable[[UUID], Command]]:
        date, seq, again = MONDAY + timedelta(days=self.days), len(self.executions), tuple(self.executions)
        reason = Cancellation.CLIENT if flag else Cancellation.BREAKER
        ratio, closes = Decimal(number) / 20, {"AAPL": price}
        return {
            "accept": lambda i: partial(commands.accept, order_id=i),
            "refuse": lambda i: partial(commands.refuse, order_id=i, message="no"),
            "cancel": lambda i: partial(commands.cancel, order_id=i, reason=reason),
            "end": lambda i: partial(commands.end, order_id=i, taken=flag),
            "repeat executions": lambda _: partial(commands.book_executions, executions=again),
            "trip": lambda _: partial(commands.trip, reason="why", by="ann", at=NOW),
            "trip for loss": lambda _: partial(commands.trip_for_loss, trading_date=date, why="lost", at=NOW),
            "reset": lambda _: partial(commands.reset, reason="why", by="ann", at=NOW),
            "confirm halt": lambda _: partial(commands.confirm_halt, halted=flag, seq=seq),
            "close": lambda _: commands.close_session,
            "start day": lambda _: partial(commands.start_day, trading_date=date, previous_closes=closes),
            "mark": lambda _: partial(commands.mark, trading_date=date, loss=ratio, equity=1_000_000 + price),
            "reset mark": lambda _: partial(commands.reset_high_water_mark, equity=price, reason="why", by="ann"),
        }

    def _place(self, number: int, side: Side, qty: int, price: Decimal, flag: bool) -> None:
        symbol = list(PRICES)[number % len(PRICES)]
        request = OrderRequest(
            symbol=symbol,
            side=side,
            qty=qty,
            order_type="limit" if flag else "market",
            limit_price=(PRICES[symbol] * (1 + price / 1000)).quantize(Decimal("0.01")) if flag else None,
            client_order_id=f"id-{qty}" if qty % 4 == 0 else None,
        )
        order_id = UUID(int=len(self.requests) + 1)
        self.requests[order_id] = request
        state = market(PRICES, date=MONDAY + timedelta(days=self.days))
        arrival = an_arrival(request, order_id=order_id, at=state.at, valued_at=state.at, state=state)
        self.commands.append(lambda draft: commands.place(draft, arrival))

    def _execute(self, order_id: UUID, qty: int, price: Decimal) -> None:
        request = self.requests.get(order_id) or OrderRequest(symbol="XOM", side=Side.BUY, qty=1)
        execution = an_execution(
            an_order(request.symbol, request.side, id=order_id),
            len(self.executions) + 1,
            1 + qty // 3,
            price,
            fee="0.07",
        )
        self.executions.append(execution)
        self.commands.append(lambda draft: commands.book_executions(draft, [execution]))


KINDS = (
    *["place"] * 5, *["accept"] * 3, *["execute"] * 8, *["reset"] * 2, "repeat executions", "refuse", "cancel", "end",
    "trip", "trip for loss", "confirm halt", "close", "start day", "mark", "reset mark",
)  # fmt: skip
steps = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 20),
    st.sampled_from(Side),
    st.integers(1, 120),
    st.decimals("0.01", "99", places=2),
    st.booleans(),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program = Program()
    for step in draw(st.lists(steps, max_size=40)):
        program.add(*step)
    return program


@dataclass
class Result:
    """What was stored in the end."""

    book: Book
    events: list[Event] = field(default_factory=list)
    orders: dict[UUID, Order] = field(default_factory=dict)
    fills: list[Execution] = field(default_factory=list)
    set_aside: list[Execution] = field(default_factory=list)


def run(program: Program, sizes: Sequence[int]) -> Result:
    """Applies the commands in batches of these sizes. The last size holds for the rest."""
    result = Result(a_book(cash=1_000_000, settings=SETTINGS, high_water_mark=Decimal(1_000_000)))
    left, batches = list(program.commands), list(sizes)
    while left:
        size = batches.pop(0) if len(batches) > 1 else batches[0]
        known = {order.client_order_id: order for order in result.orders.values() if order.client_order_id is not None}
        draft = Draft(result.book, SETTINGS, known)
        for command in left[:size]:
            with suppress(OrderError):
                command(draft)
        result.book = draft.finished(0, 0.0)
        result.events += draft.events
        result.orders |= draft.changed_orders
        result.fills += draft.fills
        result.set_aside += [one.execution for one in draft.set_aside]
        assert result.book.waiting == waiting(result.book.orders, SETTINGS)  # the sums equal those counted anew
        del left[:size]
    return result


@given(programs(), st.lists(st.integers(1, 10), min_size=1, max_size=5))
def test_commands_one_by_one_and_in_batches_lead_to_the_same_book(program: Program, sizes: list[int]) -> None:
    one_by_one, batched = run(program, [1]), run(program, sizes)

    assert batched == one_by_one


@given(programs())
def test_cash_and_positions_equal_a_computation_from_the_booked_fills(program: Program) -> None:
    result = run(program, [3])
    book, last = result.book, market(PRICES)

    realized = unrealized = flow = Fraction(0)
    for symbol, price in PRICES.items():
        fills = [Fill(e.side, e.qty, e.price, e.fee) for e in result.fills if e.symbol == symbol]
        parts = recomputed(fills, Decimal(price))
        realized, unrealized, flow = realized + parts[0], unrealized + parts[1], flow + parts[2]
        held = book.positions.get(symbol, Position()).shares
        assert held == sum(fill.side.sign * fill.qty for fill in fills)
    assert Fraction(book.cash) == 1_000_000 + flow
    assert abs(Fraction(book.realized) - realized) < Fraction(1, 10**12)
    valuation = value(book, last)
    assert abs(Fraction(valuation.unrealized) - unrealized) < Fraction(1, 10**12)
    assert abs(valuation.total - (valuation.equity - book.initial_cash)) < Decimal("1e-12")


@given(programs())
def test_each_placement_has_exactly_one_outcome_once_it_is_known(program: Program) -> None:
    result = run(program, [4])

    outcomes = Counter(event.order.id for event in result.events if isinstance(event, Placed))
    for order in result.orders.values():
        assert outcomes[order.id] == (0 if order.status is OrderStatus.PENDING else 1), order


@given(programs())
def test_an_execution_is_booked_or_set_aside_once_and_never_overfills_its_order(program: Program) -> None:
    result = run(program, [5])

    assert sorted(e.seq for e in result.fills + result.set_aside) == [e.seq for e in program.executions]
    assert result.book.booked_seq == len(program.executions)
    assert result.book.set_aside == len(result.set_aside)
    filled: Counter[UUID] = Counter()
    for execution in result.fills:
        filled[execution.order_id] += execution.qty
    for order in result.orders.values():
        assert order.filled_qty == filled[order.id] <= order.qty


@given(programs())
def test_the_book_has_exactly_the_orders_that_may_still_be_filled(program: Program) -> None:
    result = run(program, [2])

    assert dict(result.book.orders) == {i: order for i, order in result.orders.items() if order.status in OPEN}


@given(programs())
def test_a_command_that_raises_has_changed_nothing(program: Program) -> None:
    draft = Draft(a_book(cash=1_000_000, settings=SETTINGS), SETTINGS)

    for command in program.commands:
        before = (draft.finished(0, 0.0), list(draft.events), dict(draft.changed_orders), dict(draft.known))
        try:
            command(draft)
        except OrderError:
            assert (draft.finished(0, 0.0), draft.events, draft.changed_orders, draft.known) == before


def test_the_examples_of_these_properties_reach_every_kind_of_event() -> None:
    """Otherwise they would hold because nothing happens."""
    chance, program = random.Random(1), Program()  # noqa: S311
    for _ in range(1000):
        kind, side, flag = chance.choice(KINDS), chance.choice(list(Side)), chance.random() < 0.5
        program.add(kind, chance.randint(0, 20), side, chance.randint(1, 120), Decimal(chance.randint(1, 99)), flag)

    seen = {type(event) for event in run(program, [3]).events}

    assert seen == {Placed, Filled, SetAside, RiskAdded, Cancelled, Tripped, Reset, DayStarted}


def test_a_draft_leaves_its_book_as_it_was_and_what_it_finished() -> None:
    order = an_order(qty=10)
    book = a_book({"AAPL": 5}, order)
    draft = a_draft(book)
    draft.book_execution(an_execution(order, 1, 4))

    first = draft.finished(2, 7.0)
    draft.book_execution(an_execution(order, 2, 6))

    assert (book.positions["AAPL"].shares, book.orders[order.id], book.booked_seq) == (5, order, 0)
    assert (first.version, first.at, first.positions["AAPL"].shares, first.orders[order.id].filled_qty) == (2, 7, 9, 4)
    assert first.waiting.shares == {("AAPL", Side.BUY): 6}
    assert draft.finished(3, 8.0).waiting.shares == {}


def test_a_draft_that_only_looked_has_nothing_to_store() -> None:
    order = an_order()
    draft = a_draft(a_book({"AAPL": 5}, order))

    commands.accept(draft, order.id)  # it was accepted before
    commands.reset(draft, "why", "ann", NOW)  # it is open
    commands.mark(draft, MONDAY, Decimal(0), None)
    draft.book_execution(an_execution(order, seq=0))

    assert not draft.changed


@pytest.mark.parametrize(
    "more",
    [
        {"order_id": UUID(int=7)},  # foreign: we have no such order
        {"symbol": "XOM"},
        {"side": Side.SELL},
        {"qty": 7},  # only 6 are open
        {"qty": 0},
        {"qty": -1},
        {"price": Decimal("NaN")},
        {"price": Decimal(0)},
        {"price": Decimal("Infinity")},
        {"fee": Decimal("NaN")},
    ],
)
def test_an_execution_that_does_not_fit_is_set_aside_and_the_rest_goes_on(more: dict[str, object]) -> None:
    order = an_order(qty=10, filled=4)
    draft = a_draft(a_book({}, order, cash=1000))
    wrong = replace(an_execution(order, 1), **more)  # type: ignore[arg-type]

    commands.book_executions(draft, [wrong, an_execution(order, 2, 6)])

    assert [(one.execution, bool(one.reason)) for one in draft.set_aside] == [(wrong, True)]
    assert [type(event) for event in draft.events] == [SetAside, Filled]
    assert (draft.book.booked_seq, draft.book.set_aside) == (2, 1)
    assert draft.book.cash == 400
    assert draft.book.positions["AAPL"].shares == 6


def test_an_execution_of_an_order_that_has_ended_is_set_aside() -> None:
    order = an_order(qty=10)
    draft = a_draft(a_book({}, order))
    commands.end(draft, order.id, taken=True)

    draft.book_execution(an_execution(order))

    assert [one.reason for one in draft.set_aside] == ["there is no open order with its id"]
    assert draft.book.positions == {}


def test_an_execution_that_was_booked_before_changes_nothing() -> None:
    order = an_order(qty=10)
    draft = a_draft(a_book({}, order))
    fill = an_execution(order, 1, 4)

    commands.book_executions(draft, [fill, fill])

    assert draft.book.orders[order.id].filled_qty == 4
    assert draft.fills == [fill]


def test_executions_are_not_booked_while_those_before_them_are_not() -> None:
    order = an_order(qty=10)
    draft = a_draft(a_book({}, order))
    fills = [an_execution(order, seq, 2) for seq in (1, 2, 3, 4)]

    commands.book_executions(draft, fills[2:], after=2)
    assert (draft.book.booked_seq, draft.fills) == (0, [])

    commands.book_executions(draft, fills[:2])
    commands.book_executions(draft, fills[2:], after=2)
    assert (draft.book.booked_seq, draft.fills) == (4, fills)


def test_a_fill_of_an_order_that_is_still_pending_says_that_the_venue_has_it() -> None:
    order = an_order(qty=10, status=OrderStatus.PENDING)
    draft = a_draft(a_book({}, order))

    draft.book_execution(an_execution(order, 1, 4))
    commands.accept(draft, order.id)

    placed = [event for event in draft.events if isinstance(event, Placed)]
    assert placed == [Placed(order, PlacementStatus.SUCCESS)]
    assert draft.book.orders[order.id].status is OrderStatus.PARTLY_FILLED


def test_a_fill_that_adds_risk_while_the_venue_was_halted_is_told() -> None:
    buy, sell = an_order("AAPL", Side.BUY, 10), an_order("XOM", Side.SELL, 10)
    draft = a_draft(a_book({"XOM": 10}, buy, sell, halt=Halt(confirmed=True, began_at=3)))

    before, during = an_execution(buy, 3, 1), an_execution(buy, 4, 1)
    commands.book_executions(draft, [before, during, an_execution(sell, 5)])

    assert [event for event in draft.events if isinstance(event, RiskAdded)] == [RiskAdded(during)]
