"""Counter, UpDownCounter, Gauge and Histogram: each is a declared metric and an OpenTelemetry instrument.

Each class is a subclass of the OpenTelemetry API class with the same name, so code that is typed against the API
accepts it. The values are kept here and not in the SDK. This way a gauge can forget a series, a counter can show 0
before its first event, and /metrics shows a metric under the name with which it was declared.
"""

from __future__ import annotations

import bisect
import itertools
import math
import threading
from abc import ABCMeta, abstractmethod
from collections import Counter as Count
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, overload

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import _Gauge as ApiGauge
from typing_extensions import TypeVar

from telemetry.amounts import Amount, number, total
from telemetry.attributes import OTHER, NoLabels, Open, read_labels
from telemetry.callbacks import Callback, Caller
from telemetry.declaration import (
    SHOWN_AT_MOST,
    check_description,
    check_name,
    check_shown,
    check_unit,
    read_buckets,
    read_owners,
)
from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.registry import process, register
from telemetry.samples import Sample, number_text
from telemetry.timing import Timer

Key = tuple[str, ...]
L = TypeVar("L", bound=Mapping[str, Any], default=NoLabels)

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds. A quick database call takes half a millisecond. All our time-outs are under ten seconds."""


class _Declaring(ABCMeta):
    """Registers a metric when it is complete: a scrape in another thread never sees a half-made one."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return register(super().__call__(*args, **kwargs))


class Instrument(Generic[L], metaclass=_Declaring):
    """What the four kinds have in common: the declaration, and the checks of a record.

    `labels` is a `TypedDict` whose annotations say which values each label takes. `unit` is a UCUM unit such as `s`, or
    an annotation such as `{order}`. `owner` is the name that the recording service passes to `init`, a tuple of several
    such names, or None when every service records the metric.

    Raises ValueError, which names the metric and the way out, for a name, label, unit, description or owner that would
    not arrive in Prometheus as it is written. One declaration that is executed twice is one metric.
    """

    kind: str

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        check_unit(name, unit)
        check_description(name, description)
        self.name = name
        self.description = description
        self.unit = unit
        self.owners = read_owners(name, owner)
        self.labels = read_labels(name, NoLabels if labels is None else labels)
        self.label_names = tuple(label.name for label in self.labels)
        self._lock = threading.Lock()
        # For each open label: in how many series each value is that nobody announced.
        self._met: tuple[Count[str], ...] = tuple(Count() for _ in self.labels)
        for label in self.labels:
            if label.open is not None:
                label.open.used_by(self)

    def __repr__(self) -> str:
        """Kind, name and labels."""
        return f"<{type(self).__name__} {self.name}{{{', '.join(label.describe() for label in self.labels)}}}>"

    def differences(self, other: Instrument[Any]) -> list[str]:
        """What another declaration of the same name has differently. Empty: it is the same declaration."""
        if type(other) is not type(self):
            return ["kind"]
        mine, theirs = self._declaration(), other._declaration()
        return [what for what in mine if mine[what] != theirs[what]]

    def _declaration(self) -> dict[str, object]:
        return {
            "description": self.description,
            "unit": self.unit,
            "owner": self.owners,
            "set of labels": [label.describe() for label in self.labels],
        }

    def merge(self, other: Instrument[Any]) -> None:
        """Hears of values from the labels of another declaration that is the same, too."""
        for mine, label in zip(self.labels, other.labels, strict=True):
            if label.open is not None and mine.open is not None and label.open is not mine.open:
                mine.open.follow(label.open)

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values. A gauge creates none: 0 may be wrong."""

    @abstractmethod
    def samples(self) -> list[Sample]:
        """What the metric says now."""

    @abstractmethod
    def series(self) -> int:
        """How many series it has."""

    @abstractmethod
    def readings(self) -> dict[Key, int | float]:
        """Each series as a number: its value, or how many amounts a histogram recorded."""

    def read(self, key: Key) -> int | float | None:
        """One series as a number. None: there is none."""
        return self.readings().get(key)

    def is_exposed(self) -> bool:
        """Whether this process records the metric. Before `init` every process records every metric."""
        return not self.owners or process.service is None or process.service in self.owners

    def key(self, attributes: Mapping[str, Any] | None) -> Key:
        """The label texts in the order of the declaration. Raises `Dropped` for wrong labels. Changes nothing."""
        given: Mapping[str, Any] = {} if attributes is None else attributes
        if not isinstance(given, (dict, Mapping)):  # asking the abstract class takes longer
            raise Dropped(Reason.UNREADABLE, f"attributes are a {type(given).__name__}, not a mapping")
        missing = [name for name in self.label_names if name not in given]
        if missing:
            raise Dropped(Reason.MISSING_ATTRIBUTE, f"{', '.join(missing)} is missing")
        if len(given) > len(self.label_names):
            extra = ", ".join(sorted(repr(name)[:40] for name in given if name not in self.label_names))
            raise Dropped(Reason.UNDECLARED_ATTRIBUTE, f"{extra} is not declared")
        return tuple(label.text(given[label.name]) for label in self.labels)

    def _record(
        self, take: Callable[[Key, int | float], None], amount: object, attributes: Mapping[str, Any] | None
    ) -> None:
        if process.disabled:
            return
        try:
            if not self.is_exposed():
                raise Dropped(
                    Reason.NOT_OWNED,
                    f"it belongs to {' and '.join(self.owners)}, and this service is {process.service}",
                )
            take(self.key(attributes), number(amount))
        except Dropped as problem:
            dropped(self.name, problem)
        except Exception as error:  # the caller's amount or attributes may be objects whose methods raise
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))

    def _known_keys(self) -> Iterator[Key]:
        """The combinations of known values; none if they are too many."""
        known = [label.known for label in self.labels]
        if math.prod(map(len, known)) > SHOWN_AT_MOST:
            warn(
                (self.name, "shown"),
                f"{self.name} does not show its series before their first event: {SHOWN_AT_MOST:,} is the most",
            )
            return iter(())
        return itertools.product(*known)

    def _room(self, key: Key, met: tuple[Count[str], ...]) -> Key:
        """The key of a series that does not exist yet, with `__other__` for each value for which there is no room."""
        return tuple(
            text
            if label.open is None or label.open.knows(text) or text in values or _has_room(label.open, values)
            else OTHER
            for label, text, values in zip(self.labels, key, met, strict=True)
        )

    def _opened(self, key: Key, met: tuple[Count[str], ...]) -> None:
        """Notes the values of a new series."""
        for label, text, values in zip(self.labels, key, met, strict=True):
            if label.open is not None:
                values[text] += 1

    def _closed(self, key: Key) -> None:
        """Frees what a removed series used."""
        for label, text, values in zip(self.labels, key, self._met, strict=True):
            if label.open is not None:
                values[text] -= 1
                if not values[text]:
                    del values[text]

    def _pairs(self, key: Key) -> list[tuple[str, str]]:
        return list(zip(self.label_names, key, strict=True))


def _has_room(opened: Open, values: Mapping[str, int]) -> bool:
    known = opened.known
    return len(known) + sum(1 for value in values if value != OTHER and not opened.knows(value)) < opened.limit


class _Numbers(Instrument[L]):
    """Instruments that hold one number per series."""

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, labels, unit=unit, owner=owner)
        self._values: dict[Key, int | float] = {}

    def values(self) -> dict[Key, int | float]:
        """The value of every series. The key is the label values in the order of the declaration."""
        with self._lock:
            return dict(self._values)

    def samples(self) -> list[Sample]:
        """One sample for each series."""
        return [Sample("", self._pairs(key), value) for key, value in self.values().items()]

    def series(self) -> int:
        """How many series it has."""
        return len(self._values)

    def readings(self) -> dict[Key, int | float]:
        """The value of every series."""
        return self.values()

    def _put(self, key: Key, change: Callable[[int | float], int | float]) -> None:
        """Changes one series. It begins at 0."""
        with self._lock:
            before = self._values.get(key)
            if before is None:
                key = self._room(key, self._met)
                before = self._values.get(key)
            after = change(0 if before is None else before)
            if before is None:
                self._opened(key, self._met)
            self._values[key] = after


class _Sums(_Numbers[L]):
    """Instruments that start at 0 and add amounts."""

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, labels, unit=unit, owner=owner)
        check_shown(name, [len(label.values) for label in self.labels if label.open is None])
        self.expose_known()

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values."""
        keys = list(self._known_keys())
        with self._lock:
            for key in keys:
                if key not in self._values:
                    self._opened(key, self._met)
                    self._values[key] = 0

    def _add(self, key: Key, amount: int | float) -> None:
        self._put(key, lambda before: total(before, amount))


class Counter(_Sums[L], metrics.Counter):
    """Counts events or adds up amounts. Its name ends in `_total`.

    Each combination of known label values has a series at 0 from the declaration on.

    Example: `orders_total = Counter("orders_total", "Orders.", OrderLabels, unit="{order}")`.
    """

    kind = "counter"

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        check_name(name, self.kind, unit)
        super().__init__(name, description, labels, unit=unit, owner=owner)

    # The API takes any attributes, or none. Here they are those of the declaration, so that mypy finds a wrong one.
    @overload  # type: ignore[override]
    def add(self: Counter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount, in the declared unit. Never raises: a negative or other wrong amount is dropped and counted.

        `attributes` has a value for each declared label and no others. `context` is ignored.

        Example: `orders_total.add(1, {"side": Side.BUY})`.
        """
        self._record(self._add_checked, amount, attributes)

    def _add_checked(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make a counter go down")
        self._add(key, amount)


class UpDownCounter(_Sums[L], metrics.UpDownCounter):
    """Counts something that goes up and down. Prometheus sees a gauge.

    Each combination of known label values has a series at 0 from the declaration on.

    Example: `connections = UpDownCounter("connections", "Open connections.", unit="{connection}")`.
    """

    kind = "gauge"

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        check_name(name, self.kind, unit)
        super().__init__(name, description, labels, unit=unit, owner=owner)

    @overload  # type: ignore[override]
    def add(self: UpDownCounter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount in the declared unit; it may be negative. Never raises: wrong records are counted as drops.

        Example: `connections.add(-1)`.
        """
        self._record(self._add, amount, attributes)


class Gauge(_Numbers[L], ApiGauge):
    """A value that is set. A series can be removed when the thing that it describes no longer exists.

    There is no series before the first `set`, because 0 could be a wrong value. A name that ends in `_total` is refused
    unless `named_like_a_counter` is set, for a name that others have chosen.

    Example: `cash_dollars = Gauge("cash_dollars", "Cash.", unit="{USD}")`.
    """

    kind = "gauge"
    _caller: Caller | None = None

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
        named_like_a_counter: bool = False,
    ) -> None:
        check_name(name, self.kind, unit, named_like_a_counter=named_like_a_counter)
        super().__init__(name, description, labels, unit=unit, owner=owner)

    @overload  # type: ignore[override]
    def set(self: Gauge[NoLabels], amount: Amount) -> None: ...
    @overload
    def set(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def set(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Sets the value of the series, in the declared unit. Never raises: wrong records are counted as drops.

        Example: `cash_dollars.set(1_000_000)`.
        """
        self._record(self._set, amount, attributes)

    def _set(self, key: Key, amount: int | float) -> None:
        self._put(key, lambda _: amount)

    @overload
    def remove(self: Gauge[NoLabels]) -> None: ...
    @overload
    def remove(self, attributes: L) -> None: ...
    def remove(self, attributes: Any = None) -> None:
        """Removes the series from /metrics, and makes room for another. Does nothing if there is none. Never raises.

        Example: `cash_dollars.remove()`.
        """
        self._record(self._forget, 0, attributes)

    def _forget(self, key: Key, _: int | float) -> None:
        with self._lock:
            if self._values.pop(key, None) is not None:
                self._closed(key)

    def replace(self, values: Mapping[str, Amount]) -> None:
        """Replaces all series of a gauge that has exactly one label. The keys are the values of that label.

        A scrape sees either the old series or the new ones, never a mix. Never raises: a wrong value or amount is
        dropped and counted, and its series is not shown. If `values` cannot be read at all, the old series stay.

        Example: `positions_current.replace({"AAPL": 100, "MSFT": -20})`.
        """
        fresh: dict[Key, int | float] = {}
        met: tuple[Count[str], ...] = tuple(Count() for _ in self.labels)

        def take(key: Key, amount: int | float) -> None:
            key = self._room(key, met)
            if key not in fresh:
                self._opened(key, met)
            fresh[key] = amount

        try:
            if len(self.label_names) != 1:
                raise TypeError("replace is for a gauge with exactly one label")
            for value, amount in values.items():
                self._record(take, amount, {self.label_names[0]: value})
        except Exception as error:  # `values` may be no mapping, or its methods may raise
            dropped(self.name, Dropped(Reason.UNREADABLE, f"{type(error).__name__}: {error}"))
            return
        with self._lock:
            self._values, self._met = fresh, met

    def watch(self, callback: Callback) -> None:
        """Sets a callback that is called at each scrape, in a thread. It returns a number or `Observation`s.

        It takes no argument, or `CallbackOptions` as callbacks of the OpenTelemetry API do. A second call of `watch`
        replaces the callback. One that raises, or takes more than a second, is counted as a drop.

        Example: `heartbeat_timestamp_seconds.watch(time.time)`.
        """
        self._caller = Caller(callback)

    def values(self) -> dict[Key, int | float]:
        """The value of every series by its label values, including what the callback returns now."""
        values = super().values()
        if self._caller is not None and self.is_exposed() and not process.disabled:
            try:
                answer = self._caller.ask()
                if isinstance(answer, list):
                    for observation in answer:
                        self._record(values.__setitem__, observation.value, observation.attributes)
                else:
                    self._record(values.__setitem__, answer, None)
            except Dropped as problem:
                dropped(self.name, problem)
            except Exception as error:  # what it returned is no observation
                dropped(self.name, Dropped(Reason.CALLBACK_FAILED, f"{type(error).__name__}: {error}"))
        return values


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

    Example: `fill_seconds = Histogram("fill_seconds", "Time to fill.", unit="s", buckets=(0.1, 1, 10))`.
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
        check_name(name, self.kind, unit)
        self.buckets = read_buckets(name, buckets)
        super().__init__(name, description, labels, unit=unit, owner=owner)
        check_shown(name, [len(label.values) for label in self.labels if label.open is None])
        self._bounds = (*map(number_text, self.buckets), "+Inf")
        self._series: dict[Key, HistogramSeries] = {}
        self.expose_known()

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

    @overload
    def time(self: Histogram[NoLabels]) -> Timer: ...
    @overload
    def time(self, attributes: L) -> Timer: ...
    def time(self, attributes: Any = None) -> Timer:
        """Measures a block or a function in seconds. It is recorded also when the block or function raises.

        Examples: `with fill_seconds.time():` for a block, `@fill_seconds.time()` for a function or a coroutine.
        """
        return Timer(lambda seconds: self._record(self._observe, seconds, attributes))

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

    def series(self) -> int:
        """How many series it has."""
        return len(self._series)

    def readings(self) -> dict[Key, int | float]:
        """How many amounts each series has."""
        with self._lock:
            return {key: sum(series.counts) for key, series in self._series.items()}
