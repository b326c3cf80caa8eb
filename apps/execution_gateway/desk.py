"""The desk: follows the market, and after each of its states fills, values and protects the book."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from apps.catalogue import SYMBOL, Cancellation, Side, gross_exposure_limit_dollars, open_orders
from apps.database import Database, when_there
from apps.execution_gateway import breaker, ledger
from apps.execution_gateway.breaker import Breaker, BreakerState
from apps.execution_gateway.cancellation import RESTING, NotOpen, adding_risk, cancel
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.models import Order
from apps.execution_gateway.paper_broker import PaperBroker
from apps.execution_gateway.placement import Placement
from apps.execution_gateway.pnl import ProfitAndLoss
from apps.execution_gateway.reconciliation import Reconciliation
from apps.execution_gateway.risk import Holdings
from apps.execution_gateway.settings import Settings
from apps.market import MarketState, follow
from apps.service import background, every

logger = logging.getLogger(__name__)


class Desk:
    """Everything that the gateway keeps while it runs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self._settings = settings
        self.market: MarketState | None = None
        self.holdings: Holdings | None = None
        self.broker = PaperBroker(database, settings)
        self.fills = Fills(database, self.broker)
        self.pnl = ProfitAndLoss(database, settings, self.fills)
        self.placement = Placement(
            database, self.broker, self.fills, settings, lambda: self.market, lambda: self.holdings
        )
        self._reconciliation = Reconciliation(database, self.broker)
        self._turn = asyncio.Lock()
        self.ready = False

    async def run(self) -> None:
        """Works for ever. Raises `ledger.MadeWithOtherCash` when the account began with another INITIAL_CASH."""
        await self.database.open()
        await when_there(lambda: ledger.open_account(self.database, self._settings.initial_cash))
        # Before any fill is booked: a placement that a crash cut off is counted as what it came to.
        await when_there(self.placement.settle)
        gross_exposure_limit_dollars.set(self._settings.gross_exposure_limit)
        self.ready = True
        async with background(self._follow(), every(1, self.settle), every(5, self._reconciliation.run)):
            await asyncio.Event().wait()

    async def _follow(self) -> None:
        async for state in follow(self._settings.redis_url):
            await self.see(state)

    async def see(self, state: MarketState) -> None:
        """Fills, values and protects the book at a new state of the market. Never raises."""
        SYMBOL.know(state.quotes)
        self.market = state
        for step in (self._fill, self._value_and_protect):
            try:
                await step()
            except Exception as error:  # the next state comes in half a second; `settle` looks after what is left
                logger.warning("%s, for a state of the market: %s: %s", step.__name__, type(error).__name__, error)

    async def _fill(self) -> None:
        if self.market is not None and await self.broker.see(self.market):
            await self.fills.book()

    async def settle(self) -> None:
        """What must happen also when the market is silent: half-done orders, unbooked fills, the breaker's gauge."""
        async with self.database.connection() as connection:
            breaker.show(await breaker.read(connection))
        await self.placement.settle()
        await self.fills.book()
        await self._value_and_protect()

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
        """Cancels what is left of an order; raises LookupError or `NotOpen`."""
        return await cancel(self.database, self.broker, self.fills, order_id, reason)

    async def trip(self, reason: str, by: str) -> Breaker:
        """Trips the breaker, and cancels the resting orders that add risk."""
        tripped = await breaker.trip(self.database, reason, by)
        try:
            await self._value_and_protect()
        except Exception as error:  # it is tripped, and that is the answer; `settle` cancels a second later
            logger.warning("after the trip: %s: %s", type(error).__name__, error)
        return tripped

    async def reset(self, reason: str, by: str) -> Breaker:
        """Allows trading again."""
        return await breaker.reset(self.database, reason, by)
