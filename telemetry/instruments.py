"""Counter, UpDownCounter, Gauge and Histogram: a declared metric and an OpenTelemetry instrument in one.

Each subclasses the OpenTelemetry API's class of its name and takes its arguments, so code that is typed against the
API takes these. Values are kept here, not in the SDK: a gauge can forget a series, a counter can show a zero, and a
name is spelled the same everywhere.
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
"""Seconds: half a millisecond is a quick database call, ten seconds is past every time-out of ours."""

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Instrument:
    """What the four kinds have in common: the declaration, and series by label values."""

    kind: str

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | None = None,
    ) -> None:
        """Declares and registers a metric.

        `unit` is a UCUM unit or an annotation such as `{order}`; `owner` is the service that records it, as given to
        `init`, or None when every service does. Raises ValueError for a name that is taken or not Prometheus's way.
        """
        if not _METRIC_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a metric name: lower case, digits and underscores")
        if name in declared:
            raise ValueError(f"{name} is declared twice")
        self.name = name
        self.description = description
        self.unit = unit
        self.attributes = tuple(attributes)
        self.owner = owner
        self._names = tuple(attribute.name for attribute in attributes)
        self._lock = threading.Lock()
        declared[name] = self
        for attribute in self.attributes:
            attribute.used_by(self.expose_known)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The attributes' names, in their order."""
        return self._names

    def expose_known(self) -> None:
        """Shows every series that is known beforehand; a gauge has none, its value would be a guess."""

    def is_exposed(self) -> bool:
        """Whether this process records it: it is the owner, or nobody has said yet which service this is."""
        return self.owner is None or process.service is None or self.owner == process.service

    def _record(self, take: Callable[[Key, int | float], None], amount: object, attributes: Attributes) -> None:
        if process.disabled:
            return
        try:
            if not self.is_exposed():
                raise Dropped(Reason.NOT_OWNED, f"it belongs to {self.owner}, this is {process.service}")
            take(self._key(attributes), number(amount))
        except Dropped as problem:
            dropped(self.name, problem)
        except Exception as error:  # an amount or attributes with methods of their own, which may do anything
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))

    def _key(self, attributes: Attributes) -> Key:
        given: Mapping[str, Any] = {} if attributes is None else attributes
        if not isinstance(given, Mapping):
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
        raise Dropped(Reason.NOT_A_NUMBER, f"the sum is {before}, and {amount} more would be infinite")
    return after


class _Numbers(Instrument):
    """Instruments whose series is one number."""

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | None = None,
    ) -> None:
        super().__init__(name, description, unit=unit, attributes=attributes, owner=owner)
        self._values: dict[Key, int | float] = {}
        self.expose_known()

    def values(self) -> dict[Key, int | float]:
        """Every series' value by its label values, in the order of `attributes`."""
        with self._lock:
            return dict(self._values)


class _Sums(_Numbers):
    """Numbers that are added to, from 0."""

    def expose_known(self) -> None:
        with self._lock:
            for key in itertools.product(*(attribute.known for attribute in self.attributes)):
                self._values.setdefault(key, 0)

    def _add(self, key: Key, amount: int | float) -> None:
        with self._lock:
            self._values[key] = _sum(self._values.get(key, 0), amount)


class Counter(_Sums, metrics.Counter):
    """Counts events; the name ends in `_total`. Series that are known beforehand start at 0."""

    kind = "counter"

    def add(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Adds an amount that is not negative."""
        self._record(self._add_checked, amount, attributes)

    def _add_checked(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make a counter go down")
        self._add(key, amount)


class UpDownCounter(_Sums, metrics.UpDownCounter):
    """Counts what comes and goes; a gauge in Prometheus."""

    kind = "gauge"

    def add(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Adds an amount, which may be negative."""
        self._record(self._add, amount, attributes)


class Gauge(_Numbers, ApiGauge):
    """A value that is set, and forgotten when what it describes is gone."""

    kind = "gauge"
    _callback: Callable[[], Amount | Iterable[Observation]] | None = None

    def set(self, amount: Amount, attributes: Attributes = None, context: Context | None = None) -> None:
        """Sets the series' value."""
        self._record(self._set, amount, attributes)

    def _set(self, key: Key, amount: int | float) -> None:
        with self._lock:
            self._values[key] = amount

    def remove(self, attributes: Attributes = None) -> None:
        """Forgets the series: it is no longer exposed. Nothing happens when there is none."""
        self._record(self._forget, 0, attributes)

    def _forget(self, key: Key, _: int | float) -> None:
        with self._lock:
            self._values.pop(key, None)

    def replace(self, values: Mapping[str, Amount]) -> None:
        """Sets every series of a gauge with one attribute, by that attribute's value, and forgets all others.

        A scrape sees the old series or the new ones, never some of each.
        """
        fresh: dict[Key, int | float] = {}
        try:
            for value, amount in values.items():
                self._record(fresh.__setitem__, amount, {self._names[0]: value})
        except Exception as error:  # not a mapping, or one with methods of its own
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))
            return
        with self._lock:
            self._values = fresh

    def watch(self, callback: Callable[[], Amount | Iterable[Observation]]) -> None:
        """Has the callback asked when scraped, for a number or `Observation`s; a second call replaces the first."""
        self._callback = callback

    def values(self) -> dict[Key, int | float]:
        """Every series' value by its label values, with what the callback says now."""
        values = super().values()
        if self._callback is not None and self.is_exposed():
            try:
                answer = self._callback()
                if isinstance(answer, Iterable):
                    for observation in list(answer):
                        self._record(values.__setitem__, observation.value, observation.attributes)
                else:
                    self._record(values.__setitem__, answer, None)
            except Exception as error:  # somebody else's code, which must not break the scrape
                dropped(self.name, Dropped(Reason.CALLBACK_FAILED, f"{type(error).__name__}: {error}"))
        return values


class HistogramSeries:
    """Counts by bucket, the last of them past every bound, and the sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum: int | float = 0


class Histogram(Instrument, metrics.Histogram):
    """A distribution, by buckets whose bounds are inclusive."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str,
        *,
        unit: str,
        attributes: Sequence[Attribute] = (),
        owner: str | None = None,
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
        """Records an amount that is not negative."""
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
        """Times a block or a function in seconds, whether or not it raised."""
        return Timer(self, attributes)

    def values(self) -> dict[Key, tuple[list[int], int | float]]:
        """Every series' bucket counts (not cumulative) and sum, by its label values."""
        with self._lock:
            return {key: (list(series.counts), series.sum) for key, series in self._series.items()}
