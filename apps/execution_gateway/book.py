"""The book: cash, positions at average cost, and how a fill changes a position. Does no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.vocabulary import Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Signed shares of one symbol, and their average cost in dollars without fees."""

    shares: int = 0
    average_cost: Decimal = ZERO

    def after(self, side: Side, qty: int, price: Decimal) -> tuple[Position, Decimal]:
        """The position after a fill, and the P&L that the fill realizes, without fees.

        Only the part of a fill that closes shares realizes P&L. A fill that crosses zero closes all shares at the old
        average cost. The new position has the price of the fill as its cost.
        """
        change = side.sign * qty
        shares = self.shares + change
        if self.shares * change >= 0:
            cost = (self.average_cost * abs(self.shares) + price * qty) / abs(shares)
            return Position(shares, cost), ZERO
        closed = min(abs(self.shares), qty)
        realized = (price - self.average_cost) * closed * (1 if self.shares > 0 else -1)
        if shares == 0:
            return Position(), realized
        crossed = (shares > 0) != (self.shares > 0)
        return Position(shares, price if crossed else self.average_cost), realized


@dataclass(frozen=True, slots=True)
class Book:
    """Cash, positions, and realized P&L after fees."""

    initial_cash: Decimal
    cash: Decimal
    realized: Decimal
    positions: Mapping[str, Position]


@dataclass(frozen=True, slots=True)
class Valuation:
    """The value of a book at given prices, in dollars."""

    values: dict[str, Decimal]
    unrealized_by_symbol: dict[str, Decimal]
    realized: Decimal
    equity: Decimal
    initial_cash: Decimal

    @property
    def unrealized(self) -> Decimal:
        """Unrealized P&L of all symbols."""
        return sum(self.unrealized_by_symbol.values(), ZERO)

    @property
    def total(self) -> Decimal:
        """Realized plus unrealized P&L. It equals equity minus initial cash."""
        return self.realized + self.unrealized

    @property
    def gross(self) -> Decimal:
        """Sum of the absolute position values."""
        return sum(map(abs, self.values.values()), ZERO)

    @property
    def net(self) -> Decimal:
        """Sum of the signed position values."""
        return sum(self.values.values(), ZERO)


def value(book: Book, prices: Mapping[str, Decimal]) -> Valuation:
    """Values the book at these prices. Raises KeyError if a position has no price."""
    values = {symbol: position.shares * prices[symbol] for symbol, position in book.positions.items()}
    unrealized = {
        symbol: position.shares * (prices[symbol] - position.average_cost)
        for symbol, position in book.positions.items()
    }
    return Valuation(values, unrealized, book.realized, book.cash + sum(values.values(), ZERO), book.initial_cash)
