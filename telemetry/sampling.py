"""Which spans are made: those of requests and of the service's own work, and none of probes and polling."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from telemetry.spans import untraced


class Deliberate(Sampler):
    """Makes no span for a call of a database or another service that is part of no trace, nor for /health.

    Such a call is a probe, or the polling of a task in the background: a trace of one span that tells nothing, several
    a second. What is in a span that was not made is not made either. All others are decided by `sampler`, which is that
    of `OTEL_TRACES_SAMPLER`.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The decision on a span that begins now."""
        parent = trace.get_current_span(parent_context).get_span_context()
        alone = not parent.is_valid and kind in (SpanKind.CLIENT, SpanKind.PRODUCER)
        dropped = parent.is_valid and not parent.is_remote and not parent.trace_flags.sampled
        if alone or dropped or _path(attributes) in untraced:
            return SamplingResult(Decision.DROP)
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """What it is, for the SDK's own messages."""
        return f"Deliberate({self._sampler.get_description()})"


def _path(attributes: Attributes) -> str | None:
    """The path of a request, by the stable conventions or the older ones."""
    given = attributes or {}
    path = given.get("url.path", given.get("http.target"))
    return path.partition("?")[0] if isinstance(path, str) else None
