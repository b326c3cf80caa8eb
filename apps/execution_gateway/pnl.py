"""Values the book at the last quotes, keeps the worst daily loss and the high-water mark, and sets the gauges."""

from __future__ import annotations

import datetime as dt
import logging
import time
from decimal import Decimal

from apps.background import Duty, described
from apps.catalogue import (
    cash_dollars,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    equity_high_water_mark_dollars,
    gross_exposure_dollars,
    net_exposure_dollars,
    pnl_dollars,
    pnl_updated_timestamp_seconds,
    position_value_dollars,
    positions_current,
    positions_total,
    start_of_day_equity_dollars,
    unrealized_pnl_dollars,
)
from apps.database import UNAVAILABLE, Database, Unavailable
from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.book import ZERO, Book, Valuation, value
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.ledger import Account
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.vocabulary import PnlType

logger = logging.getLogger(__name__)


def loss_ratio(equity: Decimal, start_of_day_equity: Decimal) -> Decimal:
    """The loss divided by start-of-day equity, at least 0. It is 1 if money was lost on an equity of zero or less."""
    loss = start_of_day_equity - equity
    if loss <= 0:
        return ZERO
    return loss / start_of_day_equity if start_of_day_equity > 0 else Decimal(1)


def _is_new(market: MarketState | None, account: Account) -> bool:
    """Whether the market is at a later trading date than the account. An old state from Redis is at an earlier one."""
    return market is not None and (account.trading_date is None or market.trading_date > account.trading_date)


class ProfitAndLoss:
    """The P&L, equity and loss of the desk, as last computed."""

    def __init__(self, database: Database, settings: Settings, fills: Fills) -> None:
        self._database = database
        self._settings = settings
        self._fills = fills
        self._reading = Duty("reading the book", logger)
        self._worst: tuple[dt.date | None, Decimal] = (None, ZERO)
        self.book: Book | None = None
        self.account: Account | None = None
        self.valuation: Valuation | None = None

    @property
    def daily(self) -> Decimal | None:
        """Equity minus start-of-day equity. None if one of them is not known yet."""
        if self.valuation is None or self.account is None or self.account.start_of_day_equity is None:
            return None
        return self.valuation.equity - self.account.start_of_day_equity

    @property
    def worst_loss_ratio(self) -> Decimal:
        """The worst daily loss of the account's trading date. If PostgreSQL was down, it may not be stored yet."""
        if self.account is None:
            return ZERO
        date, worst = self._worst
        return max(self.account.daily_loss_ratio, worst if date == self.account.trading_date else ZERO)

    async def update(self, market: MarketState | None) -> None:
        """Reads and values the book, sets the gauges, stores new marks, trips the breaker if the loss is too large."""
        try:
            await self._read(market)
        except (Unavailable, *UNAVAILABLE) as error:
            # While PostgreSQL is down nothing is booked. So the last book is still right, and only prices change.
            self._reading.failed(described(error), error)
        else:
            self._reading.succeeded()
        if self.book is None or self.account is None:
            return
        self._show_account(self.book, self.account)
        if market is None or not all(symbol in market.quotes for symbol in self.book.positions):
            return
        self.valuation = value(self.book, {symbol: quote.price for symbol, quote in market.quotes.items()})
        self._show_valuation(self.valuation)
        ages = [market.quotes[symbol].at for symbol in self.book.positions]
        pnl_updated_timestamp_seconds.set(min(ages, default=time.time()))
        await self._mark(market, self.account, self.valuation)

    async def _read(self, market: MarketState | None) -> None:
        if self.account is None or _is_new(market, self.account):
            # Start-of-day equity needs every fill of the days before, so all of them must be booked now.
            await self._fills.book()
        async with self._database.transaction() as connection:
            book, account = await ledger.read_book(connection)
            # The trading date changes at the open. The fills and closes before the open do not change later, so
            # start-of-day equity is also right when this service was down at the open.
            if market is not None and _is_new(market, account):
                equity = await ledger.equity_at_open(connection, market.trading_date, market.previous_closes)
                await ledger.start_day(connection, market.trading_date, equity)
                book, account = await ledger.read_book(connection)
                logger.info("trading date %s starts with an equity of %.2f", market.trading_date, equity)
        self.book, self.account = book, account

    async def _mark(self, market: MarketState, account: Account, valuation: Valuation) -> None:
        if account.start_of_day_equity is None or account.trading_date != market.trading_date:
            return
        lost = max(self.worst_loss_ratio, loss_ratio(valuation.equity, account.start_of_day_equity))
        self._worst = (account.trading_date, lost)
        daily_pnl_dollars.set(valuation.equity - account.start_of_day_equity)
        daily_loss_ratio.set(lost)
        if lost > account.daily_loss_ratio or valuation.equity > account.high_water_mark:
            async with self._database.connection() as connection:
                await ledger.raise_marks(connection, market.trading_date, lost, valuation.equity)
        if lost > self._settings.daily_loss_limit and account.loss_tripped_on != market.trading_date:
            await breaker.trip_for_loss(
                self._database,
                market.trading_date,
                f"lost {lost:.2%} on {market.trading_date}, the limit is {self._settings.daily_loss_limit:.2%}",
            )

    def _show_account(self, book: Book, account: Account) -> None:
        cash_dollars.set(book.cash)
        pnl_dollars.set(book.realized, {"type": PnlType.REALIZED})
        positions_current.replace({symbol: position.shares for symbol, position in book.positions.items()})
        positions_total.set(len(book.positions))
        equity_high_water_mark_dollars.set(account.high_water_mark)
        daily_loss_ratio.set(self.worst_loss_ratio)
        if account.start_of_day_equity is not None:
            start_of_day_equity_dollars.set(account.start_of_day_equity)

    def _show_valuation(self, valuation: Valuation) -> None:
        pnl_dollars.set(valuation.unrealized, {"type": PnlType.UNREALIZED})
        pnl_dollars.set(valuation.total, {"type": PnlType.TOTAL})
        unrealized_pnl_dollars.replace(valuation.unrealized_by_symbol)
        position_value_dollars.replace(valuation.values)
        equity_dollars.set(valuation.equity)
        gross_exposure_dollars.set(valuation.gross)
        net_exposure_dollars.set(valuation.net)
