"""The instruments that anybody makes through the OpenTelemetry API: `get_meter(...).create_counter(...)`, and so on.

Their labels are not declared, so a series is found by the attributes as they are given. What is recorded is checked and
bounded like that of declared metrics, and never raises.
"""

from __future__ import annotations

import inspect
import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from telemetry.amounts import added, counted, number
from telemetry.attributes import text_of
from telemetry.callbacks import Call, Caller
from telemetry.declaration import read_buckets
from telemetry.drops import Dropped, Reason, dropped, said, warn
from telemetry.names import label_name, metric_name
from telemetry.recording import USUAL
from telemetry.samples import labels_text
from telemetry.store import Cell

SERIES_AT_MOST = 2000
"""How many series an instrument has, as in the SDK. The rest is one series with `otel.metric.overflow`."""
CACHED_AT_MOST = 10_000
"""How many ways of giving attributes are remembered: order, types."""
BUCKETS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
"""The bounds that the specification gives a histogram without advice."""

Attributes = Mapping[str, Any] | None
Cells = dict[Any, Cell]
Callback = Callable[[CallbackOptions], Iterable[Observation]]


class Scope(NamedTuple):
    """Who makes an instrument: what is given to `get_meter`."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: tuple[tuple[str, Any], ...] = ()


class Made:
    """An instrument of the API. A cell is its numbers and its `Series`."""

    kind: str
    """What Prometheus calls it: `counter`, `gauge` or `histogram`."""
    adds_up = True
    """Whether series of two instruments with the same name and labels are one sum."""
    lowest: float = 0
    bounds: tuple[float, ...] = ()

    scope: Scope
    name: str
    unit: str
    description: str

    def _begin(self, scope: Scope, name: str, unit: str, description: str) -> None:
        self.scope = scope
        self.name = name
        self.unit = unit
        self.description = description
        self.shown_as = metric_name(name, unit, counts=self.kind == "counter")
        self.cells: Cells = {}
        self.cache: dict[Any, Any] = {}

    def prepare(self) -> None:
        """Called before a scrape asks for the series of all instruments, one after the other."""

    def snapshot(self) -> list[Cell]:
        """Its series, each in one moment."""
        return [cell[:] for cell in list(self.cells.values())]

    def begin_again(self) -> None:
        """Forgets what was recorded, in a child after a fork."""
        cells = list(self.cells.values())
        self.cells.clear()
        self.cache.clear()
        for cell in cells:
            cell.clear()

    def _cell(self, cells: Cells, attributes: Attributes) -> Cell:
        """The cell of a series. It is made if there is none. Raises `Dropped` for attributes that cannot be written."""
        given = {} if attributes is None else attributes
        if not isinstance(given, Mapping):
            raise Dropped(Reason.UNREADABLE, f"attributes are a {type(given).__name__}, not a mapping")
        kept: dict[str, Any] = {}
        texts: dict[str, str] = {}
        try:
            for name, value in given.items():
                name = str.__str__(name)
                texts[name] = text_of(value)
                kept[name] = tuple(value) if isinstance(value, list) else value
        except (TypeError, ValueError) as error:
            raise Dropped(Reason.NOT_TEXT, said(error)) from None
        key = tuple(sorted((name, text, type(kept[name]).__name__) for name, text in texts.items()))
        cell = cells.get(key)
        if cell is None and len(cells) < SERIES_AT_MOST:
            cell = cells.setdefault(key, self._new(Series(kept, written(texts))))
        if cell is None:
            return cells.setdefault(None, self._new(OVERFLOW))
        self._remember(attributes, cell)
        return cell

    def _new(self, series: Series) -> Cell:
        """The cell of a new series."""
        return [0, series]

    def _remember(self, attributes: Attributes, cell: Cell) -> None:
        """Notes the cell for attributes that are given in the same way: in the same order, of the same types."""
        if type(attributes) is not dict or len(self.cache) >= CACHED_AT_MOST:
            return
        given = tuple(attributes.items())
        with suppress(TypeError):  # a list, which the API allows as a value, cannot be looked up
            if all(value.__class__ is str for value in attributes.values()):
                self.cache[given] = cell
            else:  # 1, True and 1.0 would be the same key
                types = tuple([value.__class__ for _, value in given])
                self.cache[given] = {**self.cache.get(given, {}), types: cell}

    def _record(
        self,
        take: Callable[[Cell, int | float], bool],
        amount: object,
        attributes: Attributes,
        cells: Cells | None = None,
    ) -> None:
        try:
            value = number(amount)
            if value < self.lowest:
                raise Dropped(Reason.NEGATIVE, f"{value} would make it go down")
            if not take(self._cell(self.cells if cells is None else cells, attributes), value):
                raise Dropped(Reason.NOT_A_NUMBER, f"the sum would be infinite with {value}")
        except Dropped as problem:
            dropped(self.shown_as, problem)
        except Exception as error:  # the caller's amount or attributes may be objects whose methods raise
            dropped(self.shown_as, Dropped(Reason.UNREADABLE, type(error).__name__))


@dataclass(frozen=True)
class Series:
    """The labels of a series, as they were given and as Prometheus has them."""

    attributes: dict[str, Any]
    text: str


def written(texts: Mapping[str, str]) -> str:
    """Labels in the text format. Values of attributes that get the same name are joined, as the specification says."""
    labels: dict[str, str] = {}
    for name, text in sorted(texts.items()):
        label = label_name(name)
        labels[label] = f"{labels[label]};{text}" if label in labels else text
    return labels_text(labels.items())


OVERFLOW = Series({"otel.metric.overflow": True}, written({"otel.metric.overflow": "true"}))


def _add(cell: Cell, amount: int | float) -> bool:
    return added(cell, 0, amount)


def _set(cell: Cell, amount: int | float) -> bool:
    cell[0] = amount
    return True


class _Sum(Made):
    def __init__(self, name: str, unit: str, description: str, scope: Scope) -> None:
        self._begin(scope, name, unit, description)
        vars(self)["add"] = self._quick_add()

    def _quick_add(self) -> Callable[..., None]:
        cache, lowest, slow = self.cache, self.lowest, self._record

        def add(amount: Any, attributes: Any = None, context: object = None) -> None:
            try:
                if (amount.__class__ is int or amount.__class__ is float) and lowest <= amount <= USUAL:
                    given = tuple(attributes.items()) if attributes else ()
                    cell = cache[given]
                    if cell.__class__ is dict:
                        cell = cell[tuple([value.__class__ for _, value in given])]
                    cell[0] += amount
                    return
            except Exception:  # noqa: S110 - the slow way says what is wrong
                pass
            slow(_add, amount, attributes)

        return add

    def add(self, amount: int | float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._record(_add, amount, attributes)


class MadeCounter(_Sum, Counter):
    """A counter."""

    kind = "counter"


class MadeUpDownCounter(_Sum, UpDownCounter):
    """A sum that goes up and down."""

    kind = "gauge"
    lowest = -math.inf


class MadeGauge(Made, Gauge):
    """A value that is set."""

    kind = "gauge"
    adds_up = False
    lowest = -math.inf

    def __init__(self, name: str, unit: str, description: str, scope: Scope) -> None:
        self._begin(scope, name, unit, description)

    def set(self, amount: int | float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._record(_set, amount, attributes)


class MadeHistogram(Made, Histogram):
    """A distribution of amounts over buckets."""

    kind = "histogram"

    def __init__(self, name: str, unit: str, description: str, scope: Scope, advised: Sequence[float] | None) -> None:
        self.bounds = _bounds(name, advised)
        self._begin(scope, name, unit, description)
        vars(self)["record"] = self._quick_record()

    def _new(self, series: Series) -> Cell:
        return [*[0] * (len(self.bounds) + 1), 0, series]

    def _quick_record(self) -> Callable[..., None]:
        cache, bounds, slow, take = self.cache, self.bounds, self._record, self._take

        def record(amount: Any, attributes: Any = None, context: object = None) -> None:
            try:
                if (amount.__class__ is float or amount.__class__ is int) and 0 <= amount <= USUAL:
                    given = tuple(attributes.items()) if attributes else ()
                    cell = cache[given]
                    if cell.__class__ is dict:
                        cell = cell[tuple([value.__class__ for _, value in given])]
                    bucket = bisect_left(bounds, amount)
                    cell[bucket] += 1
                    cell[-2] += amount
                    return
            except Exception:  # noqa: S110 - the slow way says what is wrong
                pass
            slow(take, amount, attributes)

        return record

    def _take(self, cell: Cell, amount: int | float) -> bool:
        return counted(cell, bisect_left(self.bounds, amount), amount)

    def record(self, amount: int | float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._record(self._take, amount, attributes)


def _bounds(name: str, advised: Sequence[float] | None) -> tuple[float, ...]:
    if advised is None:
        return BUCKETS
    try:
        return read_buckets(name, advised) if advised else ()
    except ValueError as problem:
        warn((name, "buckets"), f"the advice is not taken: {problem}")
        return BUCKETS


class Observed(Made):
    """An instrument whose callbacks are asked at each scrape. What they do not say then has no series."""

    lowest = -math.inf

    def __init__(
        self, name: str, unit: str, description: str, scope: Scope, callbacks: Sequence[Callback] | None
    ) -> None:
        self._begin(scope, name, unit, description)
        self._callers: list[Caller[list[Observation]]] = []
        self._begun: list[Call[list[Observation]]] = []
        self.watch(callbacks or ())

    def watch(self, callbacks: Iterable[Callback]) -> None:
        """Asks these callbacks, too."""
        self._callers += [Caller(_asking(callback)) for callback in callbacks]

    def prepare(self) -> None:
        """Begins to ask the callbacks. So those of all instruments run side by side."""
        self._begun = [caller.start() for caller in self._callers]

    def snapshot(self) -> list[Cell]:
        """What the callbacks say now."""
        cells: Cells = {}
        calls, self._begun = self._begun, []
        for caller, call in itertools.zip_longest(self._callers, calls):
            try:
                for observation in caller.ask(call):
                    self._record(_set, observation.value, observation.attributes, cells)
            except Dropped as problem:
                dropped(self.shown_as, problem)
            except Exception as error:  # it is no observation
                dropped(self.shown_as, Dropped(Reason.CALLBACK_FAILED, said(error)))
        return list(cells.values())

    def begin_again(self) -> None:
        """In a child after a fork: a thread of the parent does not go on."""
        self._callers = [Caller(caller.work) for caller in self._callers]
        self._begun = []

    def _remember(self, attributes: Attributes, cell: Cell) -> None:
        """The cells are new at each scrape."""


def _asking(callback: Any) -> Callable[[], list[Observation]]:
    """Asks a function, or a generator that is sent the options, as the API allows."""
    ask = callback
    if inspect.isgenerator(callback):
        next(callback)
        ask = callback.send
    return lambda: list(ask(CallbackOptions()))


class MadeObservableCounter(Observed, ObservableCounter):
    """A sum that callbacks tell."""

    kind = "counter"
    lowest = 0


class MadeObservableUpDownCounter(Observed, ObservableUpDownCounter):
    """A sum that goes up and down, which callbacks tell."""

    kind = "gauge"


class MadeObservableGauge(Observed, ObservableGauge):
    """A value that callbacks tell."""

    kind = "gauge"
    adds_up = False
