"""The MeterProvider of this process: what anybody makes through the OpenTelemetry API is kept beside what is declared.

It has no views, no delta temporality and no exponential histograms. OTEL_PYTHON_METER_PROVIDER=sdk_meter_provider has
the SDK's provider used in its place.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.metrics import CallbackT, Meter, MeterProvider, NoOpMeter

from telemetry import environment
from telemetry.attributes import OTHER
from telemetry.closing import Closing, bounded
from telemetry.drops import Dropped, Reason, dropped, quoted, said, type_name, warn
from telemetry.given import attributes_of, exact, identity_of, text_of
from telemetry.made import Made, Scope
from telemetry.meter import MadeMeter
from telemetry.observable import Observed

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

M = TypeVar("M", bound=Made)
INSTRUMENTS_AT_MOST = 10_000
"""How many instruments a provider has. Later ones record nothing: names that are made up would fill the memory."""
CALLBACKS_AT_MOST = 1000
"""How many callbacks an instrument has. Each is asked in a thread of its own."""
_EXIT_MILLIS = 2000


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
        scope = Scope(text_of(name), text_of(version), text_of(schema_url), attributes_of(attributes))
        if not scope.name or scope.name != exact(name):
            warn(("", "meter"), f"get_meter was called with {quoted(name)} as the name of a library: write its name")
        return MadeMeter(self, name, scope)

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
            identity = identity_of(callback)
            if identity in watched:
                continue
            if len(watched) >= CALLBACKS_AT_MOST:
                dropped(made.shown_as, Dropped(Reason.CALLBACK_FAILED, f"it has {CALLBACKS_AT_MOST} callbacks already"))
                return
            watched[identity] = callback
            made.watch(callback)

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


the_provider = Provider()
"""That of this process."""
os.register_at_fork(after_in_child=the_provider.begin_again)


def own() -> Provider:
    """What `OTEL_PYTHON_METER_PROVIDER=telemetry` means. It may be asked for several times."""
    return the_provider
