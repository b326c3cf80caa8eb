"""Reads and writes the desk's account, orders, fills and positions in PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import asyncpg

from apps.database import Connection, Database
from apps.execution_gateway.book import ZERO, Book, Position
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import OPEN, Order, OrderRequest
from apps.vocabulary import OrderStatus


class MadeWithOtherCash(Exception):
    """The stored account began with another initial cash."""


@dataclass(frozen=True, slots=True)
class Account:
    """The figures in the account's row that are not part of the book."""

    high_water_mark: Decimal
    trading_date: dt.date | None
    start_of_day_equity: Decimal | None
    daily_loss_ratio: Decimal
    loss_tripped_on: dt.date | None


async def open_account(database: Database, initial_cash: Decimal) -> None:
    """Creates the account if there is none. Raises `MadeWithOtherCash` if there is one with another INITIAL_CASH."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO gateway.account (initial_cash, cash, high_water_mark) VALUES ($1, $1, $1)"
            " ON CONFLICT DO NOTHING",
            initial_cash,
        )
        stored = await connection.fetchval("SELECT initial_cash FROM gateway.account")
    if stored != initial_cash:
        raise MadeWithOtherCash(
            f"the data folder was made with INITIAL_CASH={stored:f}, now it is {initial_cash:f}: "
            "set it back, or run `make clean-data`"
        )


async def lock_account(connection: Connection) -> None:
    """Locks the account until the transaction ends, so that only one transaction at a time changes the book."""
    await connection.execute("SELECT 1 FROM gateway.account FOR UPDATE")


async def read_book(connection: Connection) -> tuple[Book, Account]:
    """The book, and the other figures of the account."""
    row = await connection.fetchrow("SELECT * FROM gateway.account")
    assert row is not None, "open_account must be called first"
    positions = await connection.fetch("SELECT * FROM gateway.positions ORDER BY symbol")
    book = Book(
        row["initial_cash"],
        row["cash"],
        row["realized"],
        {p["symbol"]: Position(p["shares"], p["average_cost"]) for p in positions},
    )
    account = Account(
        row["high_water_mark"],
        row["trading_date"],
        row["start_of_day_equity"],
        row["daily_loss_ratio"],
        row["loss_tripped_on"],
    )
    return book, account


async def read_holdings(connection: Connection) -> Holdings:
    """The book and the open orders."""
    book, _ = await read_book(connection)
    return Holdings(book, await find_orders(connection, open_only=True))


async def find_orders(connection: Connection, *, open_only: bool = False, limit: int = 10_000) -> list[Order]:
    """The newest orders, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM gateway.orders WHERE NOT $1 OR status = ANY($2) ORDER BY created_at DESC, id LIMIT $3",
        open_only,
        list(OPEN),
        limit,
    )
    return [_order(row) for row in rows]


async def find_order(connection: Connection, order_id: UUID) -> Order | None:
    """The order with this id, or None."""
    row = await connection.fetchrow("SELECT * FROM gateway.orders WHERE id = $1", order_id)
    return None if row is None else _order(row)


async def find_by_client_order_id(connection: Connection, client_order_id: str) -> Order | None:
    """The order with this client_order_id, or None."""
    row = await connection.fetchrow("SELECT * FROM gateway.orders WHERE client_order_id = $1", client_order_id)
    return None if row is None else _order(row)


async def insert_order(
    connection: Connection,
    order_id: UUID,
    request: OrderRequest,
    status: OrderStatus,
    *,
    arrival_price: Decimal | None = None,
    trading_date: dt.date | None = None,
    reason: str | None = None,
) -> Order:
    """Stores a new order."""
    row = await connection.fetchrow(
        "INSERT INTO gateway.orders (id, client_order_id, symbol, side, qty, order_type, limit_price, status, reason,"
        " arrival_price, trading_date) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *",
        order_id,
        request.client_order_id,
        request.symbol,
        request.side,
        request.qty,
        request.order_type,
        request.limit_price,
        status,
        reason,
        arrival_price,
        trading_date,
    )
    assert row is not None
    return _order(row)


async def set_status(
    connection: Connection,
    order_id: UUID,
    status: OrderStatus,
    *,
    only_from: tuple[OrderStatus, ...],
    reason: str | None = None,
) -> bool:
    """Sets the status if the present status is in `only_from`. Returns whether it was."""
    changed = await connection.fetchval(
        "UPDATE gateway.orders SET status = $2, reason = coalesce($3, reason)"
        " WHERE id = $1 AND status = ANY($4) RETURNING true",
        order_id,
        status,
        reason,
        list(only_from),
    )
    return bool(changed)


async def last_execution(connection: Connection) -> int:
    """The venue's `seq` of the last booked fill, or 0 if there is none."""
    return int(await connection.fetchval("SELECT coalesce(max(venue_seq), 0) FROM gateway.fills"))


async def book_fill(connection: Connection, execution: Execution) -> Order:
    """Updates fills, order, position and account in the caller's transaction. Returns the order before the fill."""
    await lock_account(connection)
    row = await connection.fetchrow("SELECT * FROM gateway.orders WHERE id = $1", execution.order_id)
    if row is None:
        raise LookupError(f"the venue filled the order {execution.order_id}, which we do not have")
    order = _order(row)
    await connection.execute(
        "INSERT INTO gateway.fills VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        execution.seq,
        execution.order_id,
        execution.symbol,
        execution.side,
        execution.qty,
        execution.price,
        execution.fee,
        execution.trading_date,
        execution.at,
    )
    filled = order.filled_qty + execution.qty
    status = OrderStatus.FILLED if filled >= order.qty else OrderStatus.PARTLY_FILLED
    if status is OrderStatus.PARTLY_FILLED and order.status not in OPEN:
        status = order.status  # the order was cancelled before this fill was booked
    await connection.execute(
        "UPDATE gateway.orders SET filled_qty = $2, status = $3 WHERE id = $1", order.id, filled, status
    )
    held = await connection.fetchrow("SELECT * FROM gateway.positions WHERE symbol = $1", execution.symbol)
    position = Position() if held is None else Position(held["shares"], held["average_cost"])
    position, realized = position.after(execution.side, execution.qty, execution.price)
    if position.shares == 0:
        await connection.execute("DELETE FROM gateway.positions WHERE symbol = $1", execution.symbol)
    else:
        await connection.execute(
            "INSERT INTO gateway.positions VALUES ($1, $2, $3)"
            " ON CONFLICT (symbol) DO UPDATE SET shares = $2, average_cost = $3",
            execution.symbol,
            position.shares,
            position.average_cost,
        )
    await connection.execute(
        "UPDATE gateway.account SET cash = cash - $1, realized = realized + $2",
        execution.side.sign * execution.qty * execution.price + execution.fee,
        realized - execution.fee,
    )
    return order


async def equity_at_open(
    connection: Connection, trading_date: dt.date, previous_closes: Mapping[str, Decimal]
) -> Decimal:
    """Start-of-day equity. It needs only earlier fills and previous closes, so it can be computed after the open."""
    cash: Decimal = await connection.fetchval("SELECT initial_cash FROM gateway.account")
    rows = await connection.fetch(
        "SELECT symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END)::bigint AS shares,"
        " sum(CASE side WHEN 'buy' THEN -qty ELSE qty END * price - fee) AS cash"
        " FROM gateway.fills WHERE trading_date < $1 GROUP BY symbol",
        trading_date,
    )
    return cash + sum(
        (row["cash"] + (row["shares"] * previous_closes[row["symbol"]] if row["shares"] else ZERO) for row in rows),
        ZERO,
    )


async def start_day(connection: Connection, trading_date: dt.date, equity: Decimal) -> None:
    """Stores start-of-day equity with its trading date, and sets the daily loss ratio to 0."""
    await connection.execute(
        "UPDATE gateway.account SET trading_date = $1, start_of_day_equity = $2, daily_loss_ratio = 0",
        trading_date,
        equity,
    )


async def raise_marks(connection: Connection, trading_date: dt.date, loss_ratio: Decimal, equity: Decimal) -> None:
    """Stores a worse loss of that trading date and a higher high-water mark. Lower values change nothing."""
    await connection.execute(
        "UPDATE gateway.account SET high_water_mark = greatest(high_water_mark, $3), daily_loss_ratio ="
        " CASE WHEN trading_date = $1 THEN greatest(daily_loss_ratio, $2) ELSE daily_loss_ratio END",
        trading_date,
        loss_ratio,
        equity,
    )


async def mark_loss_trip(connection: Connection, trading_date: dt.date) -> bool:
    """Notes that the loss of that trading date trips the breaker. Returns False if that was noted before."""
    due = await connection.fetchval(
        "UPDATE gateway.account SET loss_tripped_on = $1 WHERE loss_tripped_on IS DISTINCT FROM $1 RETURNING true",
        trading_date,
    )
    return bool(due)


async def reset_high_water_mark(connection: Connection, equity: Decimal, reason: str, by: str) -> Decimal:
    """Sets the high-water mark to this equity, and stores who wanted it and why. Returns the mark before."""
    await lock_account(connection)
    before: Decimal = await connection.fetchval("SELECT high_water_mark FROM gateway.account")
    await connection.execute("UPDATE gateway.account SET high_water_mark = $1", equity)
    await connection.execute(
        "INSERT INTO gateway.high_water_mark_resets (reason, by, before, after) VALUES ($1, $2, $3, $4)",
        reason,
        by,
        before,
        equity,
    )
    return before


def _order(row: asyncpg.Record) -> Order:
    return Order.model_validate(dict(row))
