"""Counter and UpDownCounter: sums, which begin at 0."""

from __future__ import annotations

from typing import Any, overload

from opentelemetry import metrics
from opentelemetry.context import Context

from telemetry.amounts import Amount, total
from telemetry.attributes import NoLabels
from telemetry.declaration import check_shown
from telemetry.drops import Dropped, Reason
from telemetry.instrument import Bound, Key, L, Numbers


class Sums(Numbers[L]):
    """Instruments that start at 0 and add amounts."""

    def _begin(self) -> None:
        super()._begin()
        check_shown(self.name, [len(label.values) for label in self.labels if label.open is None])

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


class Counter(Sums[L], metrics.Counter):
    """Counts events or adds up amounts. Its name ends in `_total`.

    Each combination of known label values has a series at 0 from the declaration on.

    Example:

        letters_total = Counter("letters_total", "Letters.", LetterLabels, unit="{letter}")
        letters_total.add(1, {"result": "sent"})
        letters_total.add(2, {"result": "lost"})
    """

    kind = "counter"

    # The API takes any attributes, or none. Here they are those of the declaration, so that mypy finds a wrong one.
    @overload  # type: ignore[override]
    def add(self: Counter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount, in the declared unit. Never raises: a negative or other wrong amount is dropped and counted.

        `attributes` has a value for each declared label and no others. `context` is ignored.

        Example: `letters_total.add(1, {"result": "sent"})`.
        """
        self._record(self._add_checked, amount, attributes)

    def _add_checked(self, key: Key, amount: int | float) -> None:
        if amount < 0:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make a counter go down")
        self._add(key, amount)

    def _reach(self, key: Key, amount: int | float) -> None:
        """Raises one series to what was counted elsewhere. Of two scrapes at once, the later one may come first."""
        self._put(key, lambda before: max(before, amount))

    def bind(self, attributes: L) -> BoundCounter:
        """The counter with these labels, for a place that records them often.

        Example: `sent = letters_total.bind({"result": "sent"})`, then `sent.add(1)`.
        """
        return BoundCounter(self, attributes)


class BoundCounter(Bound):
    """A counter with its labels."""

    _metric: Counter[Any]

    def add(self, amount: Amount) -> None:
        """Adds an amount, as `Counter.add` does. Never raises."""
        self._take(self._metric._add_checked, amount)


class UpDownCounter(Sums[L], metrics.UpDownCounter):
    """Counts something that goes up and down. Prometheus sees a gauge.

    Each combination of known label values has a series at 0 from the declaration on.

    Example:

        connections = UpDownCounter("connections", "Open connections.", unit="{connection}")
        connections.add(1)
        connections.add(-1)
    """

    kind = "gauge"

    @overload  # type: ignore[override]
    def add(self: UpDownCounter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount in the declared unit; it may be negative. Never raises: wrong records are counted as drops.

        Example: `connections.add(-1)`.
        """
        self._record(self._add, amount, attributes)

    def bind(self, attributes: L) -> BoundUpDownCounter:
        """The counter with these labels, for a place that records them often. Example: as for `Counter.bind`."""
        return BoundUpDownCounter(self, attributes)


class BoundUpDownCounter(Bound):
    """A counter that goes up and down, with its labels."""

    _metric: UpDownCounter[Any]

    def add(self, amount: Amount) -> None:
        """Adds an amount, as `UpDownCounter.add` does. Never raises."""
        self._take(self._metric._add, amount)
