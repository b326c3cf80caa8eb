"""How large /metrics is when a service was told everything that it can be told."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from infra.local.processes import SERVICES
from tests.telemetry.apart import apart

MEGABYTE = 1_000_000
OWNERS = [name.removesuffix("_service") if name == "market_data_service" else name for name in SERVICES]


@pytest.mark.parametrize("service", OWNERS)
def test_a_service_has_less_than_two_megabytes_whatever_it_was_told(service: str) -> None:
    sizes = apart(told_everything, service).answer

    assert max(sizes.values()) < 2 * MEGABYTE, sizes
    assert min(sizes.values()) > 5_000  # something was told


def told_everything(service: str) -> dict[str, int]:
    """Strangers, then 5000 symbols that are quoted, then a text of 100 kB: each in every metric, with exemplars."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    import apps.catalogue
    import telemetry
    from apps.labels import SYMBOL
    from telemetry.collection import look_for_spans
    from telemetry.exposition import render
    from telemetry.registry import declared

    assert apps.catalogue
    trace.get_tracer_provider = TracerProvider
    telemetry.init(service)
    look_for_spans()
    strangers = [f"STRANGER{number:02d}" for number in range(300)]
    quoted = [f"SYMBOL{number:04d}" for number in range(5000)]
    place = trace.SpanContext(1 << 100, 1 << 50, is_remote=False, trace_flags=trace.TraceFlags(1))
    span = trace.set_span_in_context(trace.NonRecordingSpan(place))
    metrics: list[Any] = list(declared.values())
    mine = [metric for metric in metrics if not metric.owners or service in metric.owners]
    for metric in mine:
        tell(metric, strangers, span)
    SYMBOL.know(quoted)
    for metric in mine:
        tell(metric, quoted[:200], span)
        tell(metric, ["X" * 100_000], span)
    return {str(openmetrics): len(render(openmetrics=openmetrics)) for openmetrics in (False, True)}


def tell(metric: Any, texts: list[str], span: Any) -> None:
    """Records each text as a symbol, with every combination of the values that are declared.

    The other open labels have names of our own: of operations, errors and addresses in the settings.
    """
    if metric.kind == "gauge":
        if [label.open is None for label in metric.labels] == [False] and hasattr(metric, "replace"):
            metric.replace(dict.fromkeys(texts, 123456.789012))
        return
    values = {label.name: ["one"] if label.open else label.values for label in metric.labels}
    if "symbol" in values:
        values["symbol"] = texts
    for combination in itertools.product(*values.values()):
        labels = dict(zip(values, combination, strict=True))
        if metric.kind == "counter":
            metric.add(123456.789012, labels, span)
            continue
        for bound in (0.0, *metric.buckets):
            metric.record(bound + 0.0001, labels, span)
