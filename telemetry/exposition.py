"""Writes the answer of /metrics: the declared metrics first, then those of other libraries.

The metrics of other libraries are recorded through the OpenTelemetry API or come from prometheus_client.

Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from telemetry.instruments import Counter, Gauge, Histogram, Instrument, UpDownCounter
from telemetry.recording import declared, drops, warn

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OWN_BOOKKEEPING = ("telemetry_dropped_total", "telemetry_series")


def render(registry: CollectorRegistry | None) -> bytes:
    """The whole answer: this service's metrics, dropped records and numbers of series, then the registry's metrics."""
    lines: list[str] = []
    series: dict[str, int] = {}
    for instrument in list(declared.values()):
        if instrument.is_exposed():
            more, series[instrument.name] = _instrument_lines(instrument)
            lines.extend(more)
    lines.extend(_own_bookkeeping(series))
    own = "".join(f"{line}\n" for line in lines).encode()
    return own if registry is None else own + _others(registry)


def _instrument_lines(instrument: Instrument) -> tuple[list[str], int]:
    """The lines of one metric, and its number of series."""
    lines: list[str] = []
    series: int = 0
    if isinstance(instrument, Histogram):
        for key, (counts, total) in instrument.values().items():
            lines.extend(_histogram_lines(instrument, key, counts, total))
            series += 1
    elif isinstance(instrument, Counter | UpDownCounter | Gauge):
        for key, value in instrument.values().items():
            lines.append(f"{instrument.name}{_labels(instrument.label_names, key)} {_number(value)}")
            series += 1
    if series:
        lines[:0] = _header(instrument.name, instrument.description, instrument.kind)
    return lines, series


def _histogram_lines(
    instrument: Histogram, key: tuple[str, ...], counts: list[int], total: int | float
) -> Iterator[str]:
    names = (*instrument.label_names, "le")
    cumulative = 0
    for bound, count in zip((*map(_number, instrument.buckets), "+Inf"), counts, strict=True):
        cumulative += count
        yield f"{instrument.name}_bucket{_labels(names, (*key, bound))} {cumulative}"
    labels = _labels(instrument.label_names, key)
    yield f"{instrument.name}_sum{labels} {_number(total)}"
    yield f"{instrument.name}_count{labels} {cumulative}"


def _own_bookkeeping(series: dict[str, int]) -> Iterator[str]:
    yield from _header("telemetry_dropped_total", "Records that were dropped, by metric and reason.", "counter")
    for (metric, reason), count in sorted(drops().items()):
        yield f"telemetry_dropped_total{_labels(('metric', 'reason'), (metric, reason))} {count}"
    yield from _header("telemetry_series", "Series that this process holds, by metric.", "gauge")
    for metric, count in series.items():
        yield f"telemetry_series{_labels(('metric',), (metric,))} {count}"


def _header(name: str, description: str, kind: str) -> Iterator[str]:
    text = description.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Iterable[str], values: Iterable[str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: int | float) -> str:
    return repr(value) if isinstance(value, int) or not value.is_integer() or abs(value) > 2**53 else str(int(value))


def _others(registry: CollectorRegistry) -> bytes:
    """The registry's metrics, without those that have the name of a declared metric: no name is written twice.

    A metric that cannot be written is left out and logged. A bad label in another library must not fail the scrape.
    """
    try:
        families = list(registry.collect())
    except Exception as error:
        warn(("", "collect"), f"metrics of other libraries cannot be collected: {type(error).__name__}: {error}")
        return b""
    written: list[bytes] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name in declared or name in _OWN_BOOKKEEPING:
            warn(
                (name, "taken"),
                f"{name} was also recorded by another library through the OpenTelemetry API; that one is left out",
            )
            continue
        try:
            written.append(generate_latest(_Single(family)))
        except Exception as error:
            warn((name, "written"), f"{name} of another library cannot be written: {type(error).__name__}")
    return b"".join(written)


class _Single:
    """A registry with one metric: `generate_latest` takes only registries."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
