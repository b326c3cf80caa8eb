"""Counters: they begin at 0, and lose nothing."""

from __future__ import annotations

import threading
from typing import Annotated

import pytest

from telemetry import Counter, Histogram, Open
from tests.telemetry.labels import BySymbol, Side, labels


def test_a_counter_with_closed_attributes_starts_at_zero_when_it_is_declared() -> None:
    counter = Counter("things_total", "Things.", labels(side=Side, ok=bool), unit="{thing}")

    assert counter.values() == {(side, ok): 0 for side in ("buy", "sell") for ok in ("false", "true")}


def test_a_counter_with_open_attributes_starts_at_zero_when_its_values_are_known() -> None:
    symbol = Open()
    by_symbol = labels(symbol=Annotated[str, symbol])
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol], side=Side), unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", by_symbol, unit="s", buckets=(1,))
    assert counter.values() == {}

    counter.add(2, {"symbol": "stranger", "side": "buy"})
    symbol.know(["AAPL"])

    assert counter.values() == {("stranger", "buy"): 2, ("AAPL", "buy"): 0, ("AAPL", "sell"): 0}
    assert histogram.values() == {("AAPL",): ([0, 0], 0)}
    later = Counter("later_total", "Declared after its values were known.", by_symbol, unit="{thing}")
    assert later.values() == {("AAPL",): 0}


def test_calling_know_again_does_not_reset_a_counter() -> None:
    symbol = Open()
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")
    symbol.know(["AAPL"])
    counter.add(3, {"symbol": "AAPL"})

    symbol.know(["AAPL", "MSFT"])

    assert counter.values() == {("AAPL",): 3, ("MSFT",): 0}


def test_labels_with_too_many_known_values_are_shown_when_they_come(caplog: pytest.LogCaptureFixture) -> None:
    symbol = Open(limit=2501)
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol], side=Side), unit="{thing}")

    symbol.know(f"S{number}" for number in range(2501))
    counter.add(1, {"symbol": "S1", "side": "buy"})

    assert counter.values() == {("S1", "buy"): 1}
    assert "things_total does not show its series before their first event: 5,000 is the most" in caplog.text


def test_eight_threads_lose_nothing() -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", unit="s", buckets=(1, 3))

    def work(number: int) -> None:
        for step in range(10_000):
            counter.add(1, {"symbol": f"S{(number + step) % 3}"})
            histogram.record(step % 4)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counter.values().values()) == 80_000
    assert histogram.values() == {(): ([40_000, 40_000, 0], 120_000)}
