"""Instruments of the OpenTelemetry API whose callbacks are asked at each scrape."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from opentelemetry.metrics import (
    CallbackOptions,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
)

from telemetry.callbacks import Call, Caller
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.made import Attributes, Cells, Given, Made, Scope, add_to, put
from telemetry.store import Cell

Callback = Callable[[CallbackOptions], Iterable[Observation]]
T = TypeVar("T")

OBSERVED_AT_MOST = 100_000
"""How many observations a callback returns."""


def few(things: Iterable[T]) -> list[T]:
    """What is iterated over, which may have no end. Raises ValueError if it is too much."""
    found = list(itertools.islice(things, OBSERVED_AT_MOST + 1))
    if len(found) > OBSERVED_AT_MOST:
        raise ValueError(f"there are more than {OBSERVED_AT_MOST:,}")
    return found


class Observed(Made):
    """An instrument whose callbacks are asked at each scrape. What they do not say then has no series."""

    lowest = -math.inf

    def __init__(self, name: str, unit: str, description: str, scope: Scope) -> None:
        self._begin(scope, name, unit, description)
        self._callers: list[Caller[list[Observation]]] = []
        self._begun: list[Call[list[Observation]]] = []

    def watch(self, callback: Callback) -> None:
        """Asks this callback, too."""
        try:
            self._callers.append(Caller(_asking(callback)))
        except Exception as error:  # it does not even say what it is
            dropped(self.shown_as, Dropped(Reason.CALLBACK_FAILED, said(error)))

    def prepare(self) -> None:
        """Begins to ask the callbacks. So those of all instruments run side by side."""
        self._begun = [caller.start() for caller in self._callers]

    def snapshot(self) -> list[Cell]:
        """What the callbacks say now."""
        cells: Cells = {}
        take = add_to if self.adds_up else put  # what two callbacks say of one series is a sum, as in the SDK
        calls, self._begun = self._begun, []
        for caller, call in itertools.zip_longest(self._callers, calls):
            try:
                for observation in caller.ask(call):
                    self._record(take, observation.value, observation.attributes, cells)
            except Dropped as problem:
                dropped(self.shown_as, problem)
            except Exception as error:  # it is no observation
                dropped(self.shown_as, Dropped(Reason.CALLBACK_FAILED, said(error)))
        return list(cells.values())

    def begin_again(self) -> None:
        """In a child after a fork: a thread of the parent does not go on."""
        self._callers = [Caller(caller.work) for caller in self._callers]
        self._begun = []

    def _remember(self, attributes: Attributes, given: Given, cell: Cell) -> None:
        """The cells are new at each scrape."""


def _asking(callback: Any) -> Callable[[], list[Observation]]:
    """Asks a function, or a generator that is sent the options, as the API allows."""
    generator = callback if inspect.isgenerator(callback) else None

    def ask() -> list[Observation]:
        if generator is None:
            return few(callback(CallbackOptions()))
        if inspect.getgeneratorstate(generator) == inspect.GEN_CREATED:
            next(generator)  # up to the `yield` that takes the options
        return few(callback.send(CallbackOptions()))

    return ask


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
