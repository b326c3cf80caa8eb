"""What the instruments have in common that anybody makes through the OpenTelemetry API, as by `get_meter`.

Their labels are not declared, so a series is found by the attributes as they are given. What is recorded is checked and
bounded like that of declared metrics, and never raises.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from telemetry.amounts import added, number
from telemetry.drops import Dropped, Reason, dropped, said, warn
from telemetry.exemplars import Exemplar
from telemetry.names import LONGEST_NAME, label_name, metric_name
from telemetry.recording import unreadable
from telemetry.samples import labels_text
from telemetry.store import Cell

SERIES_AT_MOST = 2000
"""How many series an instrument has, as in the SDK. The rest is one series with `otel.metric.overflow`."""
CACHED_AT_MOST = 10_000
"""How many ways of giving attributes are remembered."""
TYPES_AT_MOST = 10
"""How many of them differ in the types of the values alone, as 1 and True do."""
ATTRIBUTES_AT_MOST = 128
"""How many attributes a record has, as in the specification."""
LONGEST_VALUE = 1000
"""How many characters the value of an attribute has. A longer text is cut."""
ITEMS_AT_MOST = 1000
"""How many items a list or mapping has, with those within it."""
DEEPEST = 8
"""How far lists and mappings are within each other. A receiver of OTLP refuses a whole export that is too deep."""

Attributes = Mapping[str, Any] | None
Given = tuple[tuple[Any, Any], ...]
"""Attributes in the order in which they are given."""
Cells = dict[Any, Cell]

_REMEMBERED = frozenset({str, int, float, bool})


class Scope(NamedTuple):
    """Who makes an instrument: what is given to `get_meter`."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: tuple[tuple[str, Any], ...] = ()


class Made:
    """An instrument of the API. A cell is its numbers and its `Series`."""

    kind: str
    """What Prometheus calls it: `counter`, `gauge` or `histogram`."""
    adds_up = True
    """Whether series of two instruments with the same name and labels are one sum."""
    lowest: float = 0
    bounds: tuple[float, ...] = ()

    scope: Scope
    name: str
    unit: str
    description: str

    def _begin(self, scope: Scope, name: str, unit: str, description: str) -> None:
        self.scope = scope
        self.name = name
        self.unit = unit
        self.description = description
        self.shown_as = metric_name(name, unit, counts=self.kind == "counter")
        self.cells: Cells = {}
        self.cache: dict[Any, Any] = {}
        self.exemplars: dict[str, dict[int, Exemplar]] = {}
        """By the labels of the series, as they are written."""

    def prepare(self) -> None:
        """Called before a scrape asks for the series of all instruments, one after the other."""

    def snapshot(self) -> list[Cell]:
        """Its series, each in one moment."""
        return [cell[:] for cell in list(self.cells.values())]

    def begin_again(self) -> None:
        """Forgets what was recorded, in a child after a fork."""
        cells = list(self.cells.values())
        self.cells.clear()
        self.cache.clear()
        self.exemplars.clear()
        for cell in cells:
            cell.clear()

    def _cell(self, cells: Cells, attributes: Attributes) -> Cell:
        """The cell of a series. It is made if there is none. Raises `Dropped` for attributes that cannot be written."""
        given = _given(attributes)
        kept: dict[str, Any] = {}
        texts: dict[str, str] = {}
        try:
            for name, value in given:
                name = self._name(name)
                kept[name] = self._short(name, plain(value))
                texts[name] = plain_text(kept[name])
                if len(texts[name]) > LONGEST_VALUE:
                    raise ValueError(f"{name} is longer than {LONGEST_VALUE:,} characters")
        except (TypeError, ValueError) as error:
            raise Dropped(Reason.NOT_TEXT, said(error)) from None
        key = tuple(sorted((name, text, type(kept[name]).__name__) for name, text in texts.items()))
        cell = cells.get(key)
        if cell is None and len(cells) < SERIES_AT_MOST:
            cell = cells.setdefault(key, self._new(Series(kept, written(texts))))
        if cell is None:
            return cells.setdefault(None, self._new(OVERFLOW))
        self._remember(attributes, given, cell)
        return cell

    def _note(self, amount: int | float, attributes: Attributes, exemplar: Exemplar) -> None:
        """Keeps the exemplar of an amount that was recorded with these attributes."""
        series = self._cell(self.cells, attributes)[-1]
        self.exemplars.setdefault(series.text, {})[bisect_left(self.bounds, amount)] = exemplar

    def _name(self, name: object) -> str:
        """The name of an attribute as text. With one that cannot be a label, Prometheus would refuse the answer."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"{name!r:.40} is no name of an attribute")
        text: str = plain(name)
        if len(text) > LONGEST_NAME:
            raise ValueError(f"{text:.40} is longer than {LONGEST_NAME} characters")
        if self.kind == "histogram" and label_name(text) == "le":
            raise Dropped(Reason.UNDECLARED_ATTRIBUTE, f"{text} is the bound of a bucket")
        return text

    def _short(self, name: str, value: Any) -> Any:
        """The value of an attribute, which is cut if it is a text that is too long."""
        if not isinstance(value, str) or len(value) <= LONGEST_VALUE:
            return value
        warn((self.shown_as, "long"), f"{name:.40} of {self.shown_as} is cut after {LONGEST_VALUE:,} characters")
        return value[:LONGEST_VALUE]

    def _new(self, series: Series) -> Cell:
        """The cell of a new series."""
        return [0, series]

    def _remember(self, attributes: Attributes, given: Given, cell: Cell) -> None:
        """Notes the cell for attributes that are given in the same way: in the same order, of the same types.

        What has other types is not noted: a list cannot be looked up, in a tuple 1 and True cannot be told apart, and
        a subclass may say of itself that it is equal to something else.
        """
        if len(self.cache) >= CACHED_AT_MOST or not (attributes is None or type(attributes) is dict):
            return
        types = tuple([type(value) for _, value in given])
        if not _REMEMBERED.issuperset(types) or any(type(name) is not str for name, _ in given):
            return
        if any(type(value) is str and len(value) > LONGEST_VALUE for _, value in given):
            return
        if all(kind is str for kind in types):
            self.cache[given] = cell
            return
        # 1, True and 1.0 are the same key
        known = self.cache.get(given, {})
        if len(known) < TYPES_AT_MOST:
            self.cache[given] = {**known, types: cell}

    def _record(
        self,
        take: Callable[[Cell, int | float], bool],
        amount: object,
        attributes: Attributes,
        cells: Cells | None = None,
    ) -> None:
        try:
            value = number(amount)
            if value < self.lowest:
                raise Dropped(Reason.NEGATIVE, f"{value} would make it go down")
            if not take(self._cell(self.cells if cells is None else cells, attributes), value):
                raise Dropped(Reason.NOT_A_NUMBER, f"the sum would be infinite with {value}")
        except Dropped as problem:
            dropped(self.shown_as, problem)
        except Exception as error:  # the caller's amount or attributes may be objects whose methods raise
            unreadable(self.shown_as, error)


def _given(attributes: Attributes) -> Given:
    """The attributes as they are in one moment: another thread may change the dict. Raises `Dropped`."""
    if attributes is None:
        return ()
    if not isinstance(attributes, Mapping):
        raise Dropped(Reason.UNREADABLE, f"attributes are a {type(attributes).__name__}, not a mapping")
    given = tuple(islice(attributes.items(), ATTRIBUTES_AT_MOST + 1))
    if len(given) > ATTRIBUTES_AT_MOST:
        raise Dropped(Reason.UNREADABLE, f"there are more than {ATTRIBUTES_AT_MOST} attributes")
    return given


def plain(value: Any) -> Any:
    """The value of an attribute as OTLP takes it: without the enumeration or the subclass that it may be of.

    Raises TypeError for a type that the API does not allow and for what has too many items or is too deep, ValueError
    for a text that cannot be encoded as UTF-8.
    """
    return _plain(value, 0, iter(range(ITEMS_AT_MOST)))


def _plain(value: Any, depth: int, room: Iterator[int]) -> Any:
    if depth > DEEPEST:
        raise TypeError(f"lists and mappings are more than {DEEPEST} deep")
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1, room)
    if isinstance(value, str):
        text = str.__str__(value)
        text.encode()
        return text
    if isinstance(value, Mapping):
        items = _within(value.items(), room)
        return {_plain(str.__str__(name), depth + 1, room): _plain(one, depth + 1, room) for name, one in items}
    kind = next((kind for kind in (bool, int, float, bytes) if isinstance(value, kind)), None)
    if kind is None and isinstance(value, Sequence):
        return tuple([_plain(one, depth + 1, room) for one in _within(value, room)])
    if kind is None:
        if value is not None:
            raise TypeError(f"the API allows no attribute of type {type(value).__name__}")
        return None
    plain_value = kind(value)
    if kind is float:
        return plain_value + 0.0  # type: ignore[operator]  # 0 and -0 are equal
    if kind is int and not -(2**63) <= plain_value < 2**63:  # type: ignore[operator]
        return str(plain_value)  # OTLP has no larger ones
    return plain_value


def _within(items: Iterable[Any], room: Iterator[int]) -> Iterator[Any]:
    """The items, as long as there is room. They may have no end."""
    for item in items:
        if next(room, None) is None:
            raise TypeError(f"there are more than {ITEMS_AT_MOST:,} items")
        yield item


def plain_text(value: Any) -> str:
    """A plain value as the OpenTelemetry exporter for Prometheus writes it: `true`, `200`, `["a"]`, `null`."""
    return value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)


@dataclass(frozen=True)
class Series:
    """The labels of a series, as they were given and as Prometheus has them."""

    attributes: dict[str, Any]
    text: str


def written(texts: Mapping[str, str]) -> str:
    """Labels in the text format. Values of attributes that get the same name are joined, as the specification says.

    For Prometheus, an empty label is none.
    """
    labels: dict[str, str] = {}
    for name, text in sorted(texts.items()):
        label = label_name(name)
        labels[label] = f"{labels[label]};{text}" if label in labels else text
    return labels_text([(label, text) for label, text in labels.items() if text])


OVERFLOW = Series({"otel.metric.overflow": True}, written({"otel.metric.overflow": "true"}))


def put(cell: Cell, amount: int | float) -> bool:
    """Sets the number of a series. Returns True: any number can be set."""
    cell[0] = amount
    return True


def add_to(cell: Cell, amount: int | float) -> bool:
    """Adds to the number of a series, unless that would be infinite."""
    return added(cell, 0, amount)
