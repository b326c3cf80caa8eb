"""The circuit breaker: a row in PostgreSQL for each change, the last of them is the state. Only a person resets it."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass

from apps.catalogue import circuit_breaker_resets_total, circuit_breaker_state, circuit_breaker_trips_total
from apps.database import Connection, Database
from apps.execution_gateway import ledger
from apps.vocabulary import BreakerState, TripReason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker as its last change left it."""

    state: BreakerState
    reason: str | None = None
    by: str | None = None
    at: dt.datetime | None = None


async def read(connection: Connection) -> Breaker:
    """The breaker now; it is OPEN before its first change."""
    row = await connection.fetchrow(
        "SELECT state, reason, by, at FROM gateway.breaker_changes ORDER BY id DESC LIMIT 1"
    )
    return (
        Breaker(BreakerState.OPEN)
        if row is None
        else Breaker(BreakerState(row["state"]), row["reason"], row["by"], row["at"])
    )


def show(breaker: Breaker) -> None:
    """Sets the gauge."""
    circuit_breaker_state.set(1 if breaker.state is BreakerState.TRIPPED else 0)


async def trip(database: Database, reason: str, by: str) -> Breaker:
    """Trips it on a person's word; one that is tripped already stays as it is."""
    breaker, changed = await _change(database, BreakerState.TRIPPED, reason, by)
    if changed:
        circuit_breaker_trips_total.add(1, {"reason": TripReason.MANUAL})
        logger.warning("the circuit breaker is TRIPPED by a person; GET /api/v1/circuit-breaker says who, and why")
    return breaker


async def reset(database: Database, reason: str, by: str) -> Breaker:
    """Allows trading again; one that is open already stays as it is."""
    breaker, changed = await _change(database, BreakerState.OPEN, reason, by)
    if changed:
        circuit_breaker_resets_total.add(1)
        logger.warning("the circuit breaker is OPEN again, reset by a person; GET /api/v1/circuit-breaker says who")
    return breaker


async def trip_for_loss(database: Database, trading_date: dt.date, reason: str) -> None:
    """Trips it for a daily loss, once a trading date: a person's reset holds for the rest of it."""
    async with database.transaction() as connection:
        await ledger.lock_account(connection)
        due = await ledger.mark_loss_trip(connection, trading_date)
        tripped = due and await _insert(connection, BreakerState.TRIPPED, reason, "daily loss limit")
        breaker = await read(connection)
    show(breaker)
    if tripped:
        circuit_breaker_trips_total.add(1, {"reason": TripReason.DAILY_LOSS})
        logger.warning("the circuit breaker is TRIPPED: %s", reason)


async def _change(database: Database, state: BreakerState, reason: str, by: str) -> tuple[Breaker, bool]:
    async with database.transaction() as connection:
        # An order that has read the breaker is stored before the change, or sees it: both hold this lock.
        await ledger.lock_account(connection)
        changed = await _insert(connection, state, reason, by)
        breaker = await read(connection)
    show(breaker)
    return breaker, changed


async def _insert(connection: Connection, state: BreakerState, reason: str, by: str) -> bool:
    if (await read(connection)).state is state:
        return False
    await connection.execute(
        "INSERT INTO gateway.breaker_changes (state, reason, by) VALUES ($1, $2, $3)", state, reason, by
    )
    return True
