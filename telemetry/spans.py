"""Spans of a service's own, for work that no request began, or that another task does later.

Without traces (`OTEL_TRACES_EXPORTER`) they cost next to nothing, and no span is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import context, trace
from opentelemetry.trace import Link, SpanContext

untraced: set[str] = set()
"""Paths of requests that make no span, with the root path under which they come."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The place in a trace from which something was asked for. `cause` returns it, and `span` takes it.

    Example:

        asked: list[telemetry.Cause | None] = [telemetry.cause()]
        with telemetry.span("store orders", asked):
            pass
    """

    place: SpanContext


def cause() -> Cause | None:
    """The span in which the caller is, for work that another task does for it. None if there is none.

    Example:

        why = telemetry.cause()
        with telemetry.span("store order", [why]):
            pass
    """
    here = trace.get_current_span().get_span_context()
    return Cause(here) if here.is_valid else None


@contextmanager
def span(name: str, causes: Iterable[Cause | None] | None = None) -> Iterator[None]:
    """A span around a block. What the block calls is inside it.

    It is part of the present trace, or begins one. With `causes`, it is part of the trace of the first one, or of the
    first that is sampled, and has links to the others. If none of them is in a trace, no span is made. `name` says what
    is done, without any value. It must not be around a `yield` of an async generator, whose consumer would be in it.

    Example:

        with telemetry.span("read the book"):
            with telemetry.span("value it"):
                pass
    """
    if causes is None:
        with _tracer().start_as_current_span(name):
            yield
        return
    known = [one for one in causes if one is not None]
    known.sort(key=lambda one: not one.place.trace_flags.sampled)
    if not known:
        yield
        return
    parent = trace.set_span_in_context(trace.NonRecordingSpan(known[0].place), context.get_current())
    with _tracer().start_as_current_span(name, parent, links=[Link(other.place) for other in known[1:]]):
        yield


def _tracer() -> trace.Tracer:
    return trace.get_tracer("telemetry")
