"""A pytest plugin with fixtures for tests of code that records metrics.

def test_an_order_is_counted(recorded):
    place_an_order()
    assert recorded(orders_total, symbol="AAPL", side="buy", status="success") == 1
"""

from __future__ import annotations

from typing import Protocol

import pytest

from telemetry import sdk
from telemetry.instruments import Counter, Gauge, Histogram, Key, UpDownCounter
from telemetry.recording import declared, process


class Recorded(Protocol):
    """Reads one series of a metric, by its label values. `recorded` says what it returns."""

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
    """A function that reads what the code under test recorded in one series.

    It returns the amount that a counter was raised by since the test began, the number of amounts that a histogram
    recorded since then, or the present value of a gauge, which is None without a series. Raises ValueError when the
    attributes are not the declared ones.
    """
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
    """Lets a test call `init` for another service. After the test the process is the service that it was before.

    The providers are global in OpenTelemetry, so those of the first `init` stay in use.
    """
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    monkeypatch.setattr(sdk, "_apps", [])
    if sdk._meter_provider is not None:
        monkeypatch.setattr(sdk, "_set_up_metrics", lambda _: None)
