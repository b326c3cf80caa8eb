"""What every kind of metric has in common: the declaration, the labels, and the checks of a record.

Each kind is a subclass of the OpenTelemetry API class with the same name, so code that is typed against the API accepts
it. The values are kept here and not in the SDK. This way a gauge can forget a series, a counter can show 0 before its
first event, and /metrics shows a metric under the name with which it was declared.
"""

from __future__ import annotations

import itertools
import math
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from operator import itemgetter
from typing import Any, Generic

from typing_extensions import TypeVar

from telemetry.amounts import number, sized
from telemetry.attributes import NoLabels, read_labels
from telemetry.declaration import KNOWN_AT_MOST, check_description, check_name, check_unit, read_owners
from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.exemplars import Exemplar, Exemplars, noting, tracing
from telemetry.recording import unreadable
from telemetry.registry import process, register
from telemetry.samples import labels_text
from telemetry.store import Cell, Cells, Key, Store

L = TypeVar("L", bound=Mapping[str, Any], default=NoLabels)
EXEMPLARS_AT_MOST = 200
"""How many series of a metric have exemplars: those that were recorded first. Each is as long as its line."""
Take = Callable[[Key, int | float], None]
"""Takes an amount, which was checked, into the series with these labels."""


class Declaring(ABCMeta):
    """Registers a metric when it is complete: a scrape in another thread never sees a half-made one."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return register(super().__call__(*args, **kwargs))


class Instrument(Generic[L], metaclass=Declaring):
    """What the four kinds have in common: the declaration, and the checks of a record.

    `labels` is a `TypedDict` whose annotations say which values each label takes. `unit` is a UCUM unit such as `s`, or
    an annotation such as `{order}`. `owner` is the name that the recording service passes to `init`, a tuple of several
    such names, or None when every service records the metric.

    Raises ValueError, which names the metric and the way out, for a name, label, unit, description or owner that would
    not arrive in Prometheus as it is written. One declaration that is executed twice is one metric.
    """

    kind: str
    at_once = 1000
    """How many series are written in about half a millisecond: then another thread may run."""
    _named_like_a_counter = False

    def __init__(
        self,
        name: str,
        description: str,
        labels: type[L] | None = None,
        *,
        unit: str = "",
        owner: str | tuple[str, ...] | None = None,
    ) -> None:
        check_unit(name, unit)
        check_name(name, self.kind, unit, named_like_a_counter=self._named_like_a_counter)
        check_description(name, description)
        self.name = self.shown_as = name
        self.description = description
        self.unit = unit
        self.owners = read_owners(name, owner)
        self.labels = read_labels(name, NoLabels if labels is None else labels)
        self.label_names = tuple(label.name for label in self.labels)
        self._check_labels()
        self.store = Store(self.labels, self._new_cell)
        self.shut: list[bool] = []
        """Empty if this process records the metric. A list, so that a record need not ask anybody."""
        self.aside: list[bool] = []
        """Empty if it does, and the record needs no exemplar."""
        self.exemplars: dict[Key, dict[int, Exemplar]] = {}
        for label in self.labels:
            if label.open is not None:
                label.open.used_by(self)
        self.expose_known()  # after that: another thread may announce values now
        self._quicken()

    def _quicken(self) -> None:
        """Puts a quick way of recording before the method of the class, which takes any record and is slower."""

    def _check_labels(self) -> None:
        """Raises ValueError for labels that this kind cannot have."""

    @abstractmethod
    def _new_cell(self, key: Key) -> Cell:
        """The cell of a new series: its numbers, and the text that is written for it."""

    def __repr__(self) -> str:
        """Kind, name and labels."""
        return f"<{type(self).__name__} {self.name}{{{', '.join(label.describe() for label in self.labels)}}}>"

    def differences(self, other: Instrument[Any]) -> list[str]:
        """What another declaration of the same name has differently. Empty: it is the same declaration."""
        if type(other) is not type(self):
            return ["kind"]
        mine, theirs = self._declaration(), other._declaration()
        return [what for what in mine if mine[what] != theirs[what]]

    def _declaration(self) -> dict[str, object]:
        return {
            "description": self.description,
            "unit": self.unit,
            "owner": self.owners,
            "set of labels": [(label.name, label.values, label.open and label.open.limit) for label in self.labels],
        }

    def merge(self, other: Instrument[Any]) -> None:
        """Hears of values from the labels of another declaration that is the same, too."""
        for mine, label in zip(self.labels, other.labels, strict=True):
            if label.open is not None and mine.open is not None and label.open is not mine.open:
                mine.open.follow(label.open)

    def expose_known(self) -> None:
        """Creates a series at 0 for each combination of known label values. A gauge creates none: 0 may be wrong."""
        self.store.announced()

    def begin_again(self) -> None:
        """Forgets what was recorded. For a child: a fork copies the records of the parent."""
        self.store.forget()
        self.exemplars.clear()
        self.expose_known()

    def prepare(self) -> None:
        """Called before a scrape asks for the series of all metrics, one after the other."""

    def snapshot(self) -> Cells:
        """The series that are shown now. The cells go on counting."""
        return self.store.cells.copy()

    @abstractmethod
    def write(self, cells: Iterable[Cell]) -> str:
        """The lines of some series, as Prometheus reads them."""

    @abstractmethod
    def readings(self) -> dict[Key, int | float]:
        """Each series as a number: its value, or how many amounts a histogram recorded."""

    def read(self, key: Key) -> int | float | None:
        """One series as a number. None: there is none."""
        return self.readings().get(key)

    def is_exposed(self) -> bool:
        """Whether this process records the metric. Before `init` every process records every metric."""
        return not self.owners or process.service is None or process.service in self.owners

    def open_or_shut(self) -> None:
        """Reads anew whether this process records the metric."""
        self.shut[:] = [] if self.is_exposed() and not process.disabled else [True]
        self.aside[:] = self.shut or (tracing if self.kind != "gauge" else [])

    def key(self, attributes: Mapping[str, Any] | None) -> Key:
        """The label texts in the order of the declaration. Raises `Dropped` for wrong labels. Changes nothing."""
        given: Mapping[str, Any] = {} if attributes is None else attributes
        if not isinstance(given, (dict, Mapping)):  # asking the abstract class takes longer
            raise Dropped(Reason.UNREADABLE, f"attributes are a {type(given).__name__}, not a mapping")
        missing = [name for name in self.label_names if name not in given]
        if missing:
            raise Dropped(Reason.MISSING_ATTRIBUTE, f"{', '.join(missing)} is missing")
        if len(given) > len(self.label_names):
            extra = ", ".join(sorted(repr(name)[:40] for name in given if name not in self.label_names))
            raise Dropped(Reason.UNDECLARED_ATTRIBUTE, f"{extra} is not declared")
        return tuple([label.text(given[label.name]) for label in self.labels])

    def values_of(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """A function that returns the values of the labels as they are given, in the order of the declaration."""
        if len(self.label_names) > 1:
            return itemgetter(*self.label_names)
        if not self.label_names:
            return lambda _: ()
        [name] = self.label_names
        return lambda attributes: (attributes[name],)

    def _record(self, take: Take, amount: object, attributes: Mapping[str, Any] | None, key: Key | None = None) -> None:
        if process.disabled:
            return
        try:
            if not self.is_exposed():
                raise Dropped(
                    Reason.NOT_OWNED,
                    f"it belongs to {' and '.join(self.owners)}, and this service is {process.service}",
                )
            take(self.key(attributes) if key is None else key, number(amount))
        except Dropped as problem:
            dropped(self.name, problem)
        except Exception as error:  # the caller's amount or attributes may be objects whose methods raise
            unreadable(self.name, error)

    def _note(self, amount: int | float, attributes: Mapping[str, Any], exemplar: Exemplar) -> None:
        self.note(self.key(attributes), amount, exemplar)

    def note(self, key: Key, amount: int | float, exemplar: Exemplar) -> None:
        """Keeps the exemplar of an amount that was recorded with these labels."""
        shown = self.store.shown_as(key)
        if shown in self.store.cells and (shown in self.exemplars or len(self.exemplars) < EXEMPLARS_AT_MOST):
            self.exemplars.setdefault(shown, {})[self._bucket(amount)] = exemplar

    def exemplars_of(self, key: Key) -> Exemplars:
        """Those of one series."""
        return self.exemplars.get(key, {}).copy()

    def _bucket(self, amount: int | float) -> int:
        """Which number of the cell counts this amount."""
        return 0

    def _known_keys(self) -> Iterator[Key]:
        """The combinations of known values; none if they are too many."""
        known = [label.known for label in self.labels]
        if math.prod(map(len, known)) > KNOWN_AT_MOST:
            warn(
                (self.name, "shown"),
                f"{self.name} does not show its series before their first event: {KNOWN_AT_MOST:,} is the most",
            )
            return iter(())
        return itertools.product(*known)

    def _text(self, key: Key, suffix: str = "", **more: str) -> str:
        """The name and labels of a line of a series."""
        return f"{self.name}{suffix}{labels_text([*zip(self.label_names, key, strict=True), *more.items()])}"


class Bound:
    """A metric with its labels, which are checked once. With wrong ones, each record is a counted drop."""

    def __init__(self, metric: Instrument[Any], attributes: Mapping[str, Any]) -> None:
        self._metric = metric
        self._attributes = attributes
        self._key: Key | None = None
        with suppress(Exception):  # each record says what is wrong
            self._key = metric.key(attributes)
        self._quicken()

    def _quicken(self) -> None:
        """Puts a quick way of recording before the method of the class."""

    def _noting(self, record: Callable[[Any], None]) -> Callable[..., None]:
        """`record`, and then the exemplar."""

        def note(amount: int | float, attributes: object, exemplar: Exemplar) -> None:
            if self._key is not None:
                self._metric.note(self._key, amount, exemplar)

        return noting(lambda amount, *_: record(amount), note)

    def _find(self) -> Cell:
        """The cell of the series, or one without numbers. The series may be in `__other__` now, and not later."""
        return [] if self._key is None else self._metric.store.cells.get(self._key, [])


class Numbers(Instrument[L]):
    """Metrics that hold one number per series. A cell is the number, and the name and labels of its line."""

    _first: int | None = None
    """The number of a new series. None: it is not shown before it has one."""

    def _new_cell(self, key: Key) -> Cell:
        return [self._first, f"{self._text(key)} "]

    def values(self) -> dict[Key, int | float]:
        """The value of every series. The key is the label values in the order of the declaration."""
        return {key: sized(cell[0]) for key, cell in self.snapshot().items()}

    def readings(self) -> dict[Key, int | float]:
        """The value of every series."""
        return self.values()

    def write(self, cells: Iterable[Cell]) -> str:
        """A line for each series."""
        lines = "".join([f"{text}{value!r}\n" for value, text in cells])
        return lines.replace(".0\n", "\n")  # whole numbers have no point
