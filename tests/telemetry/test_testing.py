"""The `recorded` fixture."""

from __future__ import annotations

import pytest

from apps.catalogue import order_placement_duration_seconds, orders_total, positions_current
from telemetry.testing import Recorded

ORDER = {"symbol": "AAPL", "side": "buy"}


@pytest.fixture
def earlier() -> None:
    """Something that was recorded before the test began."""
    orders_total.add(5, {**ORDER, "status": "failed"})
    order_placement_duration_seconds.record(1, ORDER)


def test_counters_and_histograms_count_since_the_test_began(earlier: None, recorded: Recorded) -> None:
    assert recorded(orders_total, symbol="AAPL", side="buy", status="failed") == 0

    orders_total.add(2, {**ORDER, "status": "failed"})
    order_placement_duration_seconds.record(1, ORDER)

    assert recorded(orders_total, symbol="AAPL", side="buy", status="failed") == 2
    assert recorded(orders_total, symbol="NEVER", side="buy", status="failed") == 0
    assert recorded(order_placement_duration_seconds, symbol="AAPL", side="buy") == 1
    assert recorded(order_placement_duration_seconds, symbol="NEVER", side="sell") == 0


def test_a_gauge_has_its_present_value_or_none_without_a_series(recorded: Recorded) -> None:
    positions_current.replace({"AAPL": 7})

    assert recorded(positions_current, symbol="AAPL") == 7
    positions_current.replace({})
    assert recorded(positions_current, symbol="AAPL") is None


def test_a_misspelt_attribute_raises(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="orders_total has the attributes symbol, side, status"):
        recorded(orders_total, symbol="AAPL", side="buy")
