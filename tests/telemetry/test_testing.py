"""The `recorded` fixture."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from apps.catalogue import order_placement_duration_seconds, orders_total, positions_current
from apps.labels import PlacementLabels, SymbolLabels, SymbolSideLabels
from apps.vocabulary import PlacementStatus, Side
from telemetry import Counter, Histogram, Open
from telemetry.testing import Recorded
from tests.telemetry.labels import ByTwoSymbols, labels

ORDER = SymbolSideLabels(symbol="AAPL", side=Side.BUY)
FAILED = PlacementLabels(**ORDER, status=PlacementStatus.FAILED)


@pytest.fixture
def earlier() -> None:
    """Something that was recorded before the test began."""
    orders_total.add(5, FAILED)
    order_placement_duration_seconds.record(1, ORDER)


def test_counters_and_histograms_count_since_the_test_began(earlier: None, recorded: Recorded) -> None:
    assert recorded(orders_total, FAILED) == 0

    orders_total.add(2, FAILED)
    order_placement_duration_seconds.record(1, ORDER)

    assert recorded(orders_total, FAILED) == 2
    assert recorded(orders_total, PlacementLabels(symbol="NEVER", side=Side.BUY, status=PlacementStatus.FAILED)) == 0
    assert recorded(order_placement_duration_seconds, ORDER) == 1
    assert recorded(order_placement_duration_seconds, SymbolSideLabels(symbol="NEVER", side=Side.SELL)) == 0


def test_a_gauge_has_its_present_value_or_none_without_a_series(recorded: Recorded) -> None:
    positions_current.replace({"AAPL": 7})

    assert recorded(positions_current, SymbolLabels(symbol="AAPL")) == 7
    positions_current.replace({})
    assert recorded(positions_current, SymbolLabels(symbol="AAPL")) is None


def test_a_misspelt_label_raises_and_says_which_labels_the_metric_has(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match=r"orders_total\{symbol: .*, side: buy \| sell, .*: status is missing"):
        recorded(orders_total, {"symbol": "AAPL", "side": "buy"})  # type: ignore[misc]


def test_a_series_for_which_there_is_no_room_raises_in_place_of_reading_zero(recorded: Recorded) -> None:
    full_total = Counter("full_total", "A metric with room for two symbols.", ByTwoSymbols, unit="{thing}")
    for symbol in ("AAPL", "MSFT", "GOOG"):
        full_total.add(1, {"symbol": symbol})

    assert recorded(full_total, ByTwoSymbols(symbol="MSFT")) == 1
    assert recorded(full_total, ByTwoSymbols(symbol="__other__")) == 1
    with pytest.raises(ValueError, match=r"no room for \('GOOG',\): a record of it is in the series \('__other__',\)"):
        recorded(full_total, ByTwoSymbols(symbol="GOOG"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A histogram of a thousand series, and which histograms were read as a whole."""
    histogram = Histogram("many_seconds", "Time.", labels(symbol=Annotated[str, Open(limit=1000)]), unit="s")
    for number in range(1000):
        histogram.record(1, {"symbol": str(number)})
    read: list[str] = []

    def counting(method: Any) -> Any:
        return lambda self: [read.append(self.name), method(self)][1]  # type: ignore[func-returns-value]

    monkeypatch.setattr(Histogram, "readings", counting(Histogram.readings))
    monkeypatch.setattr(Histogram, "values", counting(Histogram.values))
    return read


def test_each_histogram_is_read_once_before_the_test_and_never_copied(reads: list[str], recorded: Recorded) -> None:
    assert reads.count("many_seconds") == 1
    assert len(set(reads)) == len(reads)
