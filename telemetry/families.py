"""Families of series: what instruments with the same name in Prometheus say together.

Libraries may make one instrument several times, in scopes of their own, and also one that is declared. Counts of the
same series are added up. What cannot be added up is told apart by the label `otel_scope_name`, then by that and
`otel_scope_version`, and said once. What these do not tell apart either is left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.exemplars import Exemplars, latest, with_exemplars
from telemetry.instrument import Instrument
from telemetry.made import OVERFLOW, Made, Scope, plain_text, written
from telemetry.names import derived, label_name, unit_word
from telemetry.registry import RESOURCE, written_names
from telemetry.samples import head, labels_text, number_text, with_float_bounds
from telemetry.store import Cell, Cells

SCOPE = "otel_scope_name"
VERSION = "otel_scope_version"


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
        first = self.rows.get(labels)
        if first is None or _add_up(first, row):
            self._place(labels, row)
            return
        given = {label_name(name) for name in row.attributes}
        about: dict[str, str] = {}
        for label, text in ((SCOPE, row.scope.name), (VERSION, row.scope.version)):
            if label in given:
                break
            about[label] = text
            apart = row._replace(attributes={**row.attributes, **about})
            told = written({name: plain_text(value) for name, value in apart.attributes.items()})
            there = self.rows.get(told)
            if there is None or _add_up(there, apart):
                told_by = " and ".join(about)
                warn((self.name, "scope"), f"{self.name} is recorded by several libraries: {told_by} tells them apart")
                self._place(told, apart)
                return
        who = f"{row.scope.name!r} and {first.scope.name!r}"
        _left_out(self.name, f"{who} both recorded {labels or 'it without labels'}")

    def _place(self, labels: str, row: Row) -> None:
        """Adds a series to the one with these labels, or puts it where there is none."""
        there = self.rows.get(labels)
        if there is not None:
            summed = [one + other for one, other in zip(there.numbers, row.numbers, strict=True)]
            row = there._replace(numbers=summed, exemplars=latest(there.exemplars, row.exemplars))
        self.rows[labels] = row

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
    users = dict.fromkeys(RESOURCE, "the resource")
    users |= {name: one.name for one in metrics for name in written_names(one.name, one.kind)}
    for one, cells in made:
        if not cells:
            continue
        name = one.shown_as
        names = written_names(name, one.kind)
        used = next((users[each] for each in sorted(names) if users.get(each, name) != name), None)
        if used is not None:
            _left_out(name, f"{one.scope.name} has a {one.kind} of that name, and {used} has a series of the same name")
            continue
        if name not in found:
            found[name] = Family(one)
            users.update(dict.fromkeys(names, name))
        found[name].add(one, cells)
    return found


def _add_up(one: Row, other: Row) -> bool:
    return one.adds_up and other.adds_up and one.bounds == other.bounds


def _left_out(name: str, why: str) -> None:
    dropped(name, Dropped(Reason.NOT_RENDERED, why))


def _with(labels: str, name: str, value: str) -> str:
    """Labels with one more."""
    more = labels_text([(name, value)])
    return f"{labels[:-1]},{more[1:]}" if labels else more
