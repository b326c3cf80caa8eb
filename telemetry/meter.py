"""The meters of our MeterProvider: they make the seven kinds of instrument, and never raise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.metrics import (
    CallbackT,
    Counter,
    Histogram,
    Meter,
    NoOpMeter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from telemetry.drops import quoted, said, warn
from telemetry.given import exact, text_of
from telemetry.made import Made, Scope
from telemetry.observable import (
    MadeObservableCounter,
    MadeObservableGauge,
    MadeObservableUpDownCounter,
    Observed,
)
from telemetry.synchronous import MadeCounter, MadeGauge, MadeHistogram, MadeUpDownCounter, bounds_of

if TYPE_CHECKING:
    from telemetry.provider import Provider

M = TypeVar("M", bound=Made)
BOUNDS_AT_MOST = 1000
_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_nothing = NoOpMeter("telemetry")


class MadeMeter(Meter):
    """Makes the seven kinds of instrument. Never raises: what has a name that is none is said, and not shown."""

    def __init__(self, provider: Provider, name: str, scope: Scope) -> None:
        super().__init__(name, scope.version, scope.schema_url)
        self._provider = provider
        self._scope = scope

    def _make(self, kind: type[M], given: object, unit: Any, description: Any, *more: Any) -> M | None:
        name = exact(given)
        if not _NAME.fullmatch(name):
            what = f"{quoted(given)} of {self._scope.name} is no name of an instrument: not recorded"
            warn((self._scope.name, "name"), what)
            return None
        unit = exact(unit)
        unit = unit if unit.isascii() and len(unit) <= 63 else ""
        description = text_of(description)
        key = (self._scope, kind, name.lower(), unit)
        made = self._provider.add(key, lambda: kind(name.lower(), unit, description, self._scope, *more))  # type: ignore[call-arg]
        if made is not None and description != made.description:
            warn(
                (name, "description"),
                f"{name} of {self._scope.name} was made with two descriptions: {made.description!r} stays",
            )
        return made

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        return self._make(MadeCounter, name, unit, description) or _nothing.create_counter("x")

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        return self._make(MadeUpDownCounter, name, unit, description) or _nothing.create_up_down_counter("x")

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        return self._make(MadeGauge, name, unit, description) or _nothing.create_gauge("x")

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        advised = self._advice(exact(name), explicit_bucket_boundaries_advisory)
        made = self._make(MadeHistogram, name, unit, description, advised)
        name = exact(name)
        if made is not None and made.bounds != bounds_of(name, advised):
            warn((name, "advice"), f"{name} of {self._scope.name} was made with two advices: {made.bounds} stays")
        return made or _nothing.create_histogram("x")

    def _advice(self, name: str, given: Any) -> Sequence[float] | None:
        """The advice as a list that can be read twice. None if there is none, or one that cannot be read."""
        if given is None:
            return None
        try:
            advised = list(islice(given, BOUNDS_AT_MOST))
            bounds_of(name, advised)
            return advised
        except BaseException as error:  # it is no sequence, or has methods that raise
            warn((self._scope.name, "buckets"), f"the advice of {self._scope.name} is not taken: {said(error)}")
            return None

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        return self._observed(MadeObservableCounter, name, callbacks, unit, description) or (
            _nothing.create_observable_counter("x")
        )

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        return self._observed(MadeObservableUpDownCounter, name, callbacks, unit, description) or (
            _nothing.create_observable_up_down_counter("x")
        )

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        return self._observed(MadeObservableGauge, name, callbacks, unit, description) or (
            _nothing.create_observable_gauge("x")
        )

    def _observed(self, kind: type[M], name: str, callbacks: Any, unit: str, description: str) -> M | None:
        made = self._make(kind, name, unit, description)
        if isinstance(made, Observed):
            self._provider.watch(made, () if callbacks is None else callbacks)
        return made
