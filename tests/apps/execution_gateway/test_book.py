"""The arithmetic of the book, compared with an independent computation from the fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution_gateway.book import Book, Position, value
from apps.vocabulary import Side


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

    valuation = value(Book(Decimal(1_000_000), cash, realized, held), {"AAPL": last})

    expected_realized, expected_unrealized, flow = recomputed(sequence, last)
    assert position.shares == sum(fill.side.sign * fill.qty for fill in sequence)
    assert abs(Fraction(valuation.realized) - expected_realized) < Fraction(1, 200)
    assert abs(Fraction(valuation.unrealized) - expected_unrealized) < Fraction(1, 200)
    assert Fraction(cash) - 1_000_000 == flow
    # An average cost is rounded to 28 digits. That is far more exact than a cent, but not exact.
    assert abs(valuation.total - (valuation.equity - valuation.initial_cash)) < Decimal("1e-12")


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

    assert position.after(side, qty, Decimal(price)) == (Position(after[0], Decimal(after[1])), Decimal(realized))


def test_a_valuation_has_gross_and_net_exposure() -> None:
    book = Book(
        Decimal(1000),
        Decimal(1200),
        Decimal(-5),
        {"AAPL": Position(10, Decimal(90)), "MSFT": Position(-4, Decimal(210))},
    )

    valuation = value(book, {"AAPL": Decimal(100), "MSFT": Decimal(200), "XOM": Decimal(1)})

    assert valuation.values == {"AAPL": 1000, "MSFT": -800}
    assert valuation.unrealized_by_symbol == {"AAPL": 100, "MSFT": 40}
    assert [valuation.gross, valuation.net, valuation.equity] == [1800, 200, 1400]
    assert [valuation.unrealized, valuation.total] == [140, 135]


def test_a_position_without_a_price_cannot_be_valued() -> None:
    with pytest.raises(KeyError):
        value(Book(Decimal(0), Decimal(0), Decimal(0), {"AAPL": Position(1, Decimal(1))}), {})
