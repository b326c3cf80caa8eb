"""Which spans are made, and what of them is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import pytest
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import Link, SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import telemetry
from telemetry import http, sampling
from telemetry.sampling import Deliberate
from telemetry.scrubbing import Scrubbing
from tests.servers import Server
from tests.telemetry.apart import apart
from tests.telemetry.service import get, small_app

Made = tuple[trace.Tracer, InMemorySpanExporter]


def made_by(sampler: Sampler) -> Made:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(Deliberate(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Scrubbing(exporter)))
    return provider.get_tracer("opentelemetry.instrumentation.asyncpg"), exporter


@pytest.fixture
def made() -> Made:
    """A tracer, and what it sends."""
    return made_by(ALWAYS_ON)


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_a_call_that_no_request_began_makes_no_span(made: Made) -> None:
    tracer, exporter = made
    for kind in (SpanKind.CLIENT, SpanKind.PRODUCER):
        tracer.start_span("SELECT", kind=kind).end()
    assert names(exporter) == []

    for kind in (SpanKind.SERVER, SpanKind.INTERNAL, SpanKind.CONSUMER):
        with tracer.start_as_current_span(kind.name, kind=kind):
            tracer.start_span("SELECT", kind=SpanKind.CLIENT).end()
    assert names(exporter) == ["SELECT", "SERVER", "SELECT", "INTERNAL", "SELECT", "CONSUMER"]


@pytest.mark.parametrize("attributes", [{"url.path": "/api/health"}, {"http.target": "/api/health?a"}])
def test_a_request_for_the_health_makes_no_span(
    made: Made, attributes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "untraced", {"/api/health"})
    tracer, exporter = made
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER, attributes=attributes):
        tracer.start_span("SELECT", kind=SpanKind.CLIENT).end()

    # The SDK's own sampler follows the parent; ALWAYS_ON does not, and stands for one of somebody else.
    assert "GET" not in names(exporter)


def test_nothing_in_a_span_that_was_not_made_is_made(made: Made) -> None:
    tracer, exporter = made  # its sampler, ALWAYS_ON, does not look at the parent
    with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT), tracer.start_as_current_span("connect"):
        pass

    assert names(exporter) == []


@pytest.mark.parametrize("path", [["/a"], 5, None])
def test_a_path_of_any_type_is_taken(made: Made, path: Any) -> None:
    tracer, exporter = made
    tracer.start_span("GET", kind=SpanKind.SERVER, attributes={"url.path": path}).end()

    assert names(exporter) == ["GET"]


def test_the_sampler_of_the_environment_decides_on_all_others() -> None:
    tracer, exporter = made_by(ALWAYS_OFF)
    tracer.start_span("GET", kind=SpanKind.SERVER).end()

    assert names(exporter) == []


def sent(made: Made, name: str = "SELECT", error: Exception | None = None, **attributes: str) -> ReadableSpan:
    tracer, exporter = made
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    try:
        with tracer.start_as_current_span(name, attributes=given):
            if error is not None:
                raise error
    except ValueError:
        pass
    return exporter.get_finished_spans()[-1]


def test_a_span_is_sent_without_statement_query_or_address_of_a_person(made: Made) -> None:
    span = sent(
        made,
        db__statement="SELECT 'secret'",
        db__query__text="SELECT 'secret'",
        url__query="token=secret",
        client__address="198.51.100.7",
        user_agent__original="somebody's",
        http__route="/orders/{order_id}",
        db__system="postgresql",
    )

    assert dict(span.attributes or {}) == {"http.route": "/orders/{order_id}", "db.system": "postgresql"}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://user:secret@host:80/a/b?token=secret#secret", "http://host:80/a/b"),
        ("/a/b?token=secret", "/a/b"),
        ("http://[broken", ""),
    ],
)
def test_an_address_is_sent_without_password_and_query(made: Made, address: str, kept: str) -> None:
    assert dict(sent(made, url__full=address, http__url=address).attributes or {}) == {
        "url.full": kept,
        "http.url": kept,
    }


def test_an_error_is_sent_with_its_type_and_without_its_text(made: Made) -> None:
    span = sent(made, error=ValueError("DETAIL: Key (name)=(secret) already exists."))

    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description is None
    assert [dict(event.attributes or {}) for event in span.events] == [
        {"exception.type": "ValueError", "exception.escaped": "False"}
    ]


@pytest.mark.parametrize(
    ("name", "kept"), [("SELECT'secret'", "SELECT"), ("CURSOR: SELECT", "CURSOR: SELECT"), ("'secret'", "statement")]
)
def test_the_name_of_a_statement_is_its_first_word(made: Made, name: str, kept: str) -> None:
    assert sent(made, name).name == kept


def of_redis(name: str, **attributes: Any) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Scrubbing(exporter)))
    tracer = provider.get_tracer("opentelemetry.instrumentation.redis")
    tracer.start_span(name, attributes={key.replace("__", "."): value for key, value in attributes.items()}).end()
    return exporter.get_finished_spans()[0]


@pytest.mark.parametrize(
    ("name", "pipeline", "kept"),
    [
        ("SET", False, "SET"),
        ("SET session:alice secret", False, "SET"),
        ("FT.SEARCH", False, "FT.SEARCH"),
        ("'secret'", False, "command"),
        ("SET secret GET", True, "pipeline"),
    ],
)
def test_the_name_of_a_command_is_the_command_alone(name: str, pipeline: bool, kept: str) -> None:
    assert of_redis(name, **({"db__redis__pipeline_length": 2} if pipeline else {})).name == kept


def test_what_a_search_found_is_not_sent() -> None:
    span = of_redis(
        "FT.SEARCH", redis__search__query="@email:{secret}", redis__search__xdoc_1="secret", db__system="redis"
    )

    assert dict(span.attributes or {}) == {"db.system": "redis"}


def test_a_link_is_sent_without_attributes() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Scrubbing(exporter)))
    tracer = provider.get_tracer("theirs")
    other = tracer.start_span("other").get_span_context()
    tracer.start_span("linked", links=[Link(other, {"db.statement": "SELECT 'secret'"})]).end()

    [link] = exporter.get_finished_spans()[0].links
    assert (link.context.span_id, dict(link.attributes or {})) == (other.span_id, {})


@pytest.mark.parametrize("name", [5, "\ud800", None])
def test_a_name_that_cannot_be_written_costs_no_other_span(name: Any) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Scrubbing(exporter)))
    provider.get_tracer("theirs").start_span(name).end()

    assert encode_spans(exporter.get_finished_spans()).ByteSize() > 0


class Sink(BaseHTTPRequestHandler):
    """Takes spans, and keeps the bytes."""

    taken: list[bytes] = []  # noqa: RUF012  # each test makes a subclass

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def sink() -> Iterator[tuple[str, list[bytes]]]:
    """An address that takes spans, and what came."""
    kind = type("Sink", (Sink,), {"taken": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", kind.taken  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def a_traced_service() -> dict[str, Any]:
    app = small_app()
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1?token=hidden", "/health", **{"User-Agent": "somebody"})
    telemetry.shutdown()
    return {"sampler": trace.get_tracer_provider().sampler.get_description()}  # type: ignore[attr-defined]


def test_init_sends_the_spans_of_requests_scrubbed_and_honours_the_sampler(sink: tuple[str, list[bytes]]) -> None:
    address, taken = sink
    traced = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": address}

    done = apart(a_traced_service, **traced, OTEL_TRACES_SAMPLER="always_off")
    assert done.answer["sampler"] == "Deliberate(AlwaysOffSampler)"
    assert taken == []

    apart(a_traced_service, **traced)
    body = b"".join(taken)
    assert b"/orders/{order_id}" in body
    assert b"hidden" not in body
    assert b"somebody" not in body
    assert b"health" not in body


@pytest.mark.parametrize("framework", ["fastapi", "older fastapi", "starlette"])
def test_a_request_makes_one_span_in_each_framework_also_without_metrics(
    sink: tuple[str, list[bytes]], framework: str
) -> None:
    address, taken = sink
    apart(
        an_application_of,
        framework,
        OTEL_METRICS_EXPORTER="none",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=address,
    )

    spans = [
        span
        for body in taken
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.kind == span.SPAN_KIND_SERVER
    ]
    assert [span.name for span in spans] == ["GET /orders/{order_id}"]


def an_application_of(framework: str) -> None:
    http.has_native_telemetry = lambda: framework == "fastapi"
    app: Any = small_app()
    if framework == "starlette":
        app = Starlette(routes=[Route("/orders/{order_id}", answer), Route("/health", answer)])
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1", "/health", "/metrics")
    telemetry.shutdown()


async def answer(_: Request) -> Response:
    return Response("")


def asking_by_keyword(postgres_url: str) -> list[Any]:
    telemetry.init("execution_gateway", small_app())

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(postgres_url)
        with telemetry.span("work"):
            await connection.executemany(command="SELECT $1::int", args=[(1,), (2,)])
            answers = [await connection.fetchval(query="SELECT 1"), await connection.execute(query="SELECT 2")]
        await connection.close()
        return answers

    return asyncio.run(ask())


def test_a_statement_may_be_given_by_its_keyword(servers: tuple[Server, Server], sink: tuple[str, list[bytes]]) -> None:
    address, taken = sink
    traced = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": address}

    assert apart(asking_by_keyword, servers[0].url, **traced).answer == [1, "SELECT 1"]
    assert b"opentelemetry.instrumentation.asyncpg" in b"".join(taken)


def a_provider_that_does_nothing() -> dict[str, str]:
    trace.set_tracer_provider(trace.NoOpTracerProvider())
    metrics.set_meter_provider(metrics.NoOpMeterProvider())
    telemetry.init("execution_gateway", small_app())
    return {}


def test_a_provider_that_does_nothing_is_not_taken_for_ours() -> None:
    done = apart(a_provider_that_does_nothing, OTEL_TRACES_EXPORTER="otlp")

    assert "traces: those of the TracerProvider that was there before" in done.log
    assert "metrics: ours, without those of opentelemetry.metrics.NoOpMeterProvider" in done.log
