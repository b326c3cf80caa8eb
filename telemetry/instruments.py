"""Counter, UpDownCounter, Gauge and Histogram: each is a declared metric and an OpenTelemetry instrument.

Each class is a subclass of the OpenTelemetry API class with the same name, so code that is typed against the API
accepts it. The values are kept here and not in the SDK. This way a gauge can forget a series, a counter can show 0
before its first event, and /metrics shows a metric under the name with which it was declared.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import Observation
from opentelemetry.metrics import _Gauge as ApiGauge

from telemetry.attributes import Attribute
from telemetry.recording import Dropped, Reason, declared, dropped, number, process
from telemetry.timing import Timer

Amount = int | float | Decimal
Attributes = Mapping[str, Any] | None
Key = tuple[str, ...]

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds. A quick database call takes half a millisecond. All our time-outs are under ten seconds."""

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Instrument:
    """What the four kinds have in common: the declaration, and the checks of a record."""

    kind: str

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        """Declares and registers a metric.

        `unit` is a UCUM unit such as `s`, or an annotation such as `{order}`. `owner` is the name that the recording
        service passes to `init`, a tuple of several such names, or None when every service records the metric. Raises
        ValueError when the name is declared already, or is not lower case letters, digits and underscores with a
        letter first.
        """
        if not _METRIC_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a metric name: lower case, digits and underscores")
        if name in declared:
            raise ValueError(f"{name} is declared twice")
        self.name = name
        self.description = description
        self.unit = unit
        self.attributes = tuple(attributes)
        self.owners = (owner,) if isinstance(owner, str) else owner or ()
        self._names = tuple(attribute.name for attribute in attributes)
        self._lock = threading.Lock()
        declared[name] = self
        for attribute in self.attributes:
            attribute.used_by(self.expose_known)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the attributes, in the order of the declaration."""
        return self._names

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values. A gauge creates none: 0 may be wrong."""

    def is_exposed(self) -> bool:
        """Whether this process records the metric. Before `init` every process records every metric."""
        return not self.owners or process.service is None or process.service in self.owners

    def _record(self, take: Callable[[Key, int | float], None], amount: object, attributes: Attributes) -> None:
        if process.disabled:
            return
        try:
            if not self.is_exposed():
                raise Dropped(
                    Reason.NOT_OWNED,
                    f"it belongs to {' and '.join(self.owners)}, and this service is {process.service}",
                )
            take(self._key(attributes), number(amount))
        except Dropped as problem:
            dropped(self.name, problem)
        except Exception as error:  # the caller's amount or attributes may be objects whose methods raise
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))

    def _key(self, attributes: Attributes) -> Key:
        given: Mapping[str, Any] = {} if attributes is None else attributes
        if not isinstance(given, (dict, Mapping)):  # asking the abstract class takes longer
            raise Dropped(Reason.UNREADABLE, f"attributes are a {type(given).__name__}, not a mapping")
        missing = [name for name in self._names if name not in given]
        if missing:
            raise Dropped(Reason.MISSING_ATTRIBUTE, f"{', '.join(missing)} is missing")
        if len(given) > len(self._names):
            extra = ", ".join(sorted(repr(name)[:40] for name in given if name not in self._names))
            raise Dropped(Reason.UNDECLARED_ATTRIBUTE, f"{extra} is not declared")
        return tuple(attribute.admit(given[attribute.name]) for attribute in self.attributes)


def _sum(before: int | float, amount: int | float) -> int | float:
    after = before + amount
    if not math.isfinite(after):
        raise Dropped(Reason.NOT_A_NUMBER, f"the sum is {before}, and adding {amount} would make it infinite")
    return after


class _Numbers(Instrument):
    """Instruments that hold one number per series."""

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, unit=unit, attributes=attributes, owner=owner)
        self._values: dict[Key, int | float] = {}
        self.expose_known()

    def values(self) -> dict[Key, int | float]:
        """The value of every series. The key is the label values in the order of `attributes`."""
        with self._lock:
            return dict(self._values)


class _Sums(_Numbers):
    """Instruments that start at 0 and add amounts."""

    def expose_known(self) -> None:
        with self._lock:
            for key in itertools.product(*(attribute.known for attribute in self.attributes)):
                self._values.setdefault(key, 0)

    def _add(self, key: Key, amount: int | float) -> None:
        with self._lock:
            self._values[key] = _sum(self._values.get(key, 0), amount)


class Counter(_Sums, metrics.Counter):
    """Counts events or adds up amounts. Prometheus expects a name that ends in `_total`.

    Each combination of known label values has a series at 0 from the declaration on. Declaring raises ValueError for
    a bad name or a name that is declared already.

    Example: `orders_total = Counter("orders_total", "Orders.", unit="{order}", attributes=(SIDE,))`.
    """

    kind = "counter"

    def add(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Adds an amount, in the declared unit. Never raises: a negative or other wrong amount is dropped and counted.

        `attributes` must have a value for each declared attribute and no others. `context` is ignored.

        Example: `orders_total.add(1, {"side": "buy"})`.
        """
        self._record(self._add_checked, amount, attributes)

    def _add_checked(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make a counter go down")
        self._add(key, amount)


class UpDownCounter(_Sums, metrics.UpDownCounter):
    """Counts something that goes up and down. Prometheus sees a gauge.

    Each combination of known label values has a series at 0 from the declaration on. Declaring raises ValueError for
    a bad name or a name that is declared already.

    Example: `connections = UpDownCounter("connections", "Open connections.", unit="{connection}")`.
    """

    kind = "gauge"

    def add(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Adds an amount in the declared unit; it may be negative. Never raises: wrong records are counted as drops.

        Example: `connections.add(-1)`.
        """
        self._record(self._add, amount, attributes)


class Gauge(_Numbers, ApiGauge):
    """A value that is set. A series can be removed when the thing that it describes no longer exists.

    There is no series before the first `set`, because 0 could be a wrong value. Declaring raises ValueError for a bad
    name or a name that is declared already.

    Example: `cash_dollars = Gauge("cash_dollars", "Cash.", unit="{USD}")`.
    """

    kind = "gauge"
    _callback: Callable[[], Amount | Iterable[Observation]] | None = None

    def set(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Sets the value of the series, in the declared unit. Never raises: wrong records are counted as drops.

        Example: `cash_dollars.set(1_000_000)`.
        """
        self._record(self._set, amount, attributes)

    def _set(self, key: Key, amount: int | float) -> None:
        with self._lock:
            self._values[key] = amount

    def remove(self, attributes: Attributes = None) -> None:
        """Removes the series from /metrics. Does nothing when there is none. Never raises."""
        self._record(self._forget, 0, attributes)

    def _forget(self, key: Key, _: int | float) -> None:
        with self._lock:
            self._values.pop(key, None)

    def replace(self, values: Mapping[str, Amount]) -> None:
        """Replaces all series of a gauge that has exactly one attribute. The keys are the values of that attribute.

        A scrape sees either the old series or the new ones, never a mix. Never raises: a wrong value or amount is
        dropped and counted, and its series is not shown. If `values` cannot be read at all, the old series stay.

        Example: `positions_current.replace({"AAPL": 100, "MSFT": -20})`.
        """
        fresh: dict[Key, int | float] = {}
        try:
            for value, amount in values.items():
                self._record(fresh.__setitem__, amount, {self._names[0]: value})
        except Exception as error:  # `values` may be no mapping, or its methods may raise
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))
            return
        with self._lock:
            self._values = fresh

    def watch(self, callback: Callable[[], Amount | Iterable[Observation]]) -> None:
        """Sets a callback that is called at each scrape. It returns a number or an iterable of `Observation`s.

        A second call of `watch` replaces the callback. An error in the callback is counted as a drop.

        Example: `heartbeat_timestamp_seconds.watch(time.time)`.
        """
        self._callback = callback

    def values(self) -> dict[Key, int | float]:
        """The value of every series by its label values, including what the callback returns now."""
        values = super().values()
        if self._callback is not None and self.is_exposed():
            try:
                answer = self._callback()
                if isinstance(answer, Iterable):
                    for observation in list(answer):
                        self._record(values.__setitem__, observation.value, observation.attributes)
                else:
                    self._record(values.__setitem__, answer, None)
            except Exception as error:  # an error in the caller's callback must not fail the scrape
                dropped(self.name, Dropped(Reason.CALLBACK_FAILED, f"{type(error).__name__}: {error}"))
        return values


class HistogramSeries:
    """One count for each bucket, one more for amounts above the last bound, and the sum of the amounts."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum: int | float = 0


class Histogram(Instrument, metrics.Histogram):
    """A distribution of amounts over buckets. An amount equal to a bound counts in the bucket of that bound.

    `buckets` are the upper bounds in the declared unit. The default suits durations in seconds. Each combination of
    known label values has a series at 0 from the declaration on. Raises ValueError when the bounds are not finite and
    ascending, and for a bad name or a name that is declared already.

    Example: `fill_seconds = Histogram("fill_seconds", "Time to fill.", unit="s", buckets=(0.1, 1, 10))`.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | tuple[str, ...] | None = None,
        buckets: Sequence[float] = LATENCY_BUCKETS,
    ) -> None:
        if list(buckets) != sorted(set(buckets)) or not all(map(math.isfinite, buckets)):
            raise ValueError(f"{name}: buckets must be finite and ascending")
        super().__init__(name, description, unit=unit, attributes=attributes, owner=owner)
        self.buckets = tuple(buckets)
        self._series: dict[Key, HistogramSeries] = {}
        self.expose_known()

    def expose_known(self) -> None:
        with self._lock:
            for key in itertools.product(*(attribute.known for attribute in self.attributes)):
                self._series.setdefault(key, HistogramSeries(len(self.buckets) + 1))

    def record(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
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
                series = self._series[key] = HistogramSeries(len(self.buckets) + 1)
            series.sum = _sum(series.sum, amount)
            series.counts[bisect.bisect_left(self.buckets, amount)] += 1

    def time(self, attributes: Attributes = None) -> Timer:
        """Measures a block or a function in seconds. It is recorded also when the block or function raises.

        Examples: `with fill_seconds.time():` for a block, `@fill_seconds.time()` for a function or a coroutine.
        """
        return Timer(self, attributes)

    def values(self) -> dict[Key, tuple[list[int], int | float]]:
        """The bucket counts (not cumulative) and the sum of every series, by its label values."""
        with self._lock:
            return {key: (list(series.counts), series.sum) for key, series in self._series.items()}
