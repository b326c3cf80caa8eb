"""The quick way of a record: functions over the tables of one metric, which its constructor makes.

They take a record in which everything is usual: an int or float of a usual size, a dict with the labels of a series
that exists. Everything else goes the slow way, which checks it and says what is wrong. Each kind of record has its own
function, because a call of what they share would take as long as the record itself. They ask for the `type`, because an
object may say of itself that its `__class__` is another one.

Nothing gets out of them, also where the slow way has no stack left, or a filter of logs raises.

What changes a cell is a statement without a call, as telemetry/store.py says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from telemetry.drops import Dropped, Reason, dropped
from telemetry.store import Cell

if TYPE_CHECKING:
    from telemetry.instrument import Instrument

Record = Callable[..., None]
Shut = list[bool]
"""Empty if the quick way is open: `shut` or `aside` of the metric."""

USUAL = 2.0**53
"""The largest amount that goes the quick way: no number of them adds up to infinity."""
_NO_LABELS: dict[str, Any] = {}


def unreadable(metric: str, error: Exception) -> None:
    """Counts a record whose amount or attributes have methods that raise. The class of the error may be theirs, too."""
    try:
        name = type(error).__name__
    except Exception:
        name = "an error without a name"
    dropped(metric, Dropped(Reason.UNREADABLE, name))


def adder(metric: Instrument[Any], shut: Shut, lowest: float, slow: Record) -> Record:
    """`add` of a metric whose cells are sums. `lowest` is the smallest amount that it takes."""
    cells, values, size = metric.store.cells, metric.values_of(), len(metric.label_names)

    def add(amount: Any, attributes: Any = _NO_LABELS, context: object = None) -> None:
        try:
            if (
                (type(amount) is int or type(amount) is float)
                and lowest <= amount <= USUAL
                and type(attributes) is dict
                and len(attributes) == size
                and not shut
            ):
                cell = cells[values(attributes)]
                cell[0] += amount
                return
        except Exception:  # noqa: S110 - there is no such series, or what was passed has methods that raise
            pass
        try:  # noqa: SIM105 - `suppress` is a call
            slow(amount, attributes, context)
        except Exception:  # noqa: S110
            pass

    return add


def setter(metric: Instrument[Any], slow: Record) -> Record:
    """`set` of a gauge. Its store may be given other cells."""
    store, values, size, shut = metric.store, metric.values_of(), len(metric.label_names), metric.shut

    def put(amount: Any, attributes: Any = _NO_LABELS, context: object = None) -> None:
        try:
            if (
                (type(amount) is int or type(amount) is float)
                and -USUAL <= amount <= USUAL
                and type(attributes) is dict
                and len(attributes) == size
                and not shut
            ):
                cell = store.cells[values(attributes)]
                cell[0] = amount
                return
        except Exception:  # noqa: S110
            pass
        try:  # noqa: SIM105 - `suppress` is a call
            slow(amount, attributes)
        except Exception:  # noqa: S110
            pass

    return put


def recorder(metric: Instrument[Any], shut: Shut, bounds: tuple[float, ...], slow: Record) -> Record:
    """`record` of a histogram. Its cells are the counts of the buckets, the sum, and a text."""
    cells, values, size = metric.store.cells, metric.values_of(), len(metric.label_names)

    def record(amount: Any, attributes: Any = _NO_LABELS, context: object = None) -> None:
        try:
            if (
                (type(amount) is float or type(amount) is int)
                and 0 <= amount <= USUAL
                and type(attributes) is dict
                and len(attributes) == size
                and not shut
            ):
                cell = cells[values(attributes)]
                bucket = bisect_left(bounds, amount)
                cell[bucket] += 1
                cell[-2] += amount
                return
        except Exception:  # noqa: S110
            pass
        try:  # noqa: SIM105 - `suppress` is a call
            slow(amount, attributes, context)
        except Exception:  # noqa: S110
            pass

    return record


def bound_adder(shut: Shut, lowest: float, find: Callable[[], Cell], slow: Record) -> Record:
    """`add` of a metric that is bound to its labels. `find` returns the cell of the series, or one without numbers."""
    cell = find()

    def add(amount: Any) -> None:
        nonlocal cell
        try:
            if (type(amount) is int or type(amount) is float) and lowest <= amount <= USUAL and not shut:
                cell[0] += amount
                return
        except Exception:  # noqa: S110
            pass
        try:
            slow(amount)
            cell = find()
        except Exception:  # noqa: S110
            pass

    return add


def bound_recorder(shut: Shut, bounds: tuple[float, ...], find: Callable[[], Cell], slow: Record) -> Record:
    """`record` of a histogram that is bound to its labels."""
    cell = find()

    def record(amount: Any) -> None:
        nonlocal cell
        try:
            if (type(amount) is float or type(amount) is int) and 0 <= amount <= USUAL and not shut:
                bucket = bisect_left(bounds, amount)
                cell[bucket] += 1
                cell[-2] += amount
                return
        except Exception:  # noqa: S110
            pass
        try:
            slow(amount)
            cell = find()
        except Exception:  # noqa: S110
            pass

    return record
