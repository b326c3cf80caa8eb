"""Instruments of the OpenTelemetry API that are recorded when something happens: counters, gauges, histograms."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.metrics import _Gauge as Gauge

from telemetry.amounts import counted
from telemetry.declaration import read_buckets
from telemetry.drops import said, warn
from telemetry.exemplars import noting, tracing
from telemetry.made import Attributes, Made, Scope, Series, add_to, put
from telemetry.recording import USUAL
from telemetry.store import Cell

BUCKETS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
"""The bounds that the specification gives a histogram without advice."""


class _Sum(Made):
    def __init__(self, name: str, unit: str, description: str, scope: Scope) -> None:
        self._begin(scope, name, unit, description)
        vars(self)["add"] = self._quick_add([], self._add)

    def _quick_add(self, aside: list[bool], slow: Callable[..., None]) -> Callable[..., None]:
        cache, lowest = self.cache, self.lowest

        def add(amount: Any, attributes: Any = None, context: object = None) -> None:
            try:
                if (
                    (type(amount) is int or type(amount) is float)
                    and lowest <= amount <= USUAL
                    and (attributes is None or type(attributes) is dict)
                    and not aside
                ):
                    given = () if attributes is None else tuple(attributes.items())
                    cell = cache[given]
                    if type(cell) is dict:
                        cell = cell[tuple([type(value) for _, value in given])]
                    cell[0] += amount
                    return
            except Exception:  # noqa: S110 - the slow way says what is wrong
                pass
            try:  # noqa: SIM105 - `suppress` is a call
                slow(amount, attributes, context)
            except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
                pass

        return add

    def _add(self, amount: object, attributes: Attributes, context: object = None) -> None:
        self._record(add_to, amount, attributes)

    def add(self, amount: int | float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._add(amount, attributes)


class MadeCounter(_Sum, Counter):
    """A counter."""

    kind = "counter"

    def __init__(self, name: str, unit: str, description: str, scope: Scope) -> None:
        super().__init__(name, unit, description, scope)
        vars(self)["add"] = self._quick_add(tracing, noting(vars(self)["add"], self._note))


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
        try:  # noqa: SIM105 - `suppress` is a call
            self._record(put, amount, attributes)
        except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
            pass


class MadeHistogram(Made, Histogram):
    """A distribution of amounts over buckets."""

    kind = "histogram"

    def __init__(self, name: str, unit: str, description: str, scope: Scope, advised: Sequence[float] | None) -> None:
        self.bounds = bounds_of(name, advised)
        self._begin(scope, name, unit, description)
        quick = self._quick_record([], self._observe)
        vars(self)["record"] = self._quick_record(tracing, noting(quick, self._note))

    def _new(self, series: Series) -> Cell:
        return [*[0] * (len(self.bounds) + 1), 0, series]

    def _quick_record(self, aside: list[bool], slow: Callable[..., None]) -> Callable[..., None]:
        cache, bounds = self.cache, self.bounds

        def record(amount: Any, attributes: Any = None, context: object = None) -> None:
            try:
                if (
                    (type(amount) is float or type(amount) is int)
                    and 0 <= amount <= USUAL
                    and (attributes is None or type(attributes) is dict)
                    and not aside
                ):
                    given = () if attributes is None else tuple(attributes.items())
                    cell = cache[given]
                    if type(cell) is dict:
                        cell = cell[tuple([type(value) for _, value in given])]
                    bucket = bisect_left(bounds, amount)
                    cell[bucket] += 1
                    cell[-2] += amount
                    return
            except Exception:  # noqa: S110 - the slow way says what is wrong
                pass
            try:  # noqa: SIM105 - `suppress` is a call
                slow(amount, attributes, context)
            except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
                pass

        return record

    def _take(self, cell: Cell, amount: int | float) -> bool:
        return counted(cell, bisect_left(self.bounds, amount), amount)

    def _observe(self, amount: object, attributes: Attributes, context: object = None) -> None:
        self._record(self._take, amount, attributes)

    def record(self, amount: int | float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._observe(amount, attributes)


def bounds_of(name: str, advised: Sequence[float] | None) -> tuple[float, ...]:
    """The bounds that are advised, or the usual ones if there is no advice, or one that cannot be taken."""
    if advised is None:
        return BUCKETS
    try:
        return read_buckets(name, advised) if advised else ()
    except Exception as problem:  # iterating runs the caller's code
        warn((name, "buckets"), f"the advice is not taken: {said(problem)}")
        return BUCKETS
