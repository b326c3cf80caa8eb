"""The answer to a request for /metrics: in the format, the compression and the selection that were asked for."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import NamedTuple, Protocol

QUICK = 1
"""The level of compression: nine tenths of what the best one saves, in a fifth of the time."""


class Render(Protocol):
    """Writes the metrics with these names, or all."""

    def __call__(self, *, openmetrics: bool, names: Sequence[str]) -> bytes: ...


class Asked(NamedTuple):
    """What a request says: its headers `Accept` and `Accept-Encoding`, and each `name[]` of its query."""

    accept: str = ""
    encoding: str = ""
    names: Sequence[str] = ()


class Answer(NamedTuple):
    """The body, and the headers that belong to it."""

    body: bytes
    headers: dict[str, str]


def answer(render: Render, asked: Asked) -> Answer:
    """Answers a request: in OpenMetrics if it prefers that, else in the text format, compressed if it takes gzip."""
    from prometheus_client.exposition import choose_encoder, gzip_accepted  # only here: `import telemetry` is light

    _, content_type = choose_encoder(asked.accept)
    openmetrics = content_type.startswith("application/openmetrics-text")
    body = render(openmetrics=openmetrics, names=asked.names)
    headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
    if gzip_accepted(asked.encoding):
        return Answer(gzip.compress(body, QUICK, mtime=0), {**headers, "content-encoding": "gzip"})
    return Answer(body, headers)
