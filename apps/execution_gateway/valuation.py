"""Values a book at the prices of one state of the market. Does no input or output."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.execution_gateway.book import ZERO, Book
from apps.market import MarketState


@dataclass(frozen=True, slots=True)
class Valuation:
    """The value of one version of the book in one state of the market, in dollars.

    `quoted_at` is the time of the oldest quote that is used, or the time of the state if no quote is used. `partial`
    names the symbols that are valued without a quote, at their previous close or at the last price that was stored.
    """

    book: Book
    trading_date: dt.date
    market_at: float
    quoted_at: float
    values: Mapping[str, Decimal]
    unrealized_by_symbol: Mapping[str, Decimal]
    partial: tuple[str, ...]
    equity: Decimal

    @property
    def unrealized(self) -> Decimal:
        """Unrealized P&L of all symbols."""
        return sum(self.unrealized_by_symbol.values(), ZERO)

    @property
    def total(self) -> Decimal:
        """Realized plus unrealized P&L. It equals equity minus initial cash."""
        return self.book.realized + self.unrealized

    @property
    def gross(self) -> Decimal:
        """Sum of the absolute position values."""
        return sum(map(abs, self.values.values()), ZERO)

    @property
    def net(self) -> Decimal:
        """Sum of the signed position values."""
        return sum(self.values.values(), ZERO)


def price(book: Book, market: MarketState, symbol: str) -> Decimal | None:
    """The best known price of a symbol: its quote, its previous close, or the last price that the desk stored.

    For a symbol that is only in open orders it is the dearest price at which one of them was placed.
    """
    if symbol in market.quotes:
        return market.quotes[symbol].price
    if symbol in market.previous_closes:
        return market.previous_closes[symbol]
    if symbol in book.positions:
        return book.positions[symbol].last_price
    placed = [order.worst_price or order.arrival_price for order in book.orders.values() if order.symbol == symbol]
    return max((at for at in placed if at is not None), default=None)


def value(book: Book, market: MarketState) -> Valuation:
    """Values the book. Every held symbol has a price, because the desk stores that of each fill."""
    prices = {symbol: price(book, market, symbol) or ZERO for symbol in book.positions}
    values = {symbol: position.shares * prices[symbol] for symbol, position in book.positions.items()}
    return Valuation(
        book=book,
        trading_date=market.trading_date,
        market_at=market.at,
        quoted_at=min((market.quotes[symbol].at for symbol in prices if symbol in market.quotes), default=market.at),
        values=values,
        unrealized_by_symbol={
            symbol: position.shares * (prices[symbol] - position.average_cost)
            for symbol, position in book.positions.items()
        },
        partial=tuple(symbol for symbol in prices if symbol not in market.quotes),
        equity=book.cash + sum(values.values(), ZERO),
    )


def equity_at(book: Book, closes: Mapping[str, Decimal]) -> Decimal:
    """Equity at these closes. A symbol without one is valued at the last price that the desk stored."""
    return book.cash + sum(
        (position.shares * closes.get(symbol, position.last_price) for symbol, position in book.positions.items()),
        ZERO,
    )


def loss_ratio(equity: Decimal, start_of_day_equity: Decimal) -> Decimal:
    """The loss divided by start-of-day equity, at least 0. It is 1 if money was lost on an equity of zero or less."""
    loss = start_of_day_equity - equity
    if loss <= 0:
        return ZERO
    return loss / start_of_day_equity if start_of_day_equity > 0 else Decimal(1)
