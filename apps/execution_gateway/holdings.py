"""What the desk holds, and what its open orders may make of it. No input or output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.execution_gateway.book import Book, Position
from apps.execution_gateway.models import Order
from apps.vocabulary import Side


@dataclass(frozen=True, slots=True)
class Holdings:
    """The book, and the orders that may still change it."""

    book: Book
    open_orders: Sequence[Order]

    def shares(self, symbol: str, side: Side) -> int:
        """Shares once every open order of that side is filled."""
        held = self.book.positions.get(symbol, Position()).shares
        waiting = sum(o.remaining for o in self.open_orders if o.symbol == symbol and o.side is side)
        return held + side.sign * waiting

    def adds_risk(self, symbol: str, side: Side, qty: int) -> bool:
        """Whether filling it raises the absolute position or crosses zero."""
        before = self.shares(symbol, side)
        after = before + side.sign * qty
        return abs(after) > abs(before) or before * after < 0

    def most_shares(self, symbol: str) -> int:
        """The largest absolute position that the open orders can lead to."""
        return max(abs(self.shares(symbol, side)) for side in Side)

    def symbols(self) -> set[str]:
        """Symbols that are held, or may be."""
        return {*self.book.positions, *(o.symbol for o in self.open_orders)}
