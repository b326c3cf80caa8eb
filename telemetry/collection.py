"""What the declared metrics say now: for /metrics, and for OTLP. A metric that cannot say it costs only itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from telemetry import runtime
from telemetry.catalogue import METRIC, telemetry_full_labels, telemetry_series
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.exemplars import look
from telemetry.families import Family, families
from telemetry.instrument import Instrument
from telemetry.made import Made
from telemetry.registry import declared, open_or_shut, written_names
from telemetry.store import Cell, Cells


class Collected(NamedTuple):
    """What this service shows: its declared metrics, each with its series, and what was made through the API."""

    declared: list[tuple[Instrument[Any], Cells]]
    families: list[Family]


def exposed() -> list[Instrument[Any]]:
    """The metrics that this service shows."""
    metrics = [one for one in list(declared.values()) if isinstance(one, Instrument) and one.is_exposed()]
    METRIC.know(one.name for one in metrics)  # so that their drops begin at 0
    return metrics


def collect(metrics: Sequence[Instrument[Any]], made: Sequence[Made] = ()) -> Collected:
    """The series of declared metrics, and of what was made through the API.

    Those that count series and labels come last of the declared ones, because they count the others'.
    """
    runtime.refresh()
    look_for_spans()
    everything: list[Instrument[Any] | Made] = [*metrics, *made]
    for each in everything:
        _prepare(each)
    others = [(one, _cells(one)) for one in made]
    counting: list[Instrument[Any]] = [telemetry_series, telemetry_full_labels]
    found = families(others, [*metrics, *counting])
    same_as_counting = [found.pop(one.name, None) for one in counting]
    shown = []
    for one in metrics:
        if one not in counting:
            same = found.pop(one.name, None)
            shown.append((one, _snapshot(one) if same is None else same.join(one, _snapshot(one))))
    counts = {one.name: len(cells) for one, cells in shown}
    telemetry_series.replace(counts | {family.name: len(family.rows) for family in found.values()})
    full = {one.name: one.store.full_labels() for one, _ in shown}
    full |= {name: int(family.is_full) for name, family in found.items()}
    telemetry_full_labels.replace({name: number for name, number in full.items() if number})
    for one, same in zip(counting, same_as_counting, strict=True):
        shown.append((one, _snapshot(one) if same is None else same.join(one, _snapshot(one))))
    return Collected(shown, list(found.values()))


def look_for_spans() -> None:
    """Has records leave exemplars from now on, if spans are made by now."""
    if look():
        open_or_shut()


def _prepare(metric: Instrument[Any] | Made) -> None:
    try:
        metric.prepare()
    except BaseException as error:
        failed(metric, error)


def _cells(made: Made) -> list[Cell]:
    try:
        return made.snapshot()
    except BaseException as error:
        failed(made, error)
        return []


def _snapshot(metric: Instrument[Any]) -> Cells:
    try:
        return metric.snapshot()
    except BaseException as error:
        failed(metric, error)
        return {}


def failed(metric: Instrument[Any] | Made, error: BaseException) -> None:
    """Counts a metric that cannot be shown."""
    dropped(metric.shown_as, Dropped(Reason.NOT_RENDERED, said(error)))


def taken(collected: Collected) -> set[str]:
    """The names that are ours: those that are declared, and all that are written for them and for the families."""
    ours = {name for one, _ in collected.declared for name in written_names(one.name, one.kind)}
    return {*declared, *ours}.union(*(written_names(family.name, family.kind) for family in collected.families))
