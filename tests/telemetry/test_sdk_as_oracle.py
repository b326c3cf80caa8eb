"""Any program is shown and sent as OpenTelemetry's own SDK and exporter do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest

from telemetry.collection import collect
from telemetry.otlp import together
from telemetry.provider import Provider
from tests.telemetry.provided import made_by, shown, values_of


class Both:
    """The same instruments of our provider and of the SDK's."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.registry = CollectorRegistry()
        self.reader = InMemoryMetricReader()
        exporter = PrometheusMetricReader(True, registry=self.registry, scope_info_enabled=False)
        sdk = MeterProvider([self.reader, exporter], Resource({}), shutdown_on_exit=False)
        self.sides = [self._instruments(self.provider), self._instruments(sdk)]

    def _instruments(self, provider: metrics.MeterProvider) -> dict[str, Callable[..., None]]:
        meter = provider.get_meter("a library", "1.0")
        bounds = [0, 0.5, 2]
        return {
            "counter": meter.create_counter("http.requests", "{request}", "Requests.").add,
            "up": meter.create_up_down_counter("queue-length", "", "Waiting.").add,
            "gauge": meter.create_gauge("Level", "2By", "How full.").set,
            "histogram": meter.create_histogram("took", "s", "How long.").record,
            "advised": meter.create_histogram("waited", "ms", explicit_bucket_boundaries_advisory=bounds).record,
        }

    def record(self, kind: str, amount: Any, attributes: Any) -> None:
        for side in self.sides:
            side[kind](amount, attributes)

    def check(self) -> None:
        ours = together(Resource({}), collect([], list(self.provider.instruments.values())), 1)
        declared = {key: value for key, value in values_of(ours).items() if key[0] != "telemetry"}
        assert declared == pytest.approx(values_of(self.reader.get_metrics_data()))
        assert made_by(self.provider) == pytest.approx(shown(generate_latest(self.registry)))


attributes = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.sampled_from(["a", "b", 'q"\\\n', "é"]),
            "http.status_code": st.sampled_from([0, 1, 200]),
            "yes": st.booleans(),
            "list": st.sampled_from([["a"], ["a", "b"]]),
            "tuple": st.sampled_from([(1,), (True,), (1.0,), ("1",)]),
            "nothing": st.none(),
            "bytes": st.just(b"x"),
            "mapping": st.sampled_from([{"b": 1, "c": [True]}, {"b": True, "c": None}]),
            "1st": st.just("x"),
            "2_~nd": st.just("y"),
        },
    ),
)
amounts = st.one_of(
    st.integers(min_value=-(2**40), max_value=2**40), st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
)
kinds = st.sampled_from(["counter", "up", "gauge", "histogram", "advised"])


@given(st.lists(st.one_of(st.tuples(kinds, amounts, attributes), st.none()), max_size=40))
def test_any_program_is_shown_and_sent_as_the_sdk_does_it(program: list[tuple[str, Any, Any] | None]) -> None:
    both = Both()
    for step in program:
        if step is None:
            both.check()
        else:
            both.record(*step)
    both.check()
