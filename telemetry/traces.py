"""Sets up spans: off unless `OTEL_TRACES_EXPORTER` asks for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
    if not isinstance(present, trace.ProxyTracerProvider):  # the API's own, until somebody sets another
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
                module = load(f"opentelemetry.instrumentation.{package}")
                kind = getattr(module, instrumentor)
                spans = _taking_keywords(kind)() if package == "asyncpg" else kind()
                spans.instrument(meter_provider=NoOpMeterProvider())  # the metrics are ours
            except Missing as missing:
                logger.warning("there are no spans of %s: %s", package, missing)
            except Exception:
                logger.exception("there are no spans of %s", package)


def _taking_keywords(instrumentor: Any) -> Any:
    """asyncpg's instrumentation raises IndexError in the caller for `fetch(query="SELECT 1")`: it must be the first."""

    class TakingKeywords(instrumentor):  # type: ignore[misc]
        async def _do_execute(self, func: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            first = next((name for name in ("query", "command") if not args and name in kwargs), None)
            if first is not None:
                args, kwargs = (kwargs[first],), {name: value for name, value in kwargs.items() if name != first}
            return await super()._do_execute(func, instance, args, kwargs)

    return TakingKeywords
