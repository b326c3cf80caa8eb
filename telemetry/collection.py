"""What the declared metrics say now: for /metrics, and for OTLP. A metric that cannot say it costs only itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telemetry import runtime
from telemetry.catalogue import METRIC, telemetry_full_labels, telemetry_series
from telemetry.drops import Dropped, Reason, dropped, said
from telemetry.instrument import Instrument
from telemetry.registry import declared
from telemetry.samples import Sample

Collected = list[tuple[Instrument[Any], list[Sample]]]
"""Each metric that this service shows, and its samples."""


def exposed() -> list[Instrument[Any]]:
    """The metrics that this service shows."""
    metrics = [one for one in list(declared.values()) if isinstance(one, Instrument) and one.is_exposed()]
    METRIC.know(one.name for one in metrics)  # so that their drops begin at 0
    return metrics


def collect(metrics: list[Instrument[Any]]) -> Collected:
    """The samples of these metrics. Those that count series and labels come last, because they count the others'."""
    runtime.refresh()
    for one in metrics:
        _prepare(one)
    counting: list[Instrument[Any]] = [telemetry_series, telemetry_full_labels]
    collected = [(one, _samples(one)) for one in metrics if one not in counting]
    telemetry_series.replace({one.name: _series(samples) for one, samples in collected})
    telemetry_full_labels.replace({one.name: full for one, _ in collected if (full := one.full_labels())})
    return [*collected, *((one, _samples(one)) for one in counting)]


def _prepare(metric: Instrument[Any]) -> None:
    try:
        metric.prepare()
    except BaseException as error:
        failed(metric, error)


def _samples(metric: Instrument[Any]) -> list[Sample]:
    try:
        return metric.samples()
    except BaseException as error:
        failed(metric, error)
        return []


def failed(metric: Instrument[Any], error: BaseException) -> None:
    """Counts a metric that cannot be shown."""
    dropped(metric.name, Dropped(Reason.NOT_RENDERED, said(error)))


def _series(samples: list[Sample]) -> int:
    return sum(sample.suffix in ("", "_count") for sample in samples)


def taken(metrics: Iterable[Instrument[Any]]) -> set[str]:
    """The names that are ours: those that are declared, and those of the series of our histograms."""
    parts = ("_bucket", "_count", "_sum")
    return {*declared, *(f"{one.name}{part}" for one in metrics if one.kind == "histogram" for part in parts)}
