"""Declarations of a test are forgotten after it, and drops are counted from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from telemetry import recording
from telemetry.recording import Reason, declared, drops, process

Drops = Callable[[str], dict[str, int]]


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test declares is forgotten after it, and so is which service it was."""
    before = dict(declared)
    monkeypatch.setattr(recording, "_last_said", {})
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def dropped() -> Drops:
    """How often a metric's records were dropped since the test began, by reason."""
    before = drops()

    def count(metric: str) -> dict[str, int]:
        counts = {
            reason.value: drops().get((metric, reason), 0) - before.get((metric, reason.value), 0) for reason in Reason
        }
        return {reason: count for reason, count in counts.items() if count}

    return count
