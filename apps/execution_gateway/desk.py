"""The desk: follows the market. After each state of the market it books fills, values the book and limits its risk."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from apps.background import Duty, background, every
from apps.catalogue import SYMBOL, gross_exposure_limit_dollars, open_orders
from apps.database import Database, when_there
from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.breaker import Breaker
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.cancellation import adding_risk, cancel
from apps.execution_gateway.errors import NotOpen
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import RESTING, Order
from apps.execution_gateway.placement import Placement
from apps.execution_gateway.pnl import ProfitAndLoss
from apps.execution_gateway.reconciliation import Reconciliation
from apps.execution_gateway.settings import Settings
from apps.market import MarketState, follow
from apps.vocabulary import BreakerState, Cancellation, Side

logger = logging.getLogger(__name__)


class Desk:
    """The gateway's work at one venue, and the state that it keeps in memory."""

    def __init__(self, database: Database, broker: Broker, settings: Settings) -> None:
        self.database = database
        self.broker = broker
        self._settings = settings
        self.market: MarketState | None = None
        self.holdings: Holdings | None = None
        self.fills = Fills(database, broker)
        self.pnl = ProfitAndLoss(database, settings, self.fills)
        self.placement = Placement(database, broker, self.fills, settings, lambda: self.market, lambda: self.holdings)
        self._reconciliation = Reconciliation(database, broker)
        self._reading_breaker = Duty("reading the circuit breaker", logger)
        self._resolving = Duty("resolving pending orders", logger)
        self._filling = Duty("filling resting orders", logger)
        self._booking = Duty("booking fills", logger)
        self._protecting = Duty("valuing and protecting the book", logger)
        self._turn = asyncio.Lock()
        self.ready = False

    async def run(self) -> None:
        """Works until cancelled. Raises `ledger.MadeWithOtherCash` if the account began with another INITIAL_CASH."""
        await self.database.open()
        await when_there(lambda: ledger.open_account(self.database, self._settings.initial_cash))
        # This must come before any fill is booked. It counts the placements that a crash interrupted, and finds them by
        # their status `pending`, which a booked fill would change.
        await when_there(self.placement.resolve_pending)
        gross_exposure_limit_dollars.set(self._settings.gross_exposure_limit)
        self.ready = True
        reconciling = every(5, Duty("reconciling with the venue", logger), self._reconciliation.run)
        async with background(self._follow(), self._catch_up_for_ever(), reconciling):
            await asyncio.Event().wait()

    async def _follow(self) -> None:
        async for state in follow(self._settings.redis_url):
            await self.see(state)

    async def _catch_up_for_ever(self) -> None:
        while True:
            await self.catch_up()
            await asyncio.sleep(1)

    async def see(self, state: MarketState) -> None:
        """Books fills, values the book and limits its risk at a new state of the market. Never raises."""
        SYMBOL.know(state.quotes)
        self.market = state
        await self._filling.attempt(self._fill)
        await self._protecting.attempt(self._value_and_protect)

    async def _fill(self) -> None:
        if self.market is not None and await self.broker.see(self.market):
            await self.fills.book()

    async def catch_up(self) -> None:
        """Does the work that must not wait for the market. Never raises.

        It sets the breaker's gauge, resolves interrupted placements, books fills, values the book and limits its risk.
        """
        await self._reading_breaker.attempt(self._show_breaker)
        await self._resolving.attempt(self.placement.resolve_pending)
        await self._booking.attempt(self.fills.book)
        await self._protecting.attempt(self._value_and_protect)

    async def _show_breaker(self) -> None:
        async with self.database.connection() as connection:
            breaker.show(await breaker.read(connection))

    async def _value_and_protect(self) -> None:
        async with self._turn:
            await self.pnl.update(self.market)
            async with self.database.connection() as connection:
                self.holdings = await ledger.read_holdings(connection)
                tripped = (await breaker.read(connection)).state is BreakerState.TRIPPED
            for side in Side:
                open_orders.set(sum(o.side is side for o in self.holdings.open_orders), {"side": side})
            if tripped:
                await self._cancel_all(adding_risk(self.holdings), Cancellation.BREAKER)
            if self.market is not None and not self.market.open:
                resting = [o for o in self.holdings.open_orders if o.status in RESTING]
                await self._cancel_all(resting, Cancellation.SESSION_CLOSED)

    async def _cancel_all(self, orders: list[Order], reason: Cancellation) -> None:
        for order in orders:
            try:
                await self.cancel(order.id, reason)
            except NotOpen as ended:
                logger.info("order %s: %s", order.id, ended)

    async def cancel(self, order_id: UUID, reason: Cancellation) -> Order:
        """Cancels the unfilled rest of an order. Raises `UnknownOrder` or `NotOpen`."""
        return await cancel(self.database, self.broker, self.fills, order_id, reason)

    async def trip(self, reason: str, by: str) -> Breaker:
        """Trips the breaker, and cancels the resting orders that add risk."""
        tripped = await breaker.trip(self.database, reason, by)
        # The trip has succeeded, even if a cancellation fails now. `catch_up` tries again each second.
        await self._protecting.attempt(self._value_and_protect)
        return tripped

    async def reset(self, reason: str, by: str) -> Breaker:
        """Resets the breaker, so that trading is allowed again."""
        return await breaker.reset(self.database, reason, by)
