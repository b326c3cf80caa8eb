"""What the desk holds, and how its open orders may change that. Does no input or output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.execution_gateway.book import Book, Position
from apps.execution_gateway.models import Order
from apps.vocabulary import Side


@dataclass(frozen=True, slots=True)
class Holdings:
    """The book and the open orders."""

    book: Book
    open_orders: Sequence[Order]

    def shares(self, symbol: str, side: Side) -> int:
        """Signed shares of the symbol if every open order of that side is filled."""
        held = self.book.positions.get(symbol, Position()).shares
        waiting = sum(o.remaining for o in self.open_orders if o.symbol == symbol and o.side is side)
        return held + side.sign * waiting

    def adds_risk(self, symbol: str, side: Side, qty: int) -> bool:
        """Whether an order adds risk: filled, it makes the position larger in absolute terms or crosses zero."""
        before = self.shares(symbol, side)
        after = before + side.sign * qty
        return abs(after) > abs(before) or before * after < 0

    def most_shares(self, symbol: str) -> int:
        """The largest absolute position that is possible with the open orders."""
        return max(abs(self.shares(symbol, side)) for side in Side)

    def symbols(self) -> set[str]:
        """The symbols of positions and open orders."""
        return {*self.book.positions, *(o.symbol for o in self.open_orders)}
