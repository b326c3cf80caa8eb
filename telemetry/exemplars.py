"""Exemplars: in which trace the last amount of a series was recorded, for each bucket of a histogram.

They are shown in OpenMetrics and sent over OTLP, of counters and histograms alone. While no spans are made, a record
does not ask for them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context

from telemetry.amounts import number
from telemetry.environment import read

logger = logging.getLogger(__name__)


class Exemplar(NamedTuple):
    """One amount, the span in which it was recorded, and when, in seconds since 1970."""

    amount: int | float
    trace_id: int
    span_id: int
    moment: float

    def text(self) -> str:
        """What is written behind the number of a series in OpenMetrics."""
        span = f'trace_id="{trace.format_trace_id(self.trace_id)}",span_id="{trace.format_span_id(self.span_id)}"'
        return f" # {{{span}}} {self.amount!r} {self.moment:.3f}"


Exemplars = Mapping[int, Exemplar]
"""Those of one series, by the bucket, which is 0 for a counter."""

Record = Callable[..., None]
Note = Callable[[int | float, Any, Exemplar], None]
"""Takes the amount, the attributes and the exemplar."""

tracing: list[bool] = []
"""Empty while no spans are made. A list, so that a record need not ask anybody."""


def look() -> bool:
    """Looks whether spans are made by now. Returns whether that has changed."""
    try:
        none = isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)
    except Exception:  # the API loads what OTEL_PYTHON_TRACER_PROVIDER names, and says what is wrong
        none = True
    now = [] if none or read("OTEL_METRICS_EXEMPLAR_FILTER").lower() == "always_off" else [True]
    changed = now != tracing
    tracing[:] = now
    return changed


def noting(record: Record, note: Note) -> Record:
    """`record`, and then the exemplar, if there is a span that is sampled.

    What `note` raises is no concern of the caller.
    """

    def recorded(amount: Any, attributes: Any = None, context: Context | None = None) -> None:
        record(amount, attributes, context)
        if not tracing:
            return
        try:
            place = trace.get_current_span(context).get_span_context()
            if place.trace_flags.sampled and _is_one(place.trace_id, 128) and _is_one(place.span_id, 64):
                value = number(amount)
                if value >= 0:
                    note(value, attributes, Exemplar(value, place.trace_id, place.span_id, time.time()))
        except Exception:  # noqa: S110 - the record has said what is wrong
            pass

    return recorded


def _is_one(number: object, bits: int) -> bool:
    """Whether it is the number of a trace or a span. Any other would make everything that is sent fail."""
    return type(number) is int and 0 < number < 2**bits


def latest(some: Exemplars, others: Exemplars) -> Exemplars:
    """Of two series that are one, the exemplar of each bucket that was recorded last."""
    return {
        bucket: max((each[bucket] for each in (some, others) if bucket in each), key=lambda exemplar: exemplar.moment)
        for bucket in {**some, **others}
    }


def with_exemplars(text: str, series: Sequence[Exemplars]) -> str:
    """The lines of some series with their exemplars. Each series has equally many, those of its buckets first."""
    lines = text.split("\n")
    lines_each = text.count("\n") // len(series)
    for at, exemplars in enumerate(series):
        for bucket, exemplar in exemplars.items():
            lines[at * lines_each + bucket] += exemplar.text()
    return "\n".join(lines)
