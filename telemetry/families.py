"""Families of series: what instruments with the same name in Prometheus say together.

Libraries may make one instrument several times, in scopes of their own, and also one that is declared. Counts of the
same series are added up. What cannot be added up is told apart by the label `otel_scope_name`, and said once.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.exemplars import Exemplars, latest, with_exemplars
from telemetry.instrument import Instrument
from telemetry.made import OVERFLOW, Made, Scope, written
from telemetry.names import derived, label_name, unit_word
from telemetry.samples import head, labels_text, number_text, with_float_bounds
from telemetry.store import Cell, Cells

SCOPE = "otel_scope_name"


class Row(NamedTuple):
    """A series: its numbers, its attributes as they were given, and who recorded it."""

    numbers: list[Any]
    attributes: dict[str, Any]
    bounds: tuple[float, ...]
    adds_up: bool
    scope: Scope
    exemplars: Exemplars


class Family:
    """The series of one name by their labels, as they are written."""

    def __init__(self, first: Made) -> None:
        self.first = first
        self.name = first.shown_as
        self.kind = first.kind
        self.description = first.description
        self.rows: dict[str, Row] = {}

    def add(self, made: Made, cells: Iterable[Cell]) -> None:
        """Adds the series of an instrument."""
        if made.kind != self.kind:
            _left_out(self.name, f"{made.scope.name} has a {made.kind} of that name, and there is a {self.kind}")
            return
        self.description = self.description or made.description
        for *numbers, series in cells:
            exemplars = made.exemplars.get(series.text, {}).copy()
            row = Row(numbers, series.attributes, made.bounds, made.adds_up, made.scope, exemplars)
            self._put(series.text, row)

    def _put(self, labels: str, row: Row) -> None:
        there = self.rows.setdefault(labels, row)
        if there is row:
            return
        if there.adds_up and row.adds_up and there.bounds == row.bounds:
            summed = [one + other for one, other in zip(there.numbers, row.numbers, strict=True)]
            self.rows[labels] = there._replace(numbers=summed, exemplars=latest(there.exemplars, row.exemplars))
            return
        if any(label_name(name) == SCOPE for name in row.attributes):
            _left_out(self.name, f"{row.scope.name} and {there.scope.name} both recorded {labels}")
            return
        warn((self.name, "scope"), f"{self.name} is recorded by several libraries: {SCOPE} tells them apart")
        attributes = {**row.attributes, SCOPE: row.scope.name}
        self.rows[_with(labels, SCOPE, row.scope.name)] = row._replace(attributes=attributes)

    def join(self, metric: Instrument[Any], cells: Cells) -> Cells:
        """The series of a declared metric of this name, with what these add to them. The others are left out and said.

        A declared metric has the labels that are declared, and no others.
        """
        bounds = tuple(getattr(metric, "buckets", ()))
        joined = dict(cells)
        keys = {written(dict(zip(metric.label_names, key, strict=True))): key for key in cells}
        for labels, row in self.rows.items():
            key = keys.get(labels)
            if key is None or metric.kind != self.kind or not row.adds_up or row.bounds != bounds:
                what = labels or "no labels"
                _left_out(
                    self.name, f"{row.scope.name} recorded {what}, which the declared {metric.kind} does not have"
                )
            else:
                *numbers, text = joined[key]
                joined[key] = [*(one + other for one, other in zip(numbers, row.numbers, strict=True)), text]
        return joined

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a further series."""
        return OVERFLOW.text in self.rows

    @property
    def names(self) -> set[str]:
        """The name, and those of its series."""
        return {self.name, *derived(self.name, self.kind)}

    def write(self, *, openmetrics: bool = False) -> str:
        """The lines of the family, as Prometheus reads them."""
        write = self._distribution if self.kind == "histogram" else self._number
        texts = [write(labels, row).replace(".0\n", "\n") for labels, row in self.rows.items()]
        if openmetrics:
            texts = [with_exemplars(text, [row.exemplars]) for text, row in zip(texts, self.rows.values(), strict=True)]
        lines = "".join(texts)
        if openmetrics and self.kind == "histogram":
            lines = with_float_bounds(lines)
        unit = unit_word(self.first.unit)
        return head(self.name, self.description, self.kind, unit, openmetrics=openmetrics) + lines

    def _number(self, labels: str, row: Row) -> str:
        return f"{self.name}{labels} {row.numbers[0]!r}\n"

    def _distribution(self, labels: str, row: Row) -> str:
        *counts, total = row.numbers
        cumulative = list(accumulate(counts))
        bounds = [*map(number_text, row.bounds), "+Inf"]
        buckets = [
            f"{self.name}_bucket{_with(labels, 'le', bound)} {count}\n"
            for bound, count in zip(bounds, cumulative, strict=True)
        ]
        return "".join(buckets) + f"{self.name}_sum{labels} {total!r}\n{self.name}_count{labels} {cumulative[-1]}\n"


def families(made: Iterable[tuple[Made, list[Cell]]], metrics: Iterable[Instrument[Any]]) -> dict[str, Family]:
    """The families of what was made through the API, by name. `metrics` are the declared ones, which come first."""
    found: dict[str, Family] = {}
    users = {name: one.name for one in metrics for name in (one.name, *derived(one.name, one.kind))}
    for one, cells in made:
        if not cells:
            continue
        name = one.shown_as
        names = (name, *derived(name, one.kind))
        used = next((users[each] for each in names if users.get(each, name) != name), None)
        if used is not None:
            _left_out(name, f"{one.scope.name} has a {one.kind} of that name, and {used} has a series of the same name")
            continue
        users.update(dict.fromkeys(names, name))
        found.setdefault(name, Family(one)).add(one, cells)
    return found


def _left_out(name: str, why: str) -> None:
    dropped(name, Dropped(Reason.NOT_RENDERED, why))


def _with(labels: str, name: str, value: str) -> str:
    """Labels with one more."""
    more = labels_text([(name, value)])
    return f"{labels[:-1]},{more[1:]}" if labels else more
