"""Histogram: a distribution of amounts over buckets."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

from opentelemetry import metrics
from opentelemetry.context import Context

from telemetry.amounts import Amount, counted, raised, sized
from telemetry.attributes import NoLabels
from telemetry.declaration import check_shown, read_buckets
from telemetry.drops import Dropped, Reason
from telemetry.exemplars import noting
from telemetry.instrument import Bound, Instrument, L
from telemetry.recording import bound_recorder, recorder
from telemetry.samples import number_text
from telemetry.store import Cell, Key
from telemetry.timing import Timer

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds. A quick database call takes half a millisecond. All our time-outs are under ten seconds."""


class Histogram(Instrument[L], metrics.Histogram):
    """A distribution of amounts over buckets. An amount equal to a bound counts in the bucket of that bound.

    `buckets` are the upper bounds in the declared unit, from 0 on, finite and ascending. The default suits durations in
    seconds. Each combination of known label values has a series at 0 from the declaration on.

    Example:

        fill_seconds = Histogram("fill_seconds", "Time to fill.", unit="s", buckets=(0.1, 1, 10))
        with fill_seconds.time():
            fill_seconds.record(0.25)
    """

    kind = "histogram"
    at_once = 100

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

    def _quicken(self) -> None:
        quick = recorder(self, self.shut, self.buckets, self._observe)
        vars(self)["record"] = recorder(self, self.aside, self.buckets, noting(quick, self._note))

    def _check_labels(self) -> None:
        check_shown(self.name, [len(label.values) for label in self.labels if label.open is None])

    def _new_cell(self, key: Key) -> Cell:
        lines = [f"{self._text(key, '_bucket', le=bound)}" for bound in self._bounds]
        lines += [self._text(key, "_sum"), self._text(key, "_count")]
        return [*[0] * len(self._bounds), 0, "".join([f"{line.replace('%', '%%')} %s\n" for line in lines])]

    def _declaration(self) -> dict[str, object]:
        return {**super()._declaration(), "set of buckets": self.buckets}

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values."""
        super().expose_known()
        for key in self._known_keys():
            self.store.cell(key)

    @overload  # type: ignore[override]
    def record(self: Histogram[NoLabels], amount: Amount) -> None: ...
    @overload
    def record(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def record(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Records an amount, in the declared unit. Never raises: a negative or other wrong amount is a counted drop.

        Example: `fill_seconds.record(0.25)`.
        """
        self._observe(amount, attributes)

    def _observe(
        self, amount: object, attributes: Mapping[str, Any] | None, context: object = None, key: Key | None = None
    ) -> None:
        self._record(self._take, amount, attributes, key)

    def _take(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make the sum go down")
        cell = self.store.cell(key)
        if not counted(cell, self._bucket(amount), amount):
            raise Dropped(Reason.NOT_A_NUMBER, f"the sum is {cell[-2]}, and adding {amount} would make it infinite")

    def _bucket(self, amount: int | float) -> int:
        return bisect.bisect_left(self.buckets, amount)

    def reach(self, key: Key, counts: Sequence[int], amount: float) -> None:
        """Raises one series to what was counted elsewhere. Of two scrapes at once, the later one may come first."""
        cell = self.store.cell(key)
        for at, count in enumerate(counts):
            raised(cell, at, count)
        raised(cell, -2, amount)

    @overload
    def time(self: Histogram[NoLabels]) -> Timer: ...
    @overload
    def time(self, attributes: L) -> Timer: ...
    def time(self, attributes: Any = None) -> Timer:
        """Measures a block or a function in seconds. It is recorded also when the block or function raises.

        Examples: `with fill_seconds.time():` for a block, `@fill_seconds.time()` for a function or a coroutine.
        """
        given: Any = {} if attributes is None else attributes
        return Timer(lambda seconds: self.record(seconds, given))

    def bind(self, attributes: L) -> BoundHistogram:
        """The histogram with these labels, for a place that records them often.

        Example: `buys = fill_seconds.bind({"side": Side.BUY})`, then `buys.record(0.25)`.
        """
        return BoundHistogram(self, attributes)

    def values(self) -> dict[Key, tuple[list[int], int | float]]:
        """The bucket counts (not cumulative) and the sum of every series, by its label values."""
        seen = {key: cell[:] for key, cell in self.snapshot().items()}
        return {key: (cell[:-2], sized(cell[-2])) for key, cell in seen.items()}

    def write(self, cells: Iterable[Cell]) -> str:
        """For each series the cumulative buckets, the sum and the count."""
        lines = []
        for cell in cells:
            *counts, total, text = cell[:]  # all of one moment
            cumulative = tuple(accumulate(counts))
            lines.append(text % (*cumulative, total, cumulative[-1]))
        return "".join(lines).replace(".0\n", "\n")  # whole numbers have no point

    def readings(self) -> dict[Key, int | float]:
        """How many amounts each series has."""
        return {key: sum(cell[:-2]) for key, cell in self.snapshot().items()}


class BoundHistogram(Bound):
    """A histogram with its labels."""

    _metric: Histogram[Any]

    def _quicken(self) -> None:
        metric = self._metric
        quick = bound_recorder(metric.shut, metric.buckets, self._find, self._observe)
        vars(self)["record"] = bound_recorder(metric.aside, metric.buckets, self._find, self._noting(quick))

    def _observe(self, amount: object) -> None:
        self._metric._observe(amount, self._attributes, key=self._key)

    def record(self, amount: Amount) -> None:
        """Records an amount, as `Histogram.record` does. Never raises."""
        self._observe(amount)

    def time(self) -> Timer:
        """Measures a block or a function, as `Histogram.time` does."""
        return Timer(self.record)
