"""Fixtures that keep the tests apart: declarations and counts of drops do not pass from one test to the next."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from telemetry import drops
from telemetry.catalogue import telemetry_dropped_total
from telemetry.drops import Reason
from telemetry.registry import declared, process

Drops = Callable[[str], dict[str, int]]


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forgets what the test declared, and which service the test was, after the test."""
    before = dict(declared)
    monkeypatch.setattr(drops, "_last_said", {})
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def dropped() -> Drops:
    """How many records of a metric were dropped since the test began, by reason."""
    before = telemetry_dropped_total.values()

    def count(metric: str) -> dict[str, int]:
        now = telemetry_dropped_total.values()
        counts = {
            reason.value: int(now.get((metric, reason.value), 0) - before.get((metric, reason.value), 0))
            for reason in Reason
        }
        return {reason: count for reason, count in counts.items() if count}

    return count


@pytest.fixture
def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
