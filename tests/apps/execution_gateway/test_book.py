"""The arithmetic of the book, compared with an independent computation from the fills."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution_gateway.book import Book, Halt, Position, adds_risk, orders_adding_risk
from apps.execution_gateway.models import Order
from apps.execution_gateway.valuation import value
from apps.vocabulary import Side
from tests.apps.execution_gateway.books import a_book, an_order
from tests.apps.markets import market


@dataclass(frozen=True)
class Fill:
    """A fill."""

    side: Side
    qty: int
    price: Decimal
    fee: Decimal


prices = st.decimals("0.0001", "4000", places=4)
fills = st.builds(Fill, st.sampled_from(Side), st.integers(1, 5000), prices, st.decimals(0, 25, places=2))


def recomputed(sequence: Sequence[Fill], last: Decimal) -> tuple[Fraction, Fraction, Fraction]:
    """Realized P&L, unrealized P&L and cash flow. Uses exact fractions, and a total cost instead of an average cost."""
    shares, paid = 0, Fraction(0)
    realized = cash = Fraction(0)
    for fill in sequence:
        price = Fraction(fill.price)
        change = fill.qty if fill.side is Side.BUY else -fill.qty
        cash -= change * price + Fraction(fill.fee)
        realized -= Fraction(fill.fee)
        closing = min(abs(shares), abs(change)) if shares * change < 0 else 0
        if closing:
            part = Fraction(closing, abs(shares))
            sold = closing * price * (1 if shares > 0 else -1)
            realized += sold - paid * part
            paid -= paid * part
            shares += closing if shares < 0 else -closing
        opening = abs(change) - closing
        signed = opening if change > 0 else -opening
        shares += signed
        paid += signed * price
    return realized, shares * Fraction(last) - paid, cash


@given(st.lists(fills, max_size=30), prices)
def test_realized_plus_unrealized_is_equity_minus_initial_cash_to_the_cent(sequence: list[Fill], last: Decimal) -> None:
    position, cash, realized = Position(), Decimal(1_000_000), Decimal(0)
    for fill in sequence:
        position, gained = position.after(fill.side, fill.qty, fill.price)
        realized += gained - fill.fee
        cash -= fill.side.sign * fill.qty * fill.price + fill.fee
    held = {"AAPL": position} if position.shares else {}

    valuation = value(Book(1, Decimal(1_000_000), cash, realized, held), market({"AAPL": last}))

    expected_realized, expected_unrealized, flow = recomputed(sequence, last)
    assert position.shares == sum(fill.side.sign * fill.qty for fill in sequence)
    assert abs(Fraction(realized) - expected_realized) < Fraction(1, 200)
    assert abs(Fraction(valuation.unrealized) - expected_unrealized) < Fraction(1, 200)
    assert Fraction(cash) - 1_000_000 == flow
    # An average cost is rounded to 28 digits. That is far more exact than a cent, but not exact.
    assert abs(valuation.total - (valuation.equity - 1_000_000)) < Decimal("1e-12")


@pytest.mark.parametrize(
    ("before", "side", "qty", "price", "after", "realized"),
    [
        ((0, 0), Side.BUY, 10, 100, (10, 100), 0),
        ((10, 100), Side.BUY, 30, 200, (40, 175), 0),
        ((40, 175), Side.SELL, 10, 200, (30, 175), 250),
        ((30, 175), Side.SELL, 30, 100, (0, 0), -2250),
        ((10, 100), Side.SELL, 25, 110, (-15, 110), 100),
        ((0, 0), Side.SELL, 10, 100, (-10, 100), 0),
        ((-10, 100), Side.SELL, 10, 120, (-20, 110), 0),
        ((-20, 110), Side.BUY, 5, 100, (-15, 110), 50),
        ((-15, 110), Side.BUY, 20, 120, (5, 120), -150),
    ],
)
def test_a_fill_that_crosses_zero_closes_at_the_old_average_cost_and_opens_at_its_own_price(
    before: tuple[int, int], side: Side, qty: int, price: int, after: tuple[int, int], realized: int
) -> None:
    position = Position(before[0], Decimal(before[1]))

    new, gained = position.after(side, qty, Decimal(price))

    assert (new.shares, float(new.average_cost), float(gained)) == (*after, realized)


@given(st.lists(fills, min_size=1, max_size=10))
def test_a_position_remembers_the_price_of_its_last_fill(sequence: list[Fill]) -> None:
    position = Position()
    for fill in sequence:
        position, _ = position.after(fill.side, fill.qty, fill.price)

        assert position.last_price == fill.price


@pytest.mark.parametrize(
    ("shares", "side", "qty", "adds"),
    [
        (0, Side.BUY, 1, True),
        (10, Side.BUY, 1, True),
        (10, Side.SELL, 10, False),
        (10, Side.SELL, 11, True),  # crosses zero
        (10, Side.SELL, 25, True),
        (-10, Side.SELL, 1, True),
        (-10, Side.BUY, 10, False),
        (-10, Side.BUY, 11, True),
    ],
)
def test_what_makes_a_position_larger_or_crosses_zero_adds_risk(shares: int, side: Side, qty: int, adds: bool) -> None:
    assert adds_risk(shares, side, qty) is adds


@pytest.mark.parametrize(
    ("held", "waiting", "side", "qty", "adds"),
    [
        (10, 10, Side.SELL, 1, True),  # another sell is open
        (10, 4, Side.SELL, 6, False),
        (-10, 10, Side.BUY, 1, True),
        (0, 0, Side.BUY, 1, True),
    ],
)
def test_an_order_adds_risk_as_if_the_open_orders_of_its_side_were_filled(
    held: int, waiting: int, side: Side, qty: int, adds: bool
) -> None:
    book = a_book({"AAPL": held} if held else {}, *([an_order("AAPL", side, waiting)] if waiting else []))

    assert book.adds_risk("AAPL", side, qty) is adds


def test_of_the_orders_that_reduce_a_position_only_as_many_as_it_has_shares_for_add_no_risk() -> None:
    def sell(qty: int, second: int, filled: int = 0) -> Order:
        at = dt.datetime(2020, 3, 9, 15, 0, second, tzinfo=dt.UTC)
        return an_order("AAPL", Side.SELL, qty, filled=filled, created_at=at)

    first, second, third = sell(6, 1), sell(9, 2, filled=3), sell(4, 3)
    buy, short = an_order("AAPL", Side.BUY, 1), an_order("XOM", Side.SELL, 1)
    book = a_book({"AAPL": 10})

    assert orders_adding_risk(book, [buy, third, second, first]) == [second, buy]
    assert orders_adding_risk(book, [short]) == [short]
    assert orders_adding_risk(book, [first, third]) == []


def test_the_largest_possible_position_counts_the_open_orders_of_either_side() -> None:
    book = a_book({"AAPL": 10}, an_order("AAPL", Side.SELL, 25), an_order("AAPL", Side.BUY, 3), an_order("XOM"))

    assert (book.shares("AAPL", Side.BUY), book.shares("AAPL", Side.SELL)) == (13, -15)
    assert [book.most_shares(symbol) for symbol in ("AAPL", "XOM", "MSFT")] == [15, 10, 0]
    assert book.symbols() == {"AAPL", "XOM"}


@pytest.mark.parametrize(
    ("halt", "covered"),
    [
        (Halt(), []),
        (Halt(confirmed=True, began_at=3), [4, 5, 6]),
        (Halt(confirmed=False, began_at=3, ended_at=5), [4, 5]),
        (Halt(confirmed=True, began_at=0), [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_halt_covers_the_executions_between_its_beginning_and_its_end(halt: Halt, covered: list[int]) -> None:
    assert [seq for seq in range(1, 7) if halt.covers(seq)] == covered
