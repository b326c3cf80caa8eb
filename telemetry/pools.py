"""Shows how many connections the pools of this process hold. All pools for one database are one pair of series."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.metrics import Observation

from telemetry.catalogue import db_client_connection_count

Counts = Callable[[], tuple[int, int] | None]
"""How many connections are idle, and how many used. None: there is no pool, or it is not known."""

_counts: dict[str, Counts] = {}


def show(database: str, counts: Counts) -> None:
    """Has each scrape ask for the connections of a database, `postgresql` or `redis`."""
    _counts[database] = counts
    db_client_connection_count.watch(_observe)


def _observe() -> list[Observation]:
    observations = []
    for database, counts in list(_counts.items()):
        answer = counts()
        for state, value in zip(("idle", "used"), answer or (), strict=False):
            labels = {"db_client_connection_pool_name": database, "db_client_connection_state": state}
            observations.append(Observation(value, labels))
    return observations
