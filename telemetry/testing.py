"""The pytest plugin: `recorded(orders_total, symbol="AAPL", side="buy", status="success") == 1`.

It has the grammar of the call that it checks. Counters and histograms count since the test
began; a gauge is what it is.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from telemetry import sdk
from telemetry.instruments import Counter, Gauge, Histogram, Key, UpDownCounter
from telemetry.recording import declared, process


class Recorded(Protocol):
    """What was recorded since the test began: a counter's amount, a histogram's count, a gauge's value or None."""

    def __call__(
        self, metric: Counter | UpDownCounter | Gauge | Histogram, **attributes: str
    ) -> int | float | None: ...


def _current(metric: Counter | UpDownCounter | Gauge | Histogram, key: Key) -> int | float | None:
    if isinstance(metric, Histogram):
        counts, _ = metric.values().get(key, ([], 0))
        return sum(counts)
    return metric.values().get(key, None if isinstance(metric, Gauge) else 0)


@pytest.fixture
def recorded() -> Recorded:
    """Reads what the code under test recorded."""
    before = {
        name: {key: _current(metric, key) or 0 for key in metric.values()}
        for name, metric in declared.items()
        if isinstance(metric, Counter | UpDownCounter | Histogram)
    }

    def read(metric: Counter | UpDownCounter | Gauge | Histogram, **attributes: str) -> int | float | None:
        if set(attributes) != set(metric.label_names):
            raise ValueError(f"{metric.name} has the attributes {', '.join(metric.label_names) or 'none'}")
        key = tuple(attributes[name] for name in metric.label_names)
        now = _current(metric, key)
        return now if now is None or isinstance(metric, Gauge) else now - before.get(metric.name, {}).get(key, 0)

    return read


@pytest.fixture
def another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the test `init` a service, though a process is one service: afterwards it is what it was before.

    What is global in OpenTelemetry, the providers, stays that of the first.
    """
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    monkeypatch.setattr(sdk, "_apps", [])
    if sdk._meter_provider is not None:
        monkeypatch.setattr(sdk, "_set_up_metrics", lambda _: None)
