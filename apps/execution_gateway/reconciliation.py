"""Compares the shares in the venue's own book with our positions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from apps.catalogue import (
    day_orders_outlived,
    reconciliation_drift_shares,
    reconciliation_last_success_timestamp_seconds,
    reconciliation_runs_total,
)
from apps.database import Database
from apps.execution_gateway import ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.broker import Broker
from apps.vocabulary import Outcome


class Reconciliation:
    """Drift counts if two runs in a row find it, because a new fill is in the venue's book before it is in ours."""

    def __init__(
        self, database: Database, broker: Broker, book: Callable[[], Book], quoted: Callable[[], Iterable[str]]
    ) -> None:
        """`quoted` are the symbols of the market. Their drift, and that of what is held, is shown while it is 0."""
        self._database = database
        self._broker = broker
        self._book = book
        self._quoted = quoted
        self._last: dict[str, int] = {}

    async def run(self) -> dict[str, int]:
        """Compares once. Returns the drift that counts by symbol: the venue's shares minus ours."""
        try:
            theirs = await self._broker.shares()
            ours = {symbol: position.shares for symbol, position in self._book().positions.items()}
            async with self._database.connection() as connection:
                day_orders_outlived.set(await ledger.count_outlived(connection))
        except Exception:
            reconciliation_runs_total.add(1, {"result": Outcome.FAILED})
            raise
        seen = {
            symbol: drift
            for symbol in theirs.keys() | ours.keys()
            if (drift := theirs.get(symbol, 0) - ours.get(symbol, 0)) != 0
        }
        agreed = {symbol: drift for symbol, drift in seen.items() if self._last.get(symbol) == drift}
        self._last = seen
        reconciliation_drift_shares.replace({**dict.fromkeys([*self._quoted(), *ours], 0), **agreed})
        reconciliation_runs_total.add(1, {"result": Outcome.SUCCESS})
        reconciliation_last_success_timestamp_seconds.set(time.time())
        return agreed
