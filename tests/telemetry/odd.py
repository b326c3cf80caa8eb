"""Odd amounts and attributes, and one instrument of each kind that must survive them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from telemetry import Counter, Gauge, Histogram, UpDownCounter
from tests.telemetry.labels import BySymbolAndSide


def named(value: object) -> str:
    """The id of a case. No address in memory: each process that shares the work must collect the same ids."""
    return re.sub(r" at 0x\w+", "", repr(value))


class RaisingAttributes(Mapping[str, str]):
    """A mapping whose methods raise."""

    def __getitem__(self, name: str) -> str:
        raise ConnectionError

    def __iter__(self) -> Iterator[str]:
        raise ConnectionError

    def __len__(self) -> int:
        return 2


Record = Callable[[Any, Any], None]


def recorders() -> dict[str, tuple[Record, Callable[[], Mapping[Any, Any]]]]:
    """One instrument of each kind, with the attributes symbol and side: how to record, and how to read its values."""
    counter = Counter("things_total", "Things.", BySymbolAndSide, unit="{thing}")
    up_down = UpDownCounter("things_open", "Things.", BySymbolAndSide, unit="{thing}")
    gauge = Gauge("things_current", "Things.", BySymbolAndSide, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", BySymbolAndSide, unit="s")
    return {
        counter.name: (counter.add, counter.values),
        up_down.name: (up_down.add, up_down.values),
        gauge.name: (gauge.set, gauge.values),
        histogram.name: (histogram.record, histogram.values),
    }
