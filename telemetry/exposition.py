"""/metrics: our series, then whatever the OpenTelemetry SDK collected from anybody else.

Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from telemetry.instruments import Counter, Gauge, Histogram, Instrument, UpDownCounter
from telemetry.recording import declared, drops

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

logger = logging.getLogger("telemetry")


def render(registry: CollectorRegistry | None) -> bytes:
    """The whole answer: what this service owns, what was dropped, then the registry's metrics that we do not have."""
    instruments = [instrument for instrument in declared.values() if instrument.is_exposed()]
    lines: list[str] = []
    for instrument in instruments:
        lines.extend(_instrument_lines(instrument))
    lines.extend(_own_bookkeeping(instruments))
    own = "".join(f"{line}\n" for line in lines).encode()
    return own if registry is None else own + generate_latest(_Others(registry))


def _instrument_lines(instrument: Instrument) -> Iterator[str]:
    if isinstance(instrument, Histogram):
        histograms = instrument.values()
        if histograms:
            yield from _header(instrument.name, instrument.description, instrument.kind)
        for key, (counts, total) in histograms.items():
            yield from _histogram_lines(instrument, key, counts, total)
    elif isinstance(instrument, Counter | UpDownCounter | Gauge):
        values = instrument.values()
        if values:
            yield from _header(instrument.name, instrument.description, instrument.kind)
        for key, value in values.items():
            yield f"{instrument.name}{_labels(instrument.label_names, key)} {_number(value)}"


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


def _own_bookkeeping(instruments: list[Instrument]) -> Iterator[str]:
    yield from _header("telemetry_dropped_total", "Records that were dropped, by metric and reason.", "counter")
    for (metric, reason), count in sorted(drops().items()):
        yield f"telemetry_dropped_total{_labels(('metric', 'reason'), (metric, reason))} {count}"
    yield from _header("telemetry_series", "Series that this process holds, by metric.", "gauge")
    for instrument in instruments:
        if isinstance(instrument, Counter | UpDownCounter | Gauge | Histogram):
            labels = _labels(("metric",), (instrument.name,))
            yield f"telemetry_series{labels} {len(instrument.values())}"


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


class _Others(CollectorRegistry):
    """The registry's metrics less those whose name is ours: a name is never written twice."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._all = registry

    def collect(self) -> Iterable[Metric]:
        for family in self._all.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name in declared:
                logger.warning(
                    "%s was also recorded through the OpenTelemetry API by somebody else; ours is shown", name
                )
            else:
                yield family
