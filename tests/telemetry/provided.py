"""Reads what a provider shows and what it sends."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics.export import HistogramDataPoint, MetricsData, NumberDataPoint
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from telemetry.collection import collect
from telemetry.otlp import together
from telemetry.provider import Provider

Shown = dict[tuple[str, frozenset[tuple[str, str]]], float]


def shown(text: bytes) -> Shown:
    """The samples of an answer of /metrics. Raises if one is there twice. An empty label is none."""
    found: Shown = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if value}
            if "le" in labels:
                labels["le"] = str(float(labels["le"]))
            key = sample.name, frozenset(labels.items())
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def made_by(provider: Provider) -> Shown:
    """What /metrics shows of what was made, without what is declared."""
    families = collect([], list(provider.instruments.values())).families
    return shown("".join(family.write() for family in families).encode())


def sent_by(provider: Provider) -> dict[Any, float]:
    """What is sent of what was made."""
    return values_of(together(Resource({}), collect([], list(provider.instruments.values())), 1))


def values_of(data: MetricsData | None) -> dict[Any, float]:
    """The values of all points, by name, unit, kind and attributes with their types."""
    found: dict[Any, float] = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    typed = [
                        (name, type(value).__name__, str(value)) for name, value in (point.attributes or {}).items()
                    ]
                    kind = type(metric.data).__name__, getattr(metric.data, "is_monotonic", None)
                    key = scope.scope.name, metric.name, metric.unit, kind, tuple(sorted(typed))
                    if isinstance(point, HistogramDataPoint):
                        assert isinstance(point.bucket_counts, tuple)
                        found[*key, "sum"] = point.sum
                        found[*key, "count"] = point.count
                        for bound, count in zip((*point.explicit_bounds, "+Inf"), point.bucket_counts, strict=True):
                            found[*key, bound] = count
                    elif isinstance(point, NumberDataPoint):
                        found[key] = point.value
    return found
