"""What the instruments have in common that anybody makes through the OpenTelemetry API, as by `get_meter`.

Their labels are not declared, so a series is found by the attributes as they are given. What is recorded is checked and
bounded like that of declared metrics, and never raises.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from telemetry.amounts import number
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.exemplars import Exemplar
from telemetry.names import label_name, metric_name
from telemetry.samples import labels_text
from telemetry.store import Cell

SERIES_AT_MOST = 2000
"""How many series an instrument has, as in the SDK. The rest is one series with `otel.metric.overflow`."""
CACHED_AT_MOST = 10_000
"""How many ways of giving attributes are remembered: order, types."""

Attributes = Mapping[str, Any] | None
Cells = dict[Any, Cell]


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
        given = {} if attributes is None else attributes
        if not isinstance(given, Mapping):
            raise Dropped(Reason.UNREADABLE, f"attributes are a {type(given).__name__}, not a mapping")
        kept: dict[str, Any] = {}
        texts: dict[str, str] = {}
        try:
            for name, value in given.items():
                name = self._name(name)
                kept[name] = plain(value)
                texts[name] = plain_text(kept[name])
        except (TypeError, ValueError) as error:
            raise Dropped(Reason.NOT_TEXT, said(error)) from None
        key = tuple(sorted((name, text, type(kept[name]).__name__) for name, text in texts.items()))
        cell = cells.get(key)
        if cell is None and len(cells) < SERIES_AT_MOST:
            cell = cells.setdefault(key, self._new(Series(kept, written(texts))))
        if cell is None:
            return cells.setdefault(None, self._new(OVERFLOW))
        self._remember(attributes, cell)
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
        if self.kind == "histogram" and label_name(text) == "le":
            raise Dropped(Reason.UNDECLARED_ATTRIBUTE, f"{text} is the bound of a bucket")
        return text

    def _new(self, series: Series) -> Cell:
        """The cell of a new series."""
        return [0, series]

    def _remember(self, attributes: Attributes, cell: Cell) -> None:
        """Notes the cell for attributes that are given in the same way: in the same order, of the same types."""
        if type(attributes) is not dict or len(self.cache) >= CACHED_AT_MOST:
            return
        given = tuple(attributes.items())
        with suppress(TypeError):  # a list, which the API allows as a value, cannot be looked up
            if all(value.__class__ is str for value in attributes.values()):
                self.cache[given] = cell
            elif not any(isinstance(value, tuple) for value in attributes.values()):
                # 1, True and 1.0 would be the same key, and in a tuple they cannot be told apart
                types = tuple([value.__class__ for _, value in given])
                self.cache[given] = {**self.cache.get(given, {}), types: cell}

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
            dropped(self.shown_as, Dropped(Reason.UNREADABLE, type(error).__name__))


def plain(value: Any) -> Any:
    """The value of an attribute as OTLP takes it: without the enumeration or the subclass that it may be of.

    Raises TypeError for a type that the API does not allow, ValueError for a text that cannot be encoded as UTF-8.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        text = str.__str__(value)
        text.encode()
        return text
    if isinstance(value, Mapping):
        return {plain(str.__str__(name)): plain(one) for name, one in value.items()}
    kind = next((kind for kind in (bool, int, float, bytes) if isinstance(value, kind)), None)
    if kind is None and isinstance(value, Sequence):
        return tuple(map(plain, value))
    if kind is int and not -(2**63) <= value < 2**63:
        return str(int(value))  # OTLP has no larger ones
    if kind is None and value is not None:
        raise TypeError(f"the API allows no attribute of type {type(value).__name__}")
    return value if kind is None else kind(value)


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
