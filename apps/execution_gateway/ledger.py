"""Reads the book from PostgreSQL, and stores the next version of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from apps.database import Connection, Unusable
from apps.execution_gateway.book import Book, Breaker, Halt, Position
from apps.execution_gateway.draft import Draft, waiting
from apps.execution_gateway.models import OPEN, Order
from apps.execution_gateway.settings import Settings
from apps.vocabulary import BreakerState

_BATCHES = 32
"""How many batches the account remembers. So a writer whose answer was lost learns what became of its batch, also if
others have written since."""


class MadeWithOtherCash(Unusable):
    """The stored account began with another initial cash."""


class OtherBook(Exception):
    """PostgreSQL has another book than the one that a draft was made from."""


async def open_account(connection: Connection, initial_cash: Decimal) -> None:
    """Creates the account if there is none. Raises `MadeWithOtherCash` if there is one with another INITIAL_CASH."""
    stored = await connection.fetchval("SELECT initial_cash FROM gateway.account")
    if stored is None:
        await connection.execute(
            "INSERT INTO gateway.account (initial_cash, cash, high_water_mark) VALUES ($1, $1, $1)"
            " ON CONFLICT DO NOTHING",
            initial_cash,
        )
    elif stored != initial_cash:
        raise MadeWithOtherCash(
            f"the data folder was made with INITIAL_CASH={stored:f}, now it is {initial_cash:f}: "
            "set it back, or run `make clean-data`"
        )


async def take_over(connection: Connection, settings: Settings) -> tuple[Book, list[UUID]]:
    """Makes the caller the only writer, in its transaction. Returns the book, and the batches that were stored last.

    The account's row stays locked until the transaction ends, and every commit begins with that row. So all that is
    read here is of one moment, and an earlier writer cannot commit any more.
    """
    account = await connection.fetchrow("UPDATE gateway.account SET version = version + 1 RETURNING *")
    assert account is not None, "open_account must be called first"
    positions = await connection.fetch("SELECT * FROM gateway.positions ORDER BY symbol")
    rows = await connection.fetch("SELECT * FROM gateway.orders WHERE status = ANY($1)", list(OPEN))
    orders = {row["id"]: _order(row) for row in rows}
    set_aside = await connection.fetchval("SELECT count(*) FROM gateway.executions_set_aside")
    book = Book(
        version=account["version"],
        initial_cash=account["initial_cash"],
        cash=account["cash"],
        realized=account["realized"],
        positions=MappingProxyType(
            {p["symbol"]: Position(p["shares"], p["average_cost"], p["last_price"]) for p in positions}
        ),
        orders=MappingProxyType(orders),
        waiting=waiting(orders, settings),
        breaker=await read_breaker(connection),
        halt=Halt(account["halt_confirmed"], account["halt_began_at"], account["halt_ended_at"]),
        high_water_mark=account["high_water_mark"],
        trading_date=account["trading_date"],
        start_of_day_equity=account["start_of_day_equity"],
        daily_loss_ratio=account["daily_loss_ratio"],
        loss_tripped_on=account["loss_tripped_on"],
        booked_seq=account["booked_seq"],
        set_aside=set_aside,
        at=time.time(),
    )
    return book, account["batches"]


@dataclass(frozen=True, slots=True)
class Present:
    """The version in PostgreSQL, the batches that were stored last, and the breaker, all of one moment."""

    version: int
    batches: list[UUID]
    breaker: BreakerState


async def read_present(connection: Connection) -> Present:
    """Reads the version, the last batches and the breaker in one statement."""
    row = await connection.fetchrow(
        "SELECT version, batches, (SELECT state FROM gateway.breaker_changes ORDER BY id DESC LIMIT 1) AS state"
        " FROM gateway.account"
    )
    assert row is not None, "open_account must be called first"
    return Present(row["version"], row["batches"], BreakerState(row["state"] or BreakerState.OPEN))


async def read_breaker(connection: Connection) -> Breaker:
    """The last change of the breaker. It is OPEN before the first change."""
    row = await connection.fetchrow(
        "SELECT state, reason, by, at FROM gateway.breaker_changes ORDER BY id DESC LIMIT 1"
    )
    return Breaker() if row is None else Breaker(BreakerState(row["state"]), row["reason"], row["by"], row["at"])


async def store(connection: Connection, version: int, batch: UUID, draft: Draft) -> None:
    """Stores a draft as the version after `version`, in the caller's transaction.

    Raises `OtherBook` if PostgreSQL has another version: either this draft was stored before, or another process has
    written. Also if an order of the book is gone: then the transaction must be rolled back. The first statement locks
    the account, so that only one of two writers goes on.
    """
    book = draft.book
    fenced = await connection.execute(
        "UPDATE gateway.account SET version = $1 + 1, batches = (array_prepend($2::uuid, batches))[1:$14::int],"
        " cash = $3, realized = $4, high_water_mark = $5, trading_date = $6, start_of_day_equity = $7,"
        " daily_loss_ratio = $8, loss_tripped_on = $9, booked_seq = $10, halt_confirmed = $11, halt_began_at = $12,"
        " halt_ended_at = $13 WHERE version = $1",
        version,
        batch,
        book.cash,
        book.realized,
        book.high_water_mark,
        book.trading_date,
        book.start_of_day_equity,
        book.daily_loss_ratio,
        book.loss_tripped_on,
        book.booked_seq,
        book.halt.confirmed,
        book.halt.began_at,
        book.halt.ended_at,
        _BATCHES,
    )
    if fenced != "UPDATE 1":
        raise OtherBook("its version differs")
    if draft.changed_orders or draft.changed_positions or draft.fills:
        missing = await connection.fetchval(_STORE, *_rows(draft))
        if missing:
            raise OtherBook(f"{missing} of its orders are gone")
    if draft.set_aside:
        aside = [one.execution for one in draft.set_aside]
        await connection.execute(_SET_ASIDE, *_columns(aside, _FILL), [one.reason for one in draft.set_aside])
    for change in draft.breaker_changes:
        await connection.execute(
            "INSERT INTO gateway.breaker_changes (state, reason, by, at) VALUES ($1, $2, $3, $4)",
            change.state,
            change.reason,
            change.by,
            change.at,
        )
    for reset in draft.mark_resets:
        await connection.execute(
            "INSERT INTO gateway.high_water_mark_resets (reason, by, before, after) VALUES ($1, $2, $3, $4)",
            reset.reason,
            reset.by,
            reset.before,
            reset.after,
        )


# One statement for all rows, because each statement is a round trip. Returns how many of the orders are not there.
_STORE = """
WITH new_orders AS (
    INSERT INTO gateway.orders SELECT * FROM jsonb_populate_recordset(NULL::gateway.orders, $1::jsonb)
    ON CONFLICT (id) DO NOTHING
), changed_orders AS (
    UPDATE gateway.orders SET status = change.status, filled_qty = change.filled_qty, reason = change.reason,
        message = change.message, cancelling = change.cancelling
    FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
        AS change (id, status, filled_qty, reason, message, cancelling)
    WHERE orders.id = change.id RETURNING true
), new_fills AS (
    INSERT INTO gateway.fills SELECT * FROM unnest($8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::bigint[],
        $13::numeric[], $14::numeric[], $15::date[], $16::timestamptz[])
), changed_positions AS (
    INSERT INTO gateway.positions SELECT * FROM unnest($17::text[], $18::bigint[], $19::numeric[], $20::numeric[])
    ON CONFLICT (symbol) DO UPDATE SET shares = excluded.shares, average_cost = excluded.average_cost,
        last_price = excluded.last_price
), closed_positions AS (
    DELETE FROM gateway.positions WHERE symbol = ANY($21)
)
SELECT cardinality($2::uuid[]) - count(*) FROM changed_orders
"""
_SET_ASIDE = """
INSERT INTO gateway.executions_set_aside SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[],
    $5::bigint[], $6::numeric[], $7::numeric[], $8::date[], $9::timestamptz[], $10::text[])
"""
_CHANGING = ("id", "status", "filled_qty", "reason", "message", "cancelling")
_FILL = ("seq", "order_id", "symbol", "side", "qty", "price", "fee", "trading_date", "at")
_POSITION = ("shares", "average_cost", "last_price")
_ORDERS = TypeAdapter(list[Order])


def _rows(draft: Draft) -> list[object]:
    """The arguments of `_STORE`."""
    new = [order for order in draft.changed_orders.values() if draft.is_new(order)]
    changed = [order for order in draft.changed_orders.values() if not draft.is_new(order)]
    held = {symbol: draft.book.positions.get(symbol) for symbol in draft.changed_positions}
    positions = {symbol: position for symbol, position in held.items() if position is not None}
    return [
        _ORDERS.dump_json(new).decode(),
        *_columns(changed, _CHANGING),
        *_columns(draft.fills, _FILL),
        list(positions),
        *_columns(positions.values(), _POSITION),
        [symbol for symbol, position in held.items() if position is None],
    ]


def _columns(rows: Iterable[object], names: tuple[str, ...]) -> list[list[object]]:
    """The values of each attribute, as PostgreSQL's `unnest` takes them."""
    return [[getattr(row, name) for row in rows] for name in names]


async def find_orders(
    connection: Connection,
    *,
    open_only: bool = False,
    limit: int = 100,
    before: UUID | None = None,
    client_order_id: str | None = None,
) -> list[Order]:
    """The newest orders, newest first. `before` is the id of an order: only older ones are returned."""
    if client_order_id is not None:
        rows = await connection.fetch("SELECT * FROM gateway.orders WHERE client_order_id = $1", client_order_id)
        return [_order(row) for row in rows]
    conditions, arguments = ["true"], list[object]()
    if open_only:
        # The same words as in the partial index, so that it is used.
        conditions.append("status IN ('pending', 'accepted', 'partly_filled')")
    if before is not None:
        arguments.append(before)
        conditions.append("(created_at, id) < (SELECT created_at, id FROM gateway.orders WHERE id = $1)")
    rows = await connection.fetch(
        f"SELECT * FROM gateway.orders WHERE {' AND '.join(conditions)}"  # noqa: S608  # only the words above
        f" ORDER BY created_at DESC, id DESC LIMIT {int(limit)}",
        *arguments,
    )
    return [_order(row) for row in rows]


async def find_order(connection: Connection, order_id: UUID) -> Order | None:
    """The order with this id, or None."""
    row = await connection.fetchrow("SELECT * FROM gateway.orders WHERE id = $1", order_id)
    return None if row is None else _order(row)


async def find_known(connection: Connection, client_order_ids: list[str]) -> dict[str, Order]:
    """The orders with these client_order_ids."""
    rows = await connection.fetch("SELECT * FROM gateway.orders WHERE client_order_id = ANY($1)", client_order_ids)
    return {row["client_order_id"]: _order(row) for row in rows}


async def find_newest_known(connection: Connection, limit: int = 10_000) -> dict[str, Order]:
    """The newest orders that have a client_order_id, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM gateway.orders WHERE client_order_id IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT $1",
        limit,
    )
    return {row["client_order_id"]: _order(row) for row in reversed(rows)}


async def count_outlived(connection: Connection) -> int:
    """How many open orders have another trading date than the account."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM gateway.orders o, gateway.account a"
            " WHERE o.status IN ('pending', 'accepted', 'partly_filled') AND o.trading_date < a.trading_date"
        )
    )


async def read_shares(connection: Connection) -> dict[str, int]:
    """Our positions as they are stored: signed shares by symbol."""
    rows = await connection.fetch("SELECT symbol, shares FROM gateway.positions")
    return {row["symbol"]: row["shares"] for row in rows}


def _order(row: asyncpg.Record) -> Order:
    return Order.model_validate(dict(row))
