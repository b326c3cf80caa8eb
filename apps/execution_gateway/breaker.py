"""The circuit breaker. Each change is a row in PostgreSQL, and the last row is the state. Only a person resets it."""

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
    """The state of the breaker, and why, by whom and when it was last changed."""

    state: BreakerState
    reason: str | None = None
    by: str | None = None
    at: dt.datetime | None = None


async def read(connection: Connection) -> Breaker:
    """The breaker now. It is OPEN before the first change."""
    row = await connection.fetchrow(
        "SELECT state, reason, by, at FROM gateway.breaker_changes ORDER BY id DESC LIMIT 1"
    )
    return (
        Breaker(BreakerState.OPEN)
        if row is None
        else Breaker(BreakerState(row["state"]), row["reason"], row["by"], row["at"])
    )


def show(breaker: Breaker) -> None:
    """Sets the gauge `circuit_breaker_state`."""
    circuit_breaker_state.set(1 if breaker.state is BreakerState.TRIPPED else 0)


async def trip(database: Database, reason: str, by: str) -> Breaker:
    """Trips the breaker for a person. Changes nothing if it is tripped already."""
    breaker, changed = await _change(database, BreakerState.TRIPPED, reason, by)
    if changed:
        circuit_breaker_trips_total.add(1, {"reason": TripReason.MANUAL})
        logger.warning("the circuit breaker is TRIPPED by a person; GET /api/v1/circuit-breaker says who, and why")
    return breaker


async def reset(database: Database, reason: str, by: str) -> Breaker:
    """Opens the breaker for a person, so that trading is allowed. Changes nothing if it is open already."""
    breaker, changed = await _change(database, BreakerState.OPEN, reason, by)
    if changed:
        circuit_breaker_resets_total.add(1)
        logger.warning("the circuit breaker is OPEN again, reset by a person; GET /api/v1/circuit-breaker says who")
    return breaker


async def trip_for_loss(database: Database, trading_date: dt.date, reason: str) -> None:
    """Trips the breaker for a daily loss, once per trading date. So a reset by a person holds until the next date."""
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
        # Orders hold this lock too. So an order is either stored before this change, or reads the new state.
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
