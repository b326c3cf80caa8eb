"""One order is one trace: from the orchestrator through the gateway to PostgreSQL, at the output of the collector."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.documents import ROOT
from tests.stack import Stack
from tests.telemetry.pipeline import pipeline_running
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Span:
    """One span as the collector sent it."""

    service: str
    name: str
    kind: int
    trace: bytes
    id: bytes
    parent: bytes
    attributes: dict[str, Any] = field(compare=False)
    events: list[dict[str, Any]] = field(compare=False)


CLIENT = 3


class Backend:
    """Stands in for a backend such as Jaeger: keeps the spans that the collector sends."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        service,
                        span.name,
                        span.kind,
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                        _values(span.attributes),
                        [_values(event.attributes) for event in span.events],
                    )
                    for span in scope.spans
                ]

    def children(self, parent: Span) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == parent.trace and span.parent == parent.id]

    def below(self, top: Span) -> list[Span]:
        """Every span of which it is the origin."""
        return [each for child in self.children(top) for each in (child, *self.below(child))]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def backend_running() -> Iterator[tuple[Backend, str]]:
    backend = Backend()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            backend.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield backend, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Traced:
    """What a platform with traces sent while it placed its first orders."""

    backend: Backend
    submissions: list[Span]


def accepted(below: list[Span]) -> bool:
    """Whether the gateway has taken this order, and everything of it has been traced."""
    answers = {span.attributes.get("http.response.status_code") for span in below}
    return 201 in answers and "store commands" in {span.name for span in below}


@pytest.fixture(scope="module")
def traced() -> Iterator[Traced]:
    with backend_running() as (backend, address):
        settings = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "TRACES_EXPORTER": "otlp_http/traces",
            "TRACES_OTLP_ENDPOINT": address,
        }

        def stored() -> list[Span]:
            ours = [span for span in list(backend.spans) if span.name == "submit order"]
            return [span for span in ours if accepted(backend.below(span))]

        with Stack(settings):
            wait_until(lambda: len(stored()) >= 5, 90, "the first orders have been traced", every=0.5)
            submissions = stored()
        yield Traced(backend, submissions)


def test_one_order_is_one_trace_from_the_orchestrator_through_the_gateway_to_postgresql(traced: Traced) -> None:
    order = traced.submissions[0]
    [call] = traced.backend.children(order)
    [request] = traced.backend.children(call)
    below = traced.backend.below(request)
    [store] = [span for span in below if span.name == "store commands"]
    statements = traced.backend.children(store)

    assert (order.service, order.parent) == ("orchestrator", b"")
    assert (call.service, call.name, call.kind) == ("orchestrator", "POST", CLIENT)
    assert (request.service, request.name) == ("execution-gateway", "POST /api/v1/orders")
    assert request.attributes["http.response.status_code"] == 201
    assert {span.service for span in below} == {"execution-gateway"}
    assert {"BEGIN", "UPDATE", "WITH", "COMMIT"} <= {span.name for span in statements}
    assert {span.attributes.get("db.system") for span in statements} == {"postgresql"}


def test_probes_and_polling_make_no_spans(traced: Traced) -> None:
    spans = traced.backend.spans

    assert [span for span in spans if span.kind == CLIENT and not span.parent] == []
    assert [span for span in spans if span.attributes.get("url.path") in ("/health", "/metrics")] == []


def test_only_the_attributes_of_the_list_leave_the_collector(traced: Traced) -> None:
    sent = {name for span in traced.backend.spans for name in span.attributes}

    assert sent <= ALLOWED
    assert {name for span in traced.backend.spans for event in span.events for name in event} <= {"exception.type"}
    assert not sent & {"db.statement", "url.query", "client.address"}


def _statements(context: str) -> list[str]:
    configuration = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text())
    blocks = configuration["processors"]["transform/scrub"]["trace_statements"]
    [statements] = [block["statements"] for block in blocks if block["context"] == context]
    return list(statements)


[_KEEP] = [statement for statement in _statements("span") if statement.startswith("keep_keys")]
ALLOWED = set(yaml.safe_load(_KEEP[_KEEP.index("[") : _KEEP.index("]") + 1]))


def test_what_an_instrumentation_of_tomorrow_quotes_does_not_leave_the_collector() -> None:
    def secret(name: str) -> KeyValue:
        return KeyValue(key=name, value=AnyValue(string_value="hidden"))

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend([secret("process.command_args"), secret("service.instance.id")])
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="somebody")))
    scope = resource.scope_spans.add()
    scope.scope.attributes.append(secret("tomorrow"))
    span = scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="work", trace_state="client=hidden")
    span.attributes.extend([secret("db.query.text"), KeyValue(key="http.route", value=AnyValue(string_value="/a"))])
    span.events.add(name="exception").attributes.extend([secret("exception.message"), secret("exception.stacktrace")])
    span.status.message = "hidden"

    with (
        backend_running() as (backend, address),
        pipeline_running(TRACES_EXPORTER="otlp_http/traces", TRACES_OTLP_ENDPOINT=address) as pipeline,
    ):
        headers = {"Content-Type": "application/x-protobuf"}
        answer = httpx.post(f"{pipeline.otlp}/v1/traces", content=request.SerializeToString(), headers=headers)
        assert answer.status_code == 200
        wait_until(lambda: backend.bodies, 20, "the span arrives")

    [body] = backend.bodies
    assert body.count(b"hidden") == 1  # the id of the instance
    assert [(one.service, one.name, one.attributes) for one in backend.spans] == [
        ("somebody", "work", {"http.route": "/a"})
    ]


def test_traces_are_lost_before_metrics_are() -> None:
    """Without its backend, a longer queue of traces would fill the memory, and then metrics are refused, too."""
    exporter = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text())["exporters"]["otlp_http/traces"]

    assert exporter["sending_queue"]["queue_size"] <= 100
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "60s"
