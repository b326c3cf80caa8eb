"""Histogram: a distribution of amounts over buckets."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any, overload

from opentelemetry import metrics
from opentelemetry.context import Context

from telemetry.amounts import Amount, total
from telemetry.attributes import NoLabels
from telemetry.declaration import check_shown, read_buckets
from telemetry.drops import Dropped, Reason
from telemetry.instrument import Bound, Instrument, Key, L
from telemetry.samples import Sample, number_text
from telemetry.timing import Timer

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds. A quick database call takes half a millisecond. All our time-outs are under ten seconds."""


class HistogramSeries:
    """One count for each bucket, one more for amounts above the last bound, and the sum of the amounts."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum: int | float = 0


class Histogram(Instrument[L], metrics.Histogram):
    """A distribution of amounts over buckets. An amount equal to a bound counts in the bucket of that bound.

    `buckets` are the upper bounds in the declared unit, finite and ascending. The default suits durations in seconds.
    Each combination of known label values has a series at 0 from the declaration on.

    Example:

        fill_seconds = Histogram("fill_seconds", "Time to fill.", unit="s", buckets=(0.1, 1, 10))
        with fill_seconds.time():
            fill_seconds.record(0.25)
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
        buckets: Sequence[Amount] = LATENCY_BUCKETS,
    ) -> None:
        self.buckets = read_buckets(name, buckets)
        self._bounds = (*map(number_text, self.buckets), "+Inf")
        super().__init__(name, description, labels, unit=unit, owner=owner)

    def _begin(self) -> None:
        check_shown(self.name, [len(label.values) for label in self.labels if label.open is None])
        self._series: dict[Key, HistogramSeries] = {}

    def _declaration(self) -> dict[str, object]:
        return {**super()._declaration(), "set of buckets": self.buckets}

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values."""
        keys = list(self._known_keys())
        with self._lock:
            for key in keys:
                if key not in self._series:
                    self._open(key)

    @overload  # type: ignore[override]
    def record(self: Histogram[NoLabels], amount: Amount) -> None: ...
    @overload
    def record(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def record(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Records an amount, in the declared unit. Never raises: a negative or other wrong amount is a counted drop.

        Example: `fill_seconds.record(0.25)`.
        """
        self._record(self._observe, amount, attributes)

    def _observe(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make the sum go down")
        with self._lock:
            series = self._series.get(key)
            if series is None:
                key = self._room(key, self._met)
                series = self._series.get(key) or self._open(key)
            series.sum = total(series.sum, amount)
            series.counts[bisect.bisect_left(self.buckets, amount)] += 1

    def _open(self, key: Key) -> HistogramSeries:
        self._opened(key, self._met)
        series = self._series[key] = HistogramSeries(len(self._bounds))
        return series

    def _reach(self, key: Key, counts: list[int], amount: float) -> None:
        """Raises one series to what was counted elsewhere. Of two scrapes at once, the later one may come first."""
        with self._lock:
            series = self._series.get(key) or self._open(key)
            if sum(counts) >= sum(series.counts):
                series.counts, series.sum = list(counts), amount

    @overload
    def time(self: Histogram[NoLabels]) -> Timer: ...
    @overload
    def time(self, attributes: L) -> Timer: ...
    def time(self, attributes: Any = None) -> Timer:
        """Measures a block or a function in seconds. It is recorded also when the block or function raises.

        Examples: `with fill_seconds.time():` for a block, `@fill_seconds.time()` for a function or a coroutine.
        """
        return Timer(lambda seconds: self._record(self._observe, seconds, attributes))

    def bind(self, attributes: L) -> BoundHistogram:
        """The histogram with these labels, for a place that records them often.

        Example: `buys = fill_seconds.bind({"side": Side.BUY})`, then `buys.record(0.25)`.
        """
        return BoundHistogram(self, attributes)

    def values(self) -> dict[Key, tuple[list[int], int | float]]:
        """The bucket counts (not cumulative) and the sum of every series, by its label values."""
        with self._lock:
            return {key: (list(series.counts), series.sum) for key, series in self._series.items()}

    def samples(self) -> list[Sample]:
        """For each series the cumulative buckets, the sum and the count."""
        samples = []
        for key, (counts, amount) in self.values().items():
            labels = self._pairs(key)
            cumulative = 0
            for bound, count in zip(self._bounds, counts, strict=True):
                cumulative += count
                samples.append(Sample("_bucket", [*labels, ("le", bound)], cumulative))
            samples += [Sample("_sum", labels, amount), Sample("_count", labels, cumulative)]
        return samples

    def readings(self) -> dict[Key, int | float]:
        """How many amounts each series has."""
        with self._lock:
            return {key: sum(series.counts) for key, series in self._series.items()}


class BoundHistogram(Bound):
    """A histogram with its labels."""

    _metric: Histogram[Any]

    def record(self, amount: Amount) -> None:
        """Records an amount, as `Histogram.record` does. Never raises."""
        self._take(self._metric._observe, amount)

    def time(self) -> Timer:
        """Measures a block or a function, as `Histogram.time` does."""
        return Timer(self.record)
