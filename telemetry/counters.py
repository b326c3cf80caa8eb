"""Counter and UpDownCounter: sums, which begin at 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, overload

from opentelemetry import metrics
from opentelemetry.context import Context

from telemetry.amounts import Amount, added, raised
from telemetry.attributes import NoLabels
from telemetry.declaration import check_shown
from telemetry.drops import Dropped, Reason
from telemetry.exemplars import noting
from telemetry.instrument import Bound, L, Numbers
from telemetry.recording import adder, bound_adder
from telemetry.store import Key


class Sums(Numbers[L]):
    """Metrics that start at 0 and add amounts."""

    _first = 0
    _lowest: float
    """The smallest amount that is taken."""

    def _quicken(self) -> None:
        quick = adder(self, self.shut, self._lowest, self._add)
        vars(self)["add"] = adder(self, self.aside, self._lowest, noting(quick, self._note))

    def _check_labels(self) -> None:
        check_shown(self.name, [len(label.values) for label in self.labels if label.open is None])

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values."""
        super().expose_known()
        for key in self._known_keys():
            self.store.cell(key)

    def _add(
        self, amount: object, attributes: Mapping[str, Any] | None, context: object = None, key: Key | None = None
    ) -> None:
        self._record(self._take, amount, attributes, key)

    def _take(self, key: Key, amount: int | float) -> None:
        if amount < self._lowest:
            raise Dropped(Reason.NEGATIVE, f"{amount} would make a counter go down")
        cell = self.store.cell(key)
        if not added(cell, 0, amount):
            raise Dropped(Reason.NOT_A_NUMBER, f"the sum is {cell[0]}, and adding {amount} would make it infinite")


class Counter(Sums[L], metrics.Counter):
    """Counts events or adds up amounts. Its name ends in `_total`.

    Each combination of known label values has a series at 0 from the declaration on.

    Example:

        letters_total = Counter("letters_total", "Letters.", LetterLabels, unit="{letter}")
        letters_total.add(1, {"result": "sent"})
        letters_total.add(2, {"result": "lost"})
    """

    kind = "counter"
    _lowest = 0

    # The API takes any attributes, or none. Here they are those of the declaration, so that mypy finds a wrong one.
    @overload  # type: ignore[override]
    def add(self: Counter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount, in the declared unit. Never raises: a negative or other wrong amount is dropped and counted.

        `attributes` has a value for each declared label and no others. `context` is where an
        exemplar has its span from: by default, the present one.

        Example: `letters_total.add(1, {"result": "sent"})`.
        """
        self._add(amount, attributes)

    def reach(self, key: Key, amount: int | float) -> None:
        """Raises one series to what was counted elsewhere. Of two scrapes at once, the later one may come first."""
        raised(self.store.cell(key), 0, amount)

    def bind(self, attributes: L) -> BoundCounter:
        """The counter with these labels, for a place that records them often.

        Example: `sent = letters_total.bind({"result": "sent"})`, then `sent.add(1)`.
        """
        return BoundCounter(self, attributes)


class BoundCounter(Bound):
    """A counter with its labels."""

    _metric: Sums[Any]

    def _quicken(self) -> None:
        metric = self._metric
        quick = bound_adder(metric.shut, metric._lowest, self._find, self._add)
        vars(self)["add"] = bound_adder(metric.aside, metric._lowest, self._find, self._noting(quick))

    def _add(self, amount: object) -> None:
        self._metric._add(amount, self._attributes, key=self._key)

    def add(self, amount: Amount) -> None:
        """Adds an amount, as `Counter.add` does. Never raises."""
        self._add(amount)


class UpDownCounter(Sums[L], metrics.UpDownCounter):
    """Counts something that goes up and down. Prometheus sees a gauge.

    Each combination of known label values has a series at 0 from the declaration on.

    Example:

        connections = UpDownCounter("connections", "Open connections.", unit="{connection}")
        connections.add(1)
        connections.add(-1)
    """

    kind = "gauge"
    _lowest = -math.inf

    @overload  # type: ignore[override]
    def add(self: UpDownCounter[NoLabels], amount: Amount) -> None: ...
    @overload
    def add(self, amount: Amount, attributes: L, context: Context | None = None) -> None: ...
    def add(self, amount: Amount, attributes: Any = None, context: Context | None = None) -> None:
        """Adds an amount in the declared unit; it may be negative. Never raises: wrong records are counted as drops.

        Example: `connections.add(-1)`.
        """
        self._add(amount, attributes)

    def bind(self, attributes: L) -> BoundUpDownCounter:
        """The counter with these labels, for a place that records them often. Example: as for `Counter.bind`."""
        return BoundUpDownCounter(self, attributes)


class BoundUpDownCounter(BoundCounter):
    """A counter that goes up and down, with its labels."""
