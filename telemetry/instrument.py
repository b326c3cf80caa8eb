"""What every kind of metric has in common: the declaration, the labels, and the checks of a record.

Each kind is a subclass of the OpenTelemetry API class with the same name, so code that is typed against the API accepts
it. The values are kept here and not in the SDK. This way a gauge can forget a series, a counter can show 0 before its
first event, and /metrics shows a metric under the name with which it was declared.
"""

from __future__ import annotations

import itertools
import math
import threading
from abc import ABCMeta, abstractmethod
from collections import Counter as Count
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Generic

from typing_extensions import TypeVar

from telemetry.amounts import number
from telemetry.attributes import OTHER, NoLabels, Open, read_labels
from telemetry.declaration import KNOWN_AT_MOST, check_description, check_name, check_unit, read_owners
from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.registry import process, register
from telemetry.samples import Sample

Key = tuple[str, ...]
L = TypeVar("L", bound=Mapping[str, Any], default=NoLabels)


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
        self.name = name
        self.description = description
        self.unit = unit
        self.owners = read_owners(name, owner)
        self.labels = read_labels(name, NoLabels if labels is None else labels)
        self.label_names = tuple(label.name for label in self.labels)
        self._lock = threading.Lock()
        # For each open label: in how many series each value is that nobody announced.
        self._met: tuple[Count[str], ...] = tuple(Count() for _ in self.labels)
        self._begin()
        for label in self.labels:
            if label.open is not None:
                label.open.used_by(self)
        self.expose_known()  # after that: another thread may announce values now

    def _begin(self) -> None:
        """The part of the declaration that differs by kind."""

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

    def begin_again(self) -> None:
        """Forgets what was recorded. For a child: a fork copies the records of the parent, and a lock that is held."""
        self._lock = threading.Lock()
        self._met = tuple(Count() for _ in self.labels)
        self._begin()
        self.expose_known()

    def prepare(self) -> None:
        """Called before a scrape asks for the samples of all metrics, one after the other."""

    @abstractmethod
    def samples(self) -> list[Sample]:
        """What the metric says now."""

    @abstractmethod
    def readings(self) -> dict[Key, int | float]:
        """Each series as a number: its value, or how many amounts a histogram recorded."""

    def read(self, key: Key) -> int | float | None:
        """One series as a number. None: there is none."""
        return self.readings().get(key)

    def is_exposed(self) -> bool:
        """Whether this process records the metric. Before `init` every process records every metric."""
        return not self.owners or process.service is None or process.service in self.owners

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
        return tuple(label.text(given[label.name]) for label in self.labels)

    def _record(
        self,
        take: Callable[[Key, int | float], None],
        amount: object,
        attributes: Mapping[str, Any] | None,
        key: Key | None = None,
    ) -> None:
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
            dropped(self.name, Dropped(Reason.UNREADABLE, type(error).__name__))

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

    def shown_as(self, key: Key) -> Key:
        """The key of the series into which a record with these labels would go now."""
        with self._lock:
            return self._room(key, self._met)

    def _room(self, key: Key, met: tuple[Count[str], ...]) -> Key:
        """The key of a series that does not exist yet, with `__other__` for each value for which there is no room."""
        return tuple(
            text
            if label.open is None or label.open.knows(text) or text in values or _has_room(label.open, values)
            else OTHER
            for label, text, values in zip(self.labels, key, met, strict=True)
        )

    def _opened(self, key: Key, met: tuple[Count[str], ...]) -> None:
        """Notes the values of a new series."""
        for label, text, values in zip(self.labels, key, met, strict=True):
            if label.open is not None:
                values[text] += 1

    def _closed(self, key: Key) -> None:
        """Frees what a removed series used."""
        for label, text, values in zip(self.labels, key, self._met, strict=True):
            if label.open is not None:
                values[text] -= 1
                if not values[text]:
                    del values[text]

    def full_labels(self) -> int:
        """How many labels have values that are shown as `__other__`."""
        return sum(OTHER in values for values in self._met)

    def _pairs(self, key: Key) -> list[tuple[str, str]]:
        return list(zip(self.label_names, key, strict=True))


class Bound:
    """A metric with its labels, which are checked once. With wrong ones, each record is a counted drop."""

    def __init__(self, metric: Instrument[Any], attributes: Mapping[str, Any]) -> None:
        self._metric = metric
        self._attributes = attributes
        self._key: Key | None = None
        with suppress(Exception):  # each record says what is wrong
            self._key = metric.key(attributes)

    def _take(self, take: Callable[[Key, int | float], None], amount: object) -> None:
        self._metric._record(take, amount, self._attributes, self._key)


def _has_room(opened: Open, values: Mapping[str, int]) -> bool:
    known = opened.known
    return len(known) + sum(1 for value in values if value != OTHER and not opened.knows(value)) < opened.limit


class Numbers(Instrument[L]):
    """Instruments that hold one number per series."""

    def _begin(self) -> None:
        super()._begin()
        self._values: dict[Key, int | float] = {}

    def values(self) -> dict[Key, int | float]:
        """The value of every series. The key is the label values in the order of the declaration."""
        with self._lock:
            return dict(self._values)

    def samples(self) -> list[Sample]:
        """One sample for each series."""
        return [Sample("", self._pairs(key), value) for key, value in self.values().items()]

    def readings(self) -> dict[Key, int | float]:
        """The value of every series."""
        return self.values()

    def _put(self, key: Key, change: Callable[[int | float], int | float]) -> None:
        """Changes one series. It begins at 0."""
        with self._lock:
            before = self._values.get(key)
            if before is None:
                key = self._room(key, self._met)
                before = self._values.get(key)
            after = change(0 if before is None else before)
            if before is None:
                self._opened(key, self._met)
            self._values[key] = after
