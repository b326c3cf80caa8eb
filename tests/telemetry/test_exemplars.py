"""Exemplars: which trace an amount belongs to, in OpenMetrics and over OTLP."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Sample

import telemetry
from apps.catalogue import orders_total
from infra.setup.installation import BIN
from telemetry import Counter, Gauge, Histogram, UpDownCounter, exemplars
from telemetry.amounts import Amount
from telemetry.collection import collect, look_for_spans
from telemetry.exposition import write
from telemetry.instrument import EXEMPLARS_AT_MOST
from telemetry.otlp import together
from telemetry.provider import Provider
from telemetry.registry import open_or_shut
from telemetry.samples import END
from tests.documents import ROOT
from tests.servers import folder, program_running
from tests.services import free_port
from tests.telemetry.apart import apart
from tests.telemetry.labels import BySide, Side, labels
from tests.telemetry.service import ORDER, get, small_app
from tests.waiting import wait_until

read: Callable[[str], Any] = parser.text_string_to_metric_families
BUY: Any = {"side": Side.BUY}


@pytest.fixture(autouse=True)
def spans_are_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has a TracerProvider that makes spans, as after `init` with OTEL_TRACES_EXPORTER=otlp."""
    monkeypatch.setattr(trace, "get_tracer_provider", TracerProvider)
    look_for_spans()
    yield
    monkeypatch.undo()
    look_for_spans()


def in_span(number: int, *, sampled: bool = True) -> Context:
    flags = trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT
    place = trace.SpanContext(number, number + 1, is_remote=False, trace_flags=trace.TraceFlags(flags))
    return trace.set_span_in_context(trace.NonRecordingSpan(place))


def shown(*metrics: Any, provider: Provider | None = None, openmetrics: bool = True) -> str:
    collected = collect(metrics, [] if provider is None else list(provider.instruments.values()))
    collected.declared[:] = [each for each in collected.declared if each[0] in metrics]
    return b"".join(write(collected, openmetrics=openmetrics)).decode() + (END.decode() if openmetrics else "")


def with_exemplar(text: str) -> dict[tuple[str, str], tuple[str, str, float]]:
    """The trace, the span and the amount of each sample that has an exemplar, by its name and its bound or side."""
    samples: list[Sample] = [sample for family in read(text) for sample in family.samples if sample.exemplar]
    return {
        (sample.name, sample.labels.get("le", sample.labels.get("side", ""))): (
            sample.exemplar.labels["trace_id"],
            sample.exemplar.labels["span_id"],
            sample.exemplar.value,
        )
        for sample in samples
        if sample.exemplar
    }


def test_a_counter_says_in_which_trace_it_was_raised_last() -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    letters.add(1, BUY, in_span(1))
    letters.add(2.5, BUY, in_span(0xABC))
    letters.add(4, BUY)

    text = shown(letters)

    assert with_exemplar(text) == {("letters_total", "buy"): (f"{0xABC:032x}", f"{0xABD:016x}", 2.5)}
    assert 'letters_total{side="buy"} 7.5 # {trace_id="' in text
    assert "#" not in shown(letters, openmetrics=False).split("\n", 2)[2]


def test_the_series_of_a_metric_that_have_one_are_bounded() -> None:
    letters = Counter("letters_total", "Letters.", labels(office=Annotated[str, telemetry.Open(limit=300)]))
    for number in range(300):
        letters.add(1, {"office": f"office {number}"}, in_span(1))
    letters.add(1, {"office": "office 0"}, in_span(7))

    text = shown(letters)

    assert text.count("# {trace_id=") == EXEMPLARS_AT_MOST
    assert f'letters_total{{office="office 0"}} 2 # {{trace_id="{7:032x}"' in text


def test_each_bucket_of_a_histogram_has_its_own() -> None:
    took = Histogram("took_seconds", "Time.", BySide, unit="s", buckets=(0.5, 1))
    amounts: list[Amount] = [0.5, 0.2, Decimal("0.75"), 7]
    for at, amount in enumerate(amounts, start=1):
        took.record(amount, BUY, in_span(at))

    assert with_exemplar(shown(took)) == {
        ("took_seconds_bucket", "0.5"): (f"{2:032x}", f"{3:016x}", 0.2),
        ("took_seconds_bucket", "1.0"): (f"{3:032x}", f"{4:016x}", 0.75),
        ("took_seconds_bucket", "+Inf"): (f"{4:032x}", f"{5:016x}", 7),
    }


def test_it_stands_behind_its_own_series_among_many() -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    letters.add(1, {"side": Side.SELL}, in_span(5))
    took = Histogram("took_seconds", "Time.", BySide, unit="s", buckets=(0.5, 1))
    took.record(0.7, {"side": Side.SELL}, in_span(6))

    text = shown(letters, took)

    assert 'letters_total{side="sell"} 1 # {trace_id=' in text
    assert 'took_seconds_bucket{side="sell",le="1.0"} 1 # {trace_id=' in text
    assert text.count("trace_id") == 2


def test_the_present_span_counts_when_no_context_is_given() -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    bound = letters.bind(BUY)
    took = Histogram("took_seconds", "Time.", unit="s", buckets=(1,))
    with TracerProvider().get_tracer("a test").start_as_current_span("a span") as span:
        bound.add(3)
        with took.time():
            pass
    place = span.get_span_context()

    found = with_exemplar(shown(letters, took))

    assert set(found) == {("letters_total", "buy"), ("took_seconds_bucket", "1.0")}
    assert {(trace_id, span_id) for trace_id, span_id, _ in found.values()} == {
        (trace.format_trace_id(place.trace_id), trace.format_span_id(place.span_id))
    }


def test_an_instrument_of_the_api_has_them_too_and_of_two_scopes_the_later_one_stays() -> None:
    provider = Provider()
    for at, name in enumerate(("one", "two"), start=1):
        meter = provider.get_meter(name)
        meter.create_counter("jobs").add(1, {"side": "buy"}, in_span(at))
        meter.create_histogram("size", explicit_bucket_boundaries_advisory=[5]).record(7, {}, in_span(at))

    assert with_exemplar(shown(provider=provider)) == {
        ("jobs_total", "buy"): (f"{2:032x}", f"{3:016x}", 1),
        ("size_bucket", "+Inf"): (f"{2:032x}", f"{3:016x}", 7),
    }


@pytest.mark.parametrize(
    "context", [None, in_span(7, sampled=False), in_span(0)], ids=["no span", "not sampled", "invalid"]
)
def test_without_a_sampled_span_there_is_none(context: Context | None) -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    letters.add(1, BUY, context)
    provider = Provider()
    provider.get_meter("one").create_counter("jobs").add(1, {}, context)

    assert "trace_id" not in shown(letters, provider=provider)
    assert letters.values()[("buy",)] == 1


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [(5.0, 6.0), (5, 6.0), (2**128, 6), (5, 2**64), (-5, 6), (5, -6), (True, 6), (0, 6)],
)
def test_numbers_that_no_span_has_leave_none_and_stop_no_export(trace_id: Any, span_id: Any) -> None:
    provider = Provider()
    place = trace.SpanContext(trace_id, span_id, is_remote=False, trace_flags=trace.TraceFlags(1))
    declared, made = Counter("letters_total", "Letters.", BySide), provider.get_meter("x").create_counter("made")
    for _ in range(2):
        declared.add(1, BUY, trace.set_span_in_context(trace.NonRecordingSpan(place)))
        made.add(1, {}, trace.set_span_in_context(trace.NonRecordingSpan(place)))

    collected = collect([declared], list(provider.instruments.values()))
    encoded = encode_metrics(together(Resource({}), collected, 1))
    assert "exemplars" not in str(encoded)
    assert declared.exemplars == {}


def test_attributes_that_are_none_leave_none() -> None:
    provider = Provider()
    wrong: Any = ""
    provider.get_meter("x").create_counter("made").add(1, wrong, in_span(1))

    [made] = provider.instruments.values()
    assert (made.cells, made.exemplars) == ({}, {})


def test_what_is_dropped_leaves_none() -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    wrong: list[Any] = [-1, float("nan"), True, "5"]
    for amount in wrong:
        letters.add(amount, BUY, in_span(1))
    letters.add(1, {"side": "north"}, in_span(1))  # type: ignore[typeddict-item]

    assert "trace_id" not in shown(letters)


def test_a_gauge_has_none_because_the_format_allows_none() -> None:
    waiting, open_ones = Gauge("waiting", "Waiting."), UpDownCounter("open_ones", "Open.")
    waiting.set(3, {}, in_span(1))
    open_ones.add(3, {}, in_span(1))
    provider = Provider()
    provider.get_meter("one").create_up_down_counter("jobs").add(1, {}, in_span(1))

    text = shown(waiting, open_ones, provider=provider)

    assert "trace_id" not in text
    assert "waiting 3\n" in text


def test_the_counts_are_the_same_with_spans_and_without() -> None:
    for name in ("with_spans_total", "without_total"):
        if name == "without_total":
            exemplars.tracing.clear()
            open_or_shut()
        letters = Counter(name, "Letters.", BySide)
        for amount in (1, 2.5, Decimal(3), -1, 2**60):
            letters.add(amount, BUY, in_span(1))
            letters.bind(BUY).add(amount)
        assert letters.values() == {("buy",): 2 * (6.5 + 2**60), ("sell",): 0}


def test_a_child_after_a_fork_has_none_of_its_parent() -> None:
    letters = Counter("letters_total", "Letters.", BySide)
    letters.add(1, BUY, in_span(1))
    provider = Provider()
    provider.get_meter("one").create_counter("jobs").add(1, {}, in_span(1))

    letters.begin_again()
    provider.begin_again()
    letters.add(1, BUY)
    provider.get_meter("one").create_counter("jobs").add(1)

    assert "trace_id" not in shown(letters, provider=provider)


def test_they_are_sent_over_otlp_as_well() -> None:
    took = Histogram("took_seconds", "Time.", unit="s", buckets=(1,))
    took.record(7, {}, in_span(1))
    provider = Provider()
    provider.get_meter("one").create_counter("jobs").add(2, {}, in_span(3))

    data = together(Resource({}), collect([took], list(provider.instruments.values())), began=1)

    found = {
        metric.name: [(one.trace_id, one.span_id, one.value) for one in point.exemplars]
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if point.exemplars
    }
    assert found == {"took_seconds": [(1, 2, 7)], "jobs": [(3, 4, 2)]}


def an_order_in_a_span(provider_comes: str) -> str:
    def make() -> None:
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))

    app = small_app()
    if provider_comes == "before init":
        make()
    telemetry.init("execution_gateway", app)
    if provider_comes == "after init":
        make()
        get(app, "/metrics")
    with trace.get_tracer("a test").start_as_current_span("an order"):
        orders_total.add(1, ORDER)
    [answer] = get(app, "/metrics?name[]=orders_total", Accept="application/openmetrics-text;version=1.0.0")
    return answer.text


@pytest.mark.parametrize("comes", ["before init", "after init"])
def test_a_service_shows_them_as_soon_as_there_is_a_tracer_provider(comes: str) -> None:
    assert len(with_exemplar(apart(an_order_in_a_span, comes).answer)) == 1


def test_the_filter_of_the_specification_turns_them_off() -> None:
    done = apart(an_order_in_a_span, "before init", OTEL_METRICS_EXEMPLAR_FILTER="always_off")

    assert "orders_total{" in done.answer
    assert "trace_id" not in done.answer


SERVICE = """
import threading
import telemetry
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from tests.telemetry.service import ORDER
from apps.catalogue import orders_total

trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
telemetry.init("execution_gateway")
with trace.get_tracer("a test").start_as_current_span("an order") as span:
    orders_total.add(1, ORDER)
threading.Event().wait()
"""


@pytest.mark.server
def test_prometheus_stores_them_when_it_scrapes_a_service_itself() -> None:
    service, own = free_port(), free_port()
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        job = {
            "job_name": "gateway",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{service}"]}],
        }
        (place / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        environment = {**os.environ, "OTEL_EXPORTER_PROMETHEUS_PORT": str(service), "PYTHONPATH": str(ROOT)}
        stack.enter_context(program_running([sys.executable, "-c", SERVICE], place / "service.log", environment))
        stack.enter_context(
            program_running(
                [
                    str(BIN / "prometheus"),
                    f"--config.file={place / 'prometheus.yml'}",
                    f"--web.listen-address=127.0.0.1:{own}",
                    f"--storage.tsdb.path={place / 'data'}",
                    "--enable-feature=exemplar-storage",
                ],
                place / "prometheus.log",
            )
        )
        asked = {"query": "orders_total", "start": "0", "end": "9999999999"}

        def stored() -> list[Any]:
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"http://127.0.0.1:{own}/api/v1/query_exemplars", params=asked).raise_for_status()
                return [each for series in answer.json()["data"] for each in series["exemplars"]]
            return []

        wait_until(stored, 20, "Prometheus has an exemplar")

        [exemplar] = stored()
        assert exemplar["value"] == "1"
        assert {name: len(text) for name, text in exemplar["labels"].items()} == {"trace_id": 32, "span_id": 16}
