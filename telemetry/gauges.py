"""Gauge: a value that is set, watched, or gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, overload

from opentelemetry.context import Context
from opentelemetry.metrics import _Gauge as ApiGauge

from telemetry.amounts import Amount
from telemetry.attributes import NoLabels
from telemetry.callbacks import Call, Callback, Caller, Observed, observing
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.instrument import Bound, L, Numbers, Take
from telemetry.observable import few
from telemetry.recording import setter
from telemetry.store import Cells, Key, Store


class Gauge(Numbers[L], ApiGauge):
    """A value that is set. A series can be removed when the thing that it describes no longer exists.

    There is no series before the first `set`, because 0 could be a wrong value. A name that ends in `_total` or
    `_count` is refused unless `named_like_a_counter` is set, for a name that others have chosen.

    Example:

        letters_waiting = Gauge("letters_waiting", "Letters that wait.", unit="{letter}")
        letters_waiting.set(7)
        letters_waiting.remove()
    """

    kind = "gauge"
    _caller: Caller[Amount | Observed] | None = None
    _begun: Call[Amount | Observed] | None = None
    """The call that the present scrape has begun."""

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
        self._named_like_a_counter = named_like_a_counter
        super().__init__(name, description, labels, unit=unit, owner=owner)

    @overload  # type: ignore[override]
    def set(self: Gauge[NoLabels], amount: Amount) -> None: ...
    @overload
    def set(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def set(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Sets the value of the series, in the declared unit. Never raises: wrong records are counted as drops.

        Example: `letters_waiting.set(7)`.
        """
        self._set(amount, attributes)

    def _quicken(self) -> None:
        vars(self)["set"] = setter(self, self._set)

    def _set(self, amount: object, attributes: Mapping[str, Any] | None, key: Key | None = None) -> None:
        self._record(self._into(self.store), amount, attributes, key)

    def _into(self, store: Store) -> Take:
        def take(key: Key, amount: int | float) -> None:
            store.cell(key)[0] = amount

        return take

    @overload
    def remove(self: Gauge[NoLabels]) -> None: ...
    @overload
    def remove(self, attributes: L) -> None: ...
    def remove(self, attributes: Any = None) -> None:
        """Removes the series from /metrics, and makes room for another. Does nothing if there is none. Never raises.

        Example: `letters_waiting.remove()`.
        """
        try:  # noqa: SIM105 - `suppress` is a call
            self._record(self._forget, 0, attributes)
        except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
            pass

    def _forget(self, key: Key, _: int | float) -> None:
        self.store.remove(key)

    def bind(self, attributes: L) -> BoundGauge:
        """The gauge with these labels, for a place that sets them often.

        Example: `apples = price_dollars.bind({"symbol": "AAPL"})`, then `apples.set(100)`.
        """
        return BoundGauge(self, attributes)

    def replace(self, values: Mapping[str, Amount]) -> None:
        """Replaces all series of a gauge that has exactly one label. The keys are the values of that label.

        A scrape sees either the old series or the new ones, never a mix. Never raises: a wrong value or amount is
        dropped and counted, and its series is not shown. If `values` cannot be read at all, the old series stay.

        Example: `positions_current.replace({"AAPL": 100, "MSFT": -20})`.
        """
        try:  # noqa: SIM105 - `suppress` is a call
            self._replace(values)
        except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
            pass

    def _replace(self, values: Mapping[str, Amount]) -> None:
        fresh = self.store.empty()
        take = self._into(fresh)
        try:
            if len(self.label_names) != 1:
                raise TypeError("replace is for a gauge with exactly one label")
            for value, amount in values.items():
                self._record(take, amount, {self.label_names[0]: value})
        except Exception as error:  # `values` may be no mapping, or its methods may raise
            dropped(self.name, Dropped(Reason.UNREADABLE, said(error)))
            return
        self.store.replace(fresh)

    def watch(self, callback: Callback) -> None:
        """Sets a callback that is called at each scrape, in a thread. It returns a number or `Observation`s.

        It takes no argument, or `CallbackOptions` as callbacks of the OpenTelemetry API do. A second call of `watch`
        replaces the callback. One that raises, or takes more than a second, is counted as a drop.

        Example: `heartbeat_timestamp_seconds.watch(time.time)`.
        """
        self._caller = Caller(observing(_bounded(callback)))

    def begin_again(self) -> None:
        """Keeps what was set: a fork copies what it describes. Only locks and calls of the parent are forgotten."""
        self._begun = None
        if self._caller is not None:
            self._caller = Caller(self._caller.work)

    def prepare(self) -> None:
        """Begins to ask the callback. So the callbacks of a scrape run side by side."""
        if self._caller is not None and not self.shut:
            self._begun = self._caller.start()

    def snapshot(self) -> Cells:
        """The series that are shown now, including what the callback returns."""
        store = self.store
        if self._caller is not None and not self.shut:
            store = store.copy()  # what it returns uses up no room
            begun, self._begun = self._begun, None
            try:
                answer = self._caller.ask(begun)
                take = self._into(store)
                if isinstance(answer, list):
                    for value, attributes in answer:
                        self._record(take, value, attributes)
                else:
                    self._record(take, answer, None)
            except Dropped as problem:
                dropped(self.name, problem)
        return {key: cell for key, cell in store.cells.copy().items() if cell[0] is not None}


def _bounded(callback: Any) -> Callback:
    """The callback, whose observations may have no end. One with too many has failed."""

    def bounded(*options: Any) -> Any:
        answer = callback(*options)
        return few(answer) if isinstance(answer, Iterable) else answer

    bounded.__wrapped__ = callback  # type: ignore[attr-defined]  # so that its signature can be read
    return bounded


class BoundGauge(Bound):
    """A gauge with its labels."""

    _metric: Gauge[Any]

    def set(self, amount: Amount) -> None:
        """Sets the value, as `Gauge.set` does. Never raises."""
        try:  # noqa: SIM105 - `suppress` is a call
            self._metric._set(amount, self._attributes, self._key)
        except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
            pass

    def remove(self) -> None:
        """Removes the series, as `Gauge.remove` does. Never raises."""
        try:  # noqa: SIM105 - `suppress` is a call
            self._metric._record(self._metric._forget, 0, self._attributes, self._key)
        except Exception:  # noqa: S110 - no stack is left, or a filter of logs raises
            pass
