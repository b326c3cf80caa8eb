"""Sets up spans: off unless `OTEL_TRACES_EXPORTER` asks for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from telemetry import environment
from telemetry.extras import Missing, is_installed, load

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

logger = logging.getLogger(__name__)

INSTRUMENTORS = {"asyncpg": "AsyncPGInstrumentor", "httpx": "HTTPXClientInstrumentor", "redis": "RedisInstrumentor"}
"""What makes the spans of each package."""


def set_up(resource: Callable[[], Resource], close_at_exit: Callable[[Callable[[], None]], None]) -> str:
    """Sets the global TracerProvider, unless there is one. Returns what took effect, for the report at the start."""
    from opentelemetry import trace

    present = trace.get_tracer_provider()
    if not type(present).__module__.startswith("opentelemetry.trace"):
        return "those of the TracerProvider that was there before"
    chosen = environment.read("OTEL_TRACES_EXPORTER", "none")
    if chosen not in ("none", "otlp"):
        logger.warning("OTEL_TRACES_EXPORTER=%s: only otlp and none are supported; traces are off", chosen)
    if chosen != "otlp":
        return "none"
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from telemetry.sampling import Deliberate
    from telemetry.scrubbing import Scrubbing

    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    # The provider's own shutdown at exit has no time limit.
    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    provider.sampler = Deliberate(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(Scrubbing(exporter)))
    close_at_exit(provider.shutdown)
    trace.set_tracer_provider(provider)
    _instrument()
    return "otlp"


def _instrument() -> None:
    from opentelemetry.metrics import NoOpMeterProvider

    for package, instrumentor in INSTRUMENTORS.items():
        if is_installed(package) and environment.is_instrumented(package):
            try:
                spans = getattr(load(f"opentelemetry.instrumentation.{package}"), instrumentor)()
                spans.instrument(meter_provider=NoOpMeterProvider())  # the metrics are ours
            except Missing as missing:
                logger.warning("there are no spans of %s: %s", package, missing)
