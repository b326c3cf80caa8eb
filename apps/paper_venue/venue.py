"""The paper venue: fills orders at the current quote, with slippage and fee. Keeps its own book in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from apps.database import Connection, Database
from apps.execution_gateway.broker import VenueRejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import CENT, TICK, Order
from apps.market import MarketState
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import Side


@dataclass(slots=True)
class _Resting:
    symbol: str
    side: Side
    remaining: int
    limit_price: Decimal | None


class PaperVenue:
    """Implements `Broker`. Fills at most `max_shares_per_tick` of an order at its arrival and at each later tick."""

    def __init__(self, database: Database, settings: VenueSettings) -> None:
        self._database = database
        self._settings = settings
        self._market: MarketState | None = None
        self._resting: dict[UUID, _Resting] | None = None
        self._turn = asyncio.Lock()

    async def submit(self, order: Order) -> None:
        """Takes the order, and fills the first part if the price allows. Raises `VenueRejected` while it is closed."""
        async with self._turn:
            resting = await self._load()
            if self._market is None or not self._market.open or order.symbol not in self._market.quotes:
                raise VenueRejected("the venue is closed")
            taken = _Resting(order.symbol, order.side, order.qty, order.limit_price)
            try:
                async with self._database.transaction() as connection:
                    inserted = await connection.fetchval(
                        "INSERT INTO venue.orders VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id",
                        order.id,
                        order.symbol,
                        order.side,
                        order.qty,
                        order.limit_price,
                    )
                    if inserted is None:
                        return
                    await self._fill(connection, order.id, taken, self._market, arrived=True)
            except BaseException:
                self._resting = None  # whether it was committed is for PostgreSQL to say
                raise
            if taken.remaining:
                resting[order.id] = taken

    async def cancel(self, order_id: UUID) -> None:
        """Cancels the unfilled rest of the order."""
        async with self._turn:
            resting = await self._load()
            try:
                async with self._database.connection() as connection:
                    await connection.execute("UPDATE venue.orders SET remaining = 0 WHERE id = $1", order_id)
            except BaseException:
                self._resting = None  # whether it was committed is for PostgreSQL to say
                raise
            resting.pop(order_id, None)

    async def knows(self, order_id: UUID) -> bool:
        """Whether the venue has ever taken the order."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval("SELECT true FROM venue.orders WHERE id = $1", order_id))

    async def executions_after(self, seq: int) -> Sequence[Execution]:
        """Every fill with a higher `seq`, oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch("SELECT * FROM venue.executions WHERE seq > $1 ORDER BY seq", seq)
        return [Execution(**{**row, "side": Side(row["side"])}) for row in rows]

    async def shares(self) -> dict[str, int]:
        """The signed shares of each symbol, summed over the executions."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END)::bigint AS shares"
                " FROM venue.executions GROUP BY symbol HAVING sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) <> 0"
            )
        return {row["symbol"]: row["shares"] for row in rows}

    async def see(self, market: MarketState) -> bool:
        """Fills resting orders at new quotes. Returns whether anything was filled."""
        async with self._turn:
            ticked = market.open and (self._market is None or market.quotes != self._market.quotes)
            self._market = market
            resting = await self._load() if ticked else {}
            filled = False
            for order_id, order in list(resting.items()):
                try:
                    async with self._database.transaction() as connection:
                        filled |= await self._fill(connection, order_id, order, market, arrived=False)
                except BaseException:
                    self._resting = None
                    raise
                if order.remaining == 0:
                    del resting[order_id]
            return filled

    async def _load(self) -> dict[UUID, _Resting]:
        if self._resting is None:
            async with self._database.connection() as connection:
                rows = await connection.fetch("SELECT * FROM venue.orders WHERE remaining > 0")
            self._resting = {
                row["id"]: _Resting(row["symbol"], Side(row["side"]), row["remaining"], row["limit_price"])
                for row in rows
            }
        return self._resting

    async def _fill(
        self, connection: Connection, order_id: UUID, order: _Resting, market: MarketState, *, arrived: bool
    ) -> bool:
        price = self._price(order, market, arrived=arrived)
        if price is None:
            return False
        qty = min(order.remaining, self._settings.max_shares_per_tick)
        fee = (qty * self._settings.fee_per_share).quantize(CENT, ROUND_HALF_UP)
        await connection.execute("UPDATE venue.orders SET remaining = remaining - $2 WHERE id = $1", order_id, qty)
        await connection.execute(
            "INSERT INTO venue.executions (order_id, symbol, side, qty, price, fee, trading_date)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            order_id,
            order.symbol,
            order.side,
            qty,
            price,
            fee,
            market.trading_date,
        )
        order.remaining -= qty
        return True

    def _price(self, order: _Resting, market: MarketState, *, arrived: bool) -> Decimal | None:
        """The price of a fill now, or None if the order cannot be filled now.

        It is the quote made worse by slippage, but not worse than the limit. A limit order that has rested gets its
        limit price.
        """
        quote = market.quotes.get(order.symbol)
        if quote is None:
            return None
        sign = order.side.sign
        taken = (quote.price * (1 + sign * self._settings.slippage_bps / 10_000)).quantize(TICK)
        if order.limit_price is None:
            return taken
        if sign * (order.limit_price - quote.price) < 0:
            return None
        if not arrived:
            return order.limit_price
        return min(taken, order.limit_price) if order.side is Side.BUY else max(taken, order.limit_price)
