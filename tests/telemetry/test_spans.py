"""Spans of a service's own: where each belongs, and what is known of it in the log."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import telemetry
from telemetry.logs import JsonFormatter, LineFormatter, Secrets
from tests.telemetry.apart import apart


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def ended(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def id_of(span: ReadableSpan) -> int:
    return span.get_span_context().span_id  # type: ignore[union-attr]


def test_a_span_begins_a_trace_or_is_part_of_the_present_one(spans: InMemorySpanExporter) -> None:
    with telemetry.span("run"), telemetry.span("submit order"):
        pass

    run, order = ended(spans)["run"], ended(spans)["submit order"]
    assert parent_of(run) is None
    assert parent_of(order) == id_of(run)


async def test_what_another_task_does_is_in_the_trace_of_the_first_that_asked_with_links_to_the_others(
    spans: InMemorySpanExporter,
) -> None:
    asked: list[telemetry.Cause | None] = [None]
    for name in ("first", "second"):
        with telemetry.span(name):
            asked.append(telemetry.cause())

    async def store() -> None:
        with telemetry.span("store", asked):
            pass

    await asyncio.create_task(store())

    first, second, stored = (ended(spans)[name] for name in ("first", "second", "store"))
    assert parent_of(stored) == id_of(first)
    assert [link.context.span_id for link in stored.links] == [id_of(second)]


def test_the_trace_of_a_sampled_cause_comes_first(spans: InMemorySpanExporter) -> None:
    with telemetry.span("sampled"):
        sampled = telemetry.cause()
    unsampled = telemetry.Cause(trace.SpanContext(1, 1, is_remote=False))
    with telemetry.span("store", [unsampled, sampled]):
        pass

    assert parent_of(ended(spans)["store"]) == id_of(ended(spans)["sampled"])


def test_what_nobody_in_a_trace_asked_for_makes_no_span(spans: InMemorySpanExporter) -> None:
    assert telemetry.cause() is None
    with telemetry.span("store", [None, None]):
        pass

    assert ended(spans) == {}


def test_an_error_goes_through_a_span(spans: InMemorySpanExporter) -> None:
    for causes in (None, [None]):
        with pytest.raises(LookupError), telemetry.span("run", causes):
            raise LookupError

    assert not ended(spans)["run"].status.is_ok


def without_traces() -> dict[str, Any]:
    with telemetry.span("run"):
        return {"cause": telemetry.cause()}


def test_without_traces_a_span_is_nothing() -> None:
    assert apart(without_traces).answer == {"cause": None}


@pytest.mark.parametrize("formatter", [LineFormatter, JsonFormatter])
def test_a_line_within_a_span_says_which_and_another_says_nothing(
    spans: InMemorySpanExporter, formatter: type[LineFormatter]
) -> None:
    form = formatter("gateway", Secrets({})).format
    record = logging.makeLogRecord({"name": "apps", "msg": "placed", "levelname": "INFO", "created": 0})
    with telemetry.span("run"):
        inside = form(record)

    [run] = spans.get_finished_spans()
    context = run.get_span_context()
    assert context is not None
    trace_id, span_id = format(context.trace_id, "032x"), format(context.span_id, "016x")
    if formatter is JsonFormatter:
        assert (json.loads(inside)["trace_id"], json.loads(inside)["span_id"]) == (trace_id, span_id)
    else:
        assert inside == f"1970-01-01T00:00:00.000Z INFO gateway apps trace_id={trace_id} span_id={span_id}: placed"
    assert "trace_id" not in form(record)
