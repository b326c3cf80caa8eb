"""The paper venue: fills orders at the current quote, with slippage and fee. Keeps its own book in PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from apps.database import Connection, Database
from apps.execution_gateway.broker import VenueRejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.market import MarketState, Quote
from apps.paper_venue.matching import Fill, Match, Resting, match, usable
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import Side

# Each change begins here. The row stays locked until the end of the transaction, so that executions get their seq in
# the order of the commits. A row that somebody else inserted may have a higher seq than the venue has given.
_CHANGE = """
UPDATE venue.state SET
    version = version + 1,
    seq = greatest(seq, (SELECT coalesce(max(seq), 0) FROM venue.executions)) + $1,
    halted = coalesce($2, halted),
    trading_date = coalesce($3, trading_date)
WHERE version = coalesce($4, version)
RETURNING version, seq
"""

_TAKE = """
INSERT INTO venue.orders (id, symbol, side, qty, remaining, limit_price, worst_price, trading_date, rested)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
"""

_CANCEL = """
INSERT INTO venue.orders (id, qty, remaining, cancelled) VALUES ($1, 0, 0, true)
ON CONFLICT (id) DO UPDATE SET remaining = 0, cancelled = true RETURNING qty > 0 AS taken, symbol
"""

_UPDATE = """
UPDATE venue.orders SET remaining = orders.remaining - change.qty, rested = orders.rested OR change.rested
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::boolean[]) AS change (id, remaining, qty, rested)
WHERE orders.id = change.id AND orders.remaining = change.remaining
"""

_EXECUTE = """
INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)
SELECT $1 + number, order_id, symbol, side, qty, price, fee, $2
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::numeric[], $8::numeric[])
    WITH ORDINALITY AS fill (order_id, symbol, side, qty, price, fee, number)
"""


class _Stale(Exception):
    """Somebody else has changed the venue since it was read."""


class _Known(Exception):
    """The id of the order is in the book already."""


@dataclass(slots=True)
class _Memory:
    """The venue as it is in PostgreSQL while nobody else changes its version."""

    version: int
    halted: bool
    trading_date: dt.date | None
    resting: dict[str, dict[UUID, Resting]]
    positions: dict[str, int]


class PaperVenue:
    """Implements `Broker`. Fills at most `max_shares_per_tick` of an order at its arrival and at each later tick.

    Several processes may use one venue. One that only halts it needs neither the gateway nor a market.
    """

    def __init__(self, database: Database, settings: VenueSettings, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._market: MarketState | None = None
        self._memory: _Memory | None = None
        self._turn = asyncio.Lock()

    async def submit(self, order: Order) -> None:
        """Takes the order, and fills the first part if the price allows. Raises `VenueRejected` if it refuses it."""
        async with self._alone():
            while True:
                try:
                    return await self._submit(order, await self._read())
                except _Stale:
                    self._memory = None

    async def cancel(self, order_id: UUID) -> bool:
        """Cancels the unfilled rest of the order, or makes sure that it is never taken. Returns whether it was."""
        async with self._alone():
            async with self._database.transaction() as connection:
                version, _ = await _change(connection)
                cancelled = await connection.fetchrow(_CANCEL, order_id)
            assert cancelled is not None
            memory = self._memory
            if memory is not None and memory.version == version - 1:
                memory.version = version
                memory.resting.get(cancelled["symbol"], {}).pop(order_id, None)
            else:
                self._memory = None
            return bool(cancelled["taken"])

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        """The fills with a higher `seq`, oldest first, at most `limit`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT seq, order_id, symbol, side, qty, price, fee, trading_date, at FROM venue.executions"
                " WHERE seq > $1 ORDER BY seq LIMIT $2",
                seq,
                limit,
            )
        # By their places, because a tick may have filled thousands.
        return [Execution(r[0], r[1], r[2], Side(r[3]), r[4], r[5], r[6], r[7], r[8]) for r in rows]

    async def halt(self) -> int:
        """From now on only what reduces a position is filled. Returns the last `seq`."""
        return await self._set_halted(True)

    async def resume(self) -> int:
        """Ends the halt. Returns the last `seq`."""
        return await self._set_halted(False)

    async def _set_halted(self, halted: bool) -> int:
        async with self._alone():
            # In a transaction: without its COMMIT, a statement that was given up cannot take effect later.
            async with self._database.transaction() as connection:
                _, seq = await _change(connection, halted=halted)
            self._memory = None
            return seq

    async def begin_day(self, trading_date: dt.date) -> None:
        """Sets the trading date, which may be an earlier one, and ends the orders of every other date."""
        async with self._alone():
            async with self._database.transaction() as connection:
                await _change(connection, trading_date=trading_date)
                await connection.execute(
                    "UPDATE venue.orders SET remaining = 0 WHERE remaining > 0 AND trading_date <> $1", trading_date
                )
            self._memory = None

    async def shares(self) -> dict[str, int]:
        """The signed shares of each symbol, without closed positions."""
        async with self._database.connection() as connection:
            return await _positions(connection)

    async def see(self, market: MarketState) -> bool:
        """Fills resting orders at new quotes. Returns whether anything was filled."""
        async with self._alone():
            ticked = _ticked(self._market, market)
            self._market = market
            while ticked:
                try:
                    return await self._tick(ticked, market.trading_date, await self._read())
                except _Stale:
                    self._memory = None
            return False

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._turn:
            try:
                yield
            except VenueRejected:
                raise
            except BaseException:
                self._memory = None  # whether it was committed is for PostgreSQL to say
                raise

    async def _read(self) -> _Memory:
        if self._memory is None:
            async with self._database.transaction() as connection:
                # This waits for a transaction that may still be committed, so it must come before everything else.
                state = await connection.fetchrow("SELECT * FROM venue.state FOR UPDATE")
                assert state is not None
                rows = await connection.fetch(
                    "SELECT id, symbol, side, remaining, limit_price, worst_price, rested FROM venue.orders"
                    " WHERE remaining > 0 AND trading_date = $1 ORDER BY id",
                    state["trading_date"],
                )
                positions = await _positions(connection)
            resting: dict[str, dict[UUID, Resting]] = {}
            for row in rows:
                resting.setdefault(row["symbol"], {})[row["id"]] = Resting(**{**row, "side": Side(row["side"])})
            self._memory = _Memory(state["version"], state["halted"], state["trading_date"], resting, positions)
        return self._memory

    async def _submit(self, order: Order, memory: _Memory) -> None:
        refusal = self._refusal(order, memory)
        if refusal is not None:
            await self._answer_again(order.id, memory, refusal)
            return
        taken = Resting(order.id, order.symbol, order.side, order.qty, order.limit_price, order.worst_price)
        matched = self._match_arrival(taken, memory)
        try:
            async with self._database.transaction() as connection:
                version, seq = await _change(connection, fills=len(matched.fills), expected=memory.version)
                stored = await connection.fetchval(
                    _TAKE,
                    order.id,
                    order.symbol,
                    order.side,
                    order.qty,
                    order.qty - sum(fill.qty for fill in matched.fills),
                    order.limit_price,
                    order.worst_price,
                    order.trading_date,
                    bool(matched.rested),
                )
                if stored is None:
                    raise _Known  # rolls back
                await _execute(connection, matched.fills, seq, memory)
        except _Known:
            await self._answer_again(order.id, memory, "the order is in the book no more")
            return
        memory.resting.setdefault(order.symbol, {})[order.id] = taken
        _remember(memory, matched, version)

    def _refusal(self, order: Order, memory: _Memory) -> str | None:
        if self._market is None or not self._market.open:
            return "the venue is closed"
        if order.symbol not in self._market.quotes:
            return f"{order.symbol} is not quoted here"
        if memory.trading_date is None or order.trading_date != memory.trading_date:
            return f"the order is for {order.trading_date}, the venue trades on {memory.trading_date}"
        if memory.halted and order.side.sign * memory.positions.get(order.symbol, 0) >= 0:
            return "the venue is halted"
        return None

    async def _answer_again(self, order_id: UUID, memory: _Memory, refusal: str) -> None:
        """Raises `VenueRejected`, unless the venue took the order before: then the answer is the same as then."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT version, qty FROM venue.state LEFT JOIN venue.orders ON id = $1", order_id
            )
        assert row is not None
        if row["qty"] == 0:
            raise VenueRejected("the order was cancelled before it arrived")
        if row["qty"] is None and row["version"] != memory.version:
            raise _Stale  # the reason may be gone
        if row["qty"] is None:
            raise VenueRejected(refusal)

    def _match_arrival(self, order: Resting, memory: _Memory) -> Match:
        matched = Match()
        market = self._market
        if market is not None and market.trading_date == memory.trading_date:
            self._match(matched, [order], market.quotes[order.symbol], memory)
        return matched

    def _match(self, into: Match, orders: Sequence[Resting], quote: Quote, memory: _Memory) -> None:
        if orders and usable(quote, self._now(), self._settings):
            position = memory.positions.get(orders[0].symbol, 0)
            match(into, orders, quote.price, position, memory.halted, self._settings)

    async def _tick(self, ticked: dict[str, Quote], trading_date: dt.date, memory: _Memory) -> bool:
        if memory.halted or memory.trading_date != trading_date:
            await self._check(memory)
        if memory.trading_date != trading_date:
            return False
        matched = Match()
        for symbol, orders in memory.resting.items():
            if symbol in ticked:
                self._match(matched, list(orders.values()), ticked[symbol], memory)
        if not matched.fills and not matched.rested:
            return False
        async with self._database.transaction() as connection:
            version, seq = await _change(connection, fills=len(matched.fills), expected=memory.version)
            await _update(connection, matched)
            await _execute(connection, matched.fills, seq, memory)
        _remember(memory, matched, version)
        return bool(matched.fills)

    async def _check(self, memory: _Memory) -> None:
        """Without this, a halt that another process has ended would last until something is filled, so for ever."""
        async with self._database.connection() as connection:
            if await connection.fetchval("SELECT version FROM venue.state") != memory.version:
                raise _Stale


def _ticked(before: MarketState | None, market: MarketState) -> dict[str, Quote]:
    """The new quotes at which the venue may fill."""
    if not market.open:
        return {}
    if before is None or not before.open or before.trading_date != market.trading_date:
        return market.quotes
    return {symbol: quote for symbol, quote in market.quotes.items() if quote != before.quotes.get(symbol)}


async def _positions(connection: Connection) -> dict[str, int]:
    rows = await connection.fetch("SELECT symbol, shares FROM venue.positions WHERE shares <> 0")
    return {row["symbol"]: row["shares"] for row in rows}


async def _change(
    connection: Connection,
    *,
    fills: int = 0,
    halted: bool | None = None,
    trading_date: dt.date | None = None,
    expected: int | None = None,
) -> tuple[int, int]:
    """Begins a change, and returns the new version and the `seq` of the last fill. Raises `_Stale`."""
    row = await connection.fetchrow(_CHANGE, fills, halted, trading_date, expected)
    if row is None:
        raise _Stale
    return row["version"], row["seq"]


async def _update(connection: Connection, matched: Match) -> None:
    """Stores what changes in orders that are in the book. Raises `_Stale` if somebody else changed one of them."""
    changes = [(fill.order, fill.qty, False) for fill in matched.fills] + [(o, 0, True) for o in matched.rested]
    done = await connection.execute(
        _UPDATE,
        [order.id for order, _, _ in changes],
        [order.remaining for order, _, _ in changes],
        [qty for _, qty, _ in changes],
        [rested for _, _, rested in changes],
    )
    if done != f"UPDATE {len(changes)}":
        raise _Stale


async def _execute(connection: Connection, fills: list[Fill], last: int, memory: _Memory) -> None:
    """Stores the fills. The last one gets the seq `last`."""
    if fills:
        await connection.execute(
            _EXECUTE,
            last - len(fills),
            memory.trading_date,
            [fill.order.id for fill in fills],
            [fill.order.symbol for fill in fills],
            [fill.order.side for fill in fills],
            [fill.qty for fill in fills],
            [fill.price for fill in fills],
            [fill.fee for fill in fills],
        )


def _remember(memory: _Memory, matched: Match, version: int) -> None:
    """Makes the memory what PostgreSQL has now."""
    memory.version = version + bool(matched.fills)  # the trigger of the executions counts one more
    for order in matched.rested:
        order.rested = True
    for fill in matched.fills:
        order = fill.order
        order.remaining -= fill.qty
        memory.positions[order.symbol] = memory.positions.get(order.symbol, 0) + order.side.sign * fill.qty
        if not order.remaining:
            del memory.resting[order.symbol][order.id]
