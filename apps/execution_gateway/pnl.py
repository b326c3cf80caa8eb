"""The P&L and the loss of the desk: values the book at each state of the market, without any query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.catalogue import (
    book_partial,
    cash_dollars,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    equity_high_water_mark_dollars,
    executions_set_aside,
    gross_exposure_dollars,
    net_exposure_dollars,
    open_orders,
    pnl_dollars,
    pnl_updated_timestamp_seconds,
    position_value_dollars,
    positions_current,
    positions_total,
    start_of_day_equity_dollars,
    unrealized_pnl_dollars,
)
from apps.execution_gateway import commands
from apps.execution_gateway.book import ZERO, Book
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.valuation import Valuation, equity_at, loss_ratio, value
from apps.market import MarketState
from apps.vocabulary import PnlType, Side


@dataclass(eq=False, slots=True)
class Day:
    """A trading date as the desk saw it. `highest` is the highest equity that was computed with a quote of each symbol.

    As long as the date is not stored, its start-of-day equity is the one of the last book that is known.
    """

    trading_date: dt.date
    previous_closes: Mapping[str, Decimal]
    start_of_day_equity: Decimal
    worst: Decimal = ZERO
    highest: Decimal | None = None

    def see(self, valuation: Valuation) -> None:
        """Takes the loss and the equity of a valuation."""
        self.worst = max(self.worst, loss_ratio(valuation.equity, self.start_of_day_equity))
        if not valuation.partial:
            self.highest = valuation.equity if self.highest is None else max(self.highest, valuation.equity)

    def store(self, draft: Draft, at: float) -> None:
        """Stores the worst loss and the highest equity, and trips the breaker if the loss is over its limit."""
        commands.mark(draft, self.trading_date, self.worst, self.highest)
        limit = draft.settings.daily_loss_limit
        if self.worst > limit:
            why = f"lost {self.worst:.2%} on {self.trading_date}, the limit is {limit:.2%}"
            commands.trip_for_loss(draft, self.trading_date, why, at)

    def is_stored(self, book: Book, limit: Decimal) -> bool:
        """Whether the book has all that `store` would change."""
        return (
            (self.trading_date != book.trading_date or self.worst <= book.daily_loss_ratio)
            and (self.highest is None or self.highest <= book.high_water_mark)
            and not self.trips(book, limit)
        )

    def trips(self, book: Book, limit: Decimal) -> bool:
        """Whether the loss of this date must trip the breaker and has not done so yet."""
        return self.worst > limit and book.loss_tripped_on != self.trading_date


class ProfitAndLoss:
    """The last valuation, the present day, and the days that have begun but are not stored yet."""

    def __init__(self) -> None:
        self.valuation: Valuation | None = None
        self.today: Day | None = None
        self.due: list[Day] = []

    @property
    def trading_date(self) -> dt.date | None:
        """The date of the last state of the market that was used."""
        return None if self.today is None else self.today.trading_date

    def see(self, book: Book, market: MarketState) -> Valuation:
        """Values the book, notes the loss, and sets the gauges."""
        if self.today is None or self.today.trading_date != market.trading_date:
            self._begin(book, market)
        assert self.today is not None
        if book.trading_date == self.today.trading_date and book.start_of_day_equity is not None:
            self.today.start_of_day_equity = book.start_of_day_equity
        self.valuation = value(book, market)
        self.today.see(self.valuation)
        self._show(self.valuation, self.today)
        return self.valuation

    def stored(self, days: list[Day]) -> None:
        """These days are stored."""
        self.due = [day for day in self.due if day not in days]

    @property
    def _days(self) -> list[Day]:
        return self.due if self.today is None else [self.today, *self.due]

    def trips(self, book: Book, limit: Decimal) -> bool:
        """Whether the loss of the present day, or of one that is not stored yet, must trip the breaker."""
        return any(day.trips(book, limit) for day in self._days)

    def forget_highest(self) -> None:
        """The high-water mark does not rise to an equity that was computed before."""
        for day in self._days:
            day.highest = None

    def forget_today(self) -> None:
        """The next state of the market begins its day, also an earlier one."""
        self.today = None

    def _begin(self, book: Book, market: MarketState) -> None:
        if self.today is not None and self.today not in self.due:
            self.due.append(self.today)  # its last figures may not be stored yet
        if book.trading_date == market.trading_date and book.start_of_day_equity is not None:
            self.today = Day(
                market.trading_date, market.previous_closes, book.start_of_day_equity, book.daily_loss_ratio
            )
            if any(day.trading_date > market.trading_date for day in self.due):  # a wrong date that is stored first
                self.due.append(self.today)
            return
        closes = market.previous_closes
        self.today = Day(market.trading_date, closes, equity_at(book, closes))
        self.due.append(self.today)

    def _show(self, valuation: Valuation, today: Day) -> None:
        book_partial.set(1 if valuation.partial else 0)
        pnl_dollars.set(valuation.unrealized, {"type": PnlType.UNREALIZED})
        pnl_dollars.set(valuation.total, {"type": PnlType.TOTAL})
        unrealized_pnl_dollars.replace(valuation.unrealized_by_symbol)
        position_value_dollars.replace(valuation.values)
        equity_dollars.set(valuation.equity)
        gross_exposure_dollars.set(valuation.gross)
        net_exposure_dollars.set(valuation.net)
        pnl_updated_timestamp_seconds.set(valuation.quoted_at)
        start_of_day_equity_dollars.set(today.start_of_day_equity)
        daily_pnl_dollars.set(valuation.equity - today.start_of_day_equity)
        daily_loss_ratio.set(today.worst)


def show_book(book: Book) -> None:
    """Sets the gauges that need no state of the market."""
    cash_dollars.set(book.cash)
    pnl_dollars.set(book.realized, {"type": PnlType.REALIZED})
    positions_current.replace({symbol: position.shares for symbol, position in book.positions.items()})
    positions_total.set(len(book.positions))
    equity_high_water_mark_dollars.set(book.high_water_mark)
    executions_set_aside.set(book.set_aside)
    open_orders.set(book.waiting.buys, {"side": Side.BUY})
    open_orders.set(len(book.orders) - book.waiting.buys, {"side": Side.SELL})
