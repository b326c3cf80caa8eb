"""The book: cash, positions at average cost, and what a fill does to them. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.vocabulary import Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Signed shares at average cost in dollars, fees left out."""

    shares: int = 0
    average_cost: Decimal = ZERO

    def after(self, side: Side, qty: int, price: Decimal) -> tuple[Position, Decimal]:
        """The position after a fill, and the P&L that the part which closes realizes (fees not counted).

        A fill that crosses zero closes at the old average cost and opens at its own price.
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
    """What the desk owns, and the P&L it has realized, every fee taken off."""

    initial_cash: Decimal
    cash: Decimal
    realized: Decimal
    positions: Mapping[str, Position]


@dataclass(frozen=True, slots=True)
class Valuation:
    """A book at prices, in dollars."""

    values: dict[str, Decimal]
    unrealized_by_symbol: dict[str, Decimal]
    realized: Decimal
    equity: Decimal
    initial_cash: Decimal

    @property
    def unrealized(self) -> Decimal:
        """Over all symbols."""
        return sum(self.unrealized_by_symbol.values(), ZERO)

    @property
    def total(self) -> Decimal:
        """Realized plus unrealized; equity less initial cash is the same."""
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
    """The book at these prices; raises KeyError for a position that has none."""
    values = {symbol: position.shares * prices[symbol] for symbol, position in book.positions.items()}
    unrealized = {
        symbol: position.shares * (prices[symbol] - position.average_cost)
        for symbol, position in book.positions.items()
    }
    return Valuation(values, unrealized, book.realized, book.cash + sum(values.values(), ZERO), book.initial_cash)
