"""The MeterProvider of this process: what anybody makes through the OpenTelemetry API is kept beside what is declared.

It has no views, no delta temporality and no exponential histograms. OTEL_PYTHON_METER_PROVIDER=sdk_meter_provider has
the SDK's provider used in its place.
"""

from __future__ import annotations

import atexit
import os
import re
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MethodType
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
from telemetry.attributes import OTHER
from telemetry.closing import Closing, bounded
from telemetry.drops import Dropped, Reason, dropped, quoted, said, type_name, warn
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
INSTRUMENTS_AT_MOST = 10_000
"""How many instruments a provider has. Later ones record nothing: names that are made up would fill the memory."""
CALLBACKS_AT_MOST = 1000
"""How many callbacks an instrument has. Each is asked in a thread of its own."""
BOUNDS_AT_MOST = 1000
_EXIT_MILLIS = 2000
_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")


class Provider(MeterProvider):
    """Makes meters. Instruments of one scope with the same name, kind and unit are one instrument."""

    def __init__(self) -> None:
        self.instruments: dict[tuple[Scope, type[Made], str, str], Made] = {}
        self._readers: list[MetricReader] = []
        self._ending: Closing | None = None
        self._watched: dict[Made, dict[Hashable, CallbackT]] = {}
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
        scope = Scope(text_of(name), text_of(version), text_of(schema_url), _hashable(attributes))
        if not scope.name or scope.name != _exact(name):
            warn(("", "meter"), f"get_meter was called with {quoted(name)} as the name of a library: write its name")
        return _Meter(self, name, scope)

    def add(self, key: tuple[Scope, type[M], str, str], make: Callable[[], M]) -> M | None:
        """The instrument with this identity. It is made if there is none, or None if there is no room for it."""
        known = self.instruments.get(key)
        if known is None:
            if len(self.instruments) >= INSTRUMENTS_AT_MOST:
                scope, _, name, _ = key
                what = f"there are {INSTRUMENTS_AT_MOST} instruments, so {name:.80} of {scope.name:.80} records nothing"
                dropped(OTHER, Dropped(Reason.NOT_RENDERED, what))
                return None
            known = self.instruments.setdefault(key, make())
        return known  # type: ignore[return-value]

    def watch(self, made: Observed, callbacks: Any) -> None:
        """Has an instrument ask these callbacks, too: each once, and at most so many."""
        try:
            given = list(islice(callbacks, CALLBACKS_AT_MOST + 1))
        except BaseException as error:  # they are no sequence, or a generator that fails at once
            dropped(made.shown_as, Dropped(Reason.CALLBACK_FAILED, said(error)))
            return
        watched = self._watched.setdefault(made, {})
        for callback in given:
            identity = _identity(callback)
            if identity in watched:
                continue
            if len(watched) >= CALLBACKS_AT_MOST:
                dropped(made.shown_as, Dropped(Reason.CALLBACK_FAILED, f"it has {CALLBACKS_AT_MOST} callbacks already"))
                return
            watched[identity] = callback
            made.watch([callback])

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Has a reader of the SDK read what is shown: declared metrics, and those made through the API. Never raises.

        It is shut down at exit, which takes at most 2 s for all readers.
        """
        from telemetry.otlp import read

        if self._reads(metric_reader):
            warn(("reader", "twice"), f"{type_name(metric_reader)} reads already: it is not added again")
            return
        try:
            environment.resource()  # at exit it would be too late for the first time
            if self._ending is None:
                self._ending = Closing("metrics of readers", partial(self.shutdown, _EXIT_MILLIS))
                atexit.register(self._end)
            metric_reader._set_collect_callback(lambda *_, **__: read(environment.resource(), self, self._began))
            self._readers.append(metric_reader)
        except Exception as error:
            warn(("reader", "added"), f"{type_name(metric_reader)} cannot be added as a reader: {said(error)}")

    def _reads(self, metric_reader: MetricReader) -> bool:
        return any(one is metric_reader for one in self._readers)

    def _end(self) -> None:
        if self._ending is not None and self._readers:
            self._ending.begin()
            if not self._ending.within(_EXIT_MILLIS / 1000):
                warn(("reader", "exit"), f"{self._ending.what} were left unsent after {_EXIT_MILLIS} ms")

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Has a reader stop, and read no more. Never raises."""
        if not self._reads(metric_reader):
            warn(("reader", "unknown"), f"{type_name(metric_reader)} does not read: it is not removed")
            return
        self._readers = [one for one in self._readers if one is not metric_reader]
        metric_reader._set_collect_callback(None)
        _each([metric_reader], "shutdown", 30_000)

    def begin_again(self) -> None:
        """Forgets what was recorded, in a child after a fork."""
        self._began = time.time_ns()
        for made in list(self.instruments.values()):
            made.begin_again()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Has each reader read and send now. Returns whether all did. Never raises."""
        return _each(self._readers, "force_flush", bounded(timeout_millis, 10_000))

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Has each reader stop. What is recorded later is still shown. Never raises."""
        readers, self._readers = self._readers, []
        _each(readers, "shutdown", bounded(timeout_millis, 30_000))


def _each(readers: Sequence[MetricReader], what: str, timeout_millis: float) -> bool:
    """Has readers do something, in this time together. Returns whether all did it. One that fails is said."""
    end = time.monotonic() + timeout_millis / 1000
    failed = 0
    for reader in list(readers):
        try:
            done = getattr(reader, what)(timeout_millis=max(0.0, end - time.monotonic()) * 1000)
            failed += done is False
        except BaseException as error:  # one that ends its thread must not end the others
            warn((type_name(reader), what), f"{what} of {type_name(reader)} failed: {said(error)}")
            failed += 1
    return not failed


def _exact(given: object) -> str:
    """The text that is given, without the subclass that it may be of. What only says that it is a text is none."""
    return str.__str__(given) if issubclass(type(given), str) else ""


def text_of(given: object) -> str:
    """The text that is given, as UTF-8 can have it. One that it cannot would make everything that is sent fail."""
    return _exact(given).encode(errors="replace").decode()


def _identity(callback: Any) -> Hashable:
    """What is the same for the same callback. A method is a new object each time that it is asked for."""
    if type(callback) is MethodType:
        return id(callback.__self__), id(callback.__func__)
    return id(callback)


def _hashable(attributes: Any) -> tuple[tuple[str, Any], ...]:
    """The attributes of a scope, without those that cannot be sent."""
    kept: dict[str, Any] = {}
    try:
        for name, value in ({} if attributes is None else attributes).items():
            try:
                if not issubclass(type(name), str):
                    raise TypeError(f"{quoted(name)} is no name of an attribute")
                plain_name, plain_value = plain(name), plain(value)
                hash(plain_value)
            except BaseException as error:
                _unreadable(error)
            else:
                kept[plain_name] = plain_value
    except BaseException as error:  # it is no mapping, or has methods that raise
        _unreadable(error)
    return tuple(sorted(kept.items()))


def _unreadable(error: BaseException) -> None:
    warn(("", "meter"), f"get_meter was called with attributes that cannot be read: {said(error)}")


class _Meter(Meter):
    """Makes the seven kinds of instrument. Never raises: what has a name that is none is said, and not shown."""

    def __init__(self, provider: Provider, name: str, scope: Scope) -> None:
        super().__init__(name, scope.version, scope.schema_url)
        self._provider = provider
        self._scope = scope

    def _make(self, kind: type[M], given: object, unit: Any, description: Any, *more: Any) -> M | None:
        name = _exact(given)
        if not _NAME.fullmatch(name):
            what = f"{quoted(given)} of {self._scope.name} is no name of an instrument: not recorded"
            warn((self._scope.name, "name"), what)
            return None
        unit = _exact(unit)
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
        advised = self._advice(_exact(name), explicit_bucket_boundaries_advisory)
        made = self._make(MadeHistogram, name, unit, description, advised)
        name = _exact(name)
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
        made = self._make(kind, name, unit, description, ())
        if isinstance(made, Observed):
            self._provider.watch(made, () if callbacks is None else callbacks)
        return made


_nothing = NoOpMeter("telemetry")
the_provider = Provider()
"""That of this process."""
os.register_at_fork(after_in_child=the_provider.begin_again)


def own() -> Provider:
    """What `OTEL_PYTHON_METER_PROVIDER=telemetry` means. It may be asked for several times."""
    return the_provider
