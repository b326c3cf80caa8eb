"""What the declared metrics say now: for /metrics, and for OTLP. A metric that cannot say it costs only itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telemetry import runtime
from telemetry.catalogue import METRIC, telemetry_series
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.instrument import Instrument
from telemetry.registry import declared
from telemetry.store import Cells

Collected = list[tuple[Instrument[Any], Cells]]
"""Each metric that this service shows, and its series."""


def exposed() -> list[Instrument[Any]]:
    """The metrics that this service shows."""
    metrics = [one for one in list(declared.values()) if isinstance(one, Instrument) and one.is_exposed()]
    METRIC.know(one.name for one in metrics)  # so that their drops begin at 0
    return metrics


def collect(metrics: list[Instrument[Any]]) -> Collected:
    """The series of these metrics. The number of series comes last, because it counts the others."""
    runtime.refresh()
    for one in metrics:
        _prepare(one)
    collected = [(one, _snapshot(one)) for one in metrics if one is not telemetry_series]
    telemetry_series.replace({one.name: len(cells) for one, cells in collected})
    return [*collected, (telemetry_series, _snapshot(telemetry_series))]


def _prepare(metric: Instrument[Any]) -> None:
    try:
        metric.prepare()
    except BaseException as error:
        failed(metric, error)


def _snapshot(metric: Instrument[Any]) -> Cells:
    try:
        return metric.snapshot()
    except BaseException as error:
        failed(metric, error)
        return {}


def failed(metric: Instrument[Any], error: BaseException) -> None:
    """Counts a metric that cannot be shown."""
    dropped(metric.name, Dropped(Reason.NOT_RENDERED, said(error)))


def taken(metrics: Iterable[Instrument[Any]]) -> set[str]:
    """The names that are ours: those that are declared, and those of the series of our histograms."""
    parts = ("_bucket", "_count", "_sum")
    return {*declared, *(f"{one.name}{part}" for one in metrics if one.kind == "histogram" for part in parts)}
