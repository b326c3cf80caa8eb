"""Sets up spans: off unless `OTEL_TRACES_EXPORTER` asks for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from telemetry import environment
from telemetry.extras import is_installed, load

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

logger = logging.getLogger(__name__)


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

    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    # The provider's own shutdown at exit has no time limit.
    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    close_at_exit(provider.shutdown)
    trace.set_tracer_provider(provider)
    if is_installed("redis"):
        load("opentelemetry.instrumentation.redis").RedisInstrumentor().instrument()
    if is_installed("asyncpg"):
        load("opentelemetry.instrumentation.asyncpg").AsyncPGInstrumentor().instrument()
    return "otlp"
