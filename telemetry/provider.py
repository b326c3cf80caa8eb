"""The MeterProvider of this process: what anybody makes through the OpenTelemetry API is kept beside what is declared.

It has no views, no delta temporality and no exponential histograms. OTEL_PYTHON_METER_PROVIDER=sdk_meter_provider has
the SDK's provider used in its place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.metrics import (
    CallbackT,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    NoOpMeter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from telemetry import environment
from telemetry.drops import said, warn
from telemetry.made import Made, Scope, plain
from telemetry.observable import (
    MadeObservableCounter,
    MadeObservableGauge,
    MadeObservableUpDownCounter,
    Observed,
)
from telemetry.synchronous import MadeCounter, MadeGauge, MadeHistogram, MadeUpDownCounter, bounds_of

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

M = TypeVar("M", bound=Made)
_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")


class Provider(MeterProvider):
    """Makes meters. Instruments of one scope with the same name, kind and unit are one instrument."""

    def __init__(self) -> None:
        self.instruments: dict[tuple[Scope, type[Made], str, str], Made] = {}
        self._readers: list[MetricReader] = []
        self._began = time.time_ns()

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Meter:
        """A meter of a library. Never raises. With `OTEL_SDK_DISABLED=true` it records nothing."""
        if environment.is_disabled():
            return NoOpMeter(name, version, schema_url)
        if not name or _text(name) != name:
            warn(("", "meter"), f"get_meter was called with {name!r} as the name of a library: write its name")
        scope = Scope(_text(name), _text(version), _text(schema_url), _hashable(attributes))
        return _Meter(self, name, scope)

    def add(self, key: tuple[Scope, type[M], str, str], make: Callable[[], M]) -> M:
        """The instrument with this identity. It is made if there is none."""
        known = self.instruments.get(key)
        if known is None:
            known = self.instruments.setdefault(key, make())
        return known  # type: ignore[return-value]

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Has a reader of the SDK read what is shown: declared metrics, and those made through the API."""
        from telemetry.otlp import read

        if metric_reader in self._readers:
            warn(("reader", "twice"), f"{type(metric_reader).__name__} reads already: it is not added again")
            return
        self._readers.append(metric_reader)
        metric_reader._set_collect_callback(lambda *_, **__: read(environment.resource(), self, self._began))

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Has a reader stop, and read no more."""
        if metric_reader not in self._readers:
            warn(("reader", "unknown"), f"{type(metric_reader).__name__} does not read: it is not removed")
            return
        self._readers.remove(metric_reader)
        metric_reader._set_collect_callback(None)
        _each([metric_reader], "shutdown", 30_000)

    def begin_again(self) -> None:
        """Forgets what was recorded, in a child after a fork."""
        self._began = time.time_ns()
        for made in list(self.instruments.values()):
            made.begin_again()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Has each reader read and send now. Returns whether all did. Never raises."""
        return _each(self._readers, "force_flush", timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Has each reader stop. What is recorded later is still shown. Never raises."""
        readers, self._readers = self._readers, []
        _each(readers, "shutdown", timeout_millis)


def _each(readers: Sequence[MetricReader], what: str, timeout_millis: float) -> bool:
    """Has readers do something, in this time together. Returns whether all did it. One that fails is said."""
    end = time.monotonic() + timeout_millis / 1000
    failed = 0
    for reader in list(readers):
        try:
            done = getattr(reader, what)(timeout_millis=max(0.0, end - time.monotonic()) * 1000)
            failed += done is False
        except Exception as error:
            warn((type(reader).__name__, what), f"{what} of {type(reader).__name__} failed: {said(error)}")
            failed += 1
    return not failed


def _text(given: object) -> str:
    """The text that is given, as UTF-8 can have it. One that it cannot would make everything that is sent fail."""
    return str.encode(given, errors="replace").decode() if isinstance(given, str) else ""


def _hashable(attributes: Any) -> tuple[tuple[str, Any], ...]:
    """The attributes of a scope, without those that cannot be sent."""
    kept: dict[str, Any] = {}
    try:
        for name, value in (attributes or {}).items():
            try:
                if not isinstance(name, str):
                    raise TypeError(f"{name!r:.40} is no name of an attribute")
                plain_value = plain(value)
                hash(plain_value)
            except Exception as error:
                _unreadable(error)
            else:
                kept[plain(name)] = plain_value
    except Exception as error:  # it is no mapping, or has methods that raise
        _unreadable(error)
    return tuple(sorted(kept.items()))


def _unreadable(error: Exception) -> None:
    warn(("", "meter"), f"get_meter was called with attributes that cannot be read: {said(error)}")


class _Meter(Meter):
    """Makes the seven kinds of instrument. Never raises: what has a name that is none is said, and not shown."""

    def __init__(self, provider: Provider, name: str, scope: Scope) -> None:
        super().__init__(name, scope.version, scope.schema_url)
        self._provider = provider
        self._scope = scope

    def _make(self, kind: type[M], name: str, unit: Any, description: Any, *more: Any) -> M | None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            warn(
                (self._scope.name, "name"), f"{name!r} of {self._scope.name} is no name of an instrument: not recorded"
            )
            return None
        unit = unit if isinstance(unit, str) and unit.isascii() and len(unit) <= 63 else ""
        description = _text(description)
        key = (self._scope, kind, name.lower(), unit)
        made = self._provider.add(key, lambda: kind(name.lower(), unit, description, self._scope, *more))  # type: ignore[call-arg]
        if description != made.description:
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
        advised = explicit_bucket_boundaries_advisory
        made = self._make(MadeHistogram, name, unit, description, advised)
        if made is not None and made.bounds != bounds_of(name, advised):
            warn((name, "advice"), f"{name} of {self._scope.name} was made with two advices: {made.bounds} stays")
        return made or _nothing.create_histogram("x")

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
        made = self._make(kind, name, unit, description, ())
        if isinstance(made, Observed):
            made.watch(callbacks or ())
        return made


_nothing = NoOpMeter("telemetry")
the_provider = Provider()
"""That of this process."""


def own() -> Provider:
    """What `OTEL_PYTHON_METER_PROVIDER=telemetry` means. It may be asked for several times."""
    return the_provider
