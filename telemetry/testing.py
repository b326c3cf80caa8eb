"""A pytest plugin with fixtures for tests of code that records metrics.

def test_an_order_is_counted(recorded):
    place_an_order()
    assert recorded(orders_total, OrderLabels(symbol="AAPL", side=Side.BUY)) == 1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, overload

import pytest

from telemetry import sdk
from telemetry.attributes import NoLabels
from telemetry.drops import Dropped
from telemetry.gauges import Gauge
from telemetry.instrument import Instrument, L
from telemetry.registry import declared, process


class Recorded(Protocol):
    """Reads one series of a metric, by its labels. `recorded` says what it returns."""

    @overload
    def __call__(self, metric: Instrument[NoLabels]) -> int | float | None: ...
    @overload
    def __call__(self, metric: Instrument[L], labels: L) -> int | float | None: ...


@pytest.fixture
def recorded() -> Recorded:
    """A function that reads what the code under test recorded in one series.

    It takes a metric and its labels, as the record does. It returns the amount that a counter was raised by since the
    test began, the number of amounts that a histogram recorded since then, or the present value of a gauge, which is
    None without a series. Raises ValueError when the labels are not the declared ones, and when a limit is used up so
    that a record of them would be in the series `__other__`.

    mypy knows the labels of a metric from the metric, but not through a function of both: so write them as
    `OrderLabels(symbol="AAPL", side=Side.BUY)`.
    """
    before = {
        name: metric.readings()
        for name, metric in declared.items()
        if isinstance(metric, Instrument) and not isinstance(metric, Gauge)
    }

    def read(metric: Instrument[Any], labels: Mapping[str, Any] | None = None) -> int | float | None:
        try:
            key = metric.key(labels)
        except Dropped as problem:
            raise ValueError(f"{metric!r} has no such series: {problem}") from None
        now = metric.read(key)
        if now is None and metric.store.shown_as(key) != key:
            raise ValueError(
                f"{metric!r} has no room for {key}: a record of it is in the series {metric.store.shown_as(key)}"
            )
        if isinstance(metric, Gauge):
            return now
        return (now or 0) - (before.get(metric.name, {}).get(key) or 0)

    return read


@pytest.fixture
def another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test call `init` for another service. After the test the process is the service that it was before.

    The providers are global in OpenTelemetry, so those of the first `init` stay in use.
    """
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    monkeypatch.setattr(sdk, "_apps", [])
