"""The answer to a request for /metrics: in the format, the compression and the selection that were asked for."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

QUICK = 1
"""The level of compression: nine tenths of what the best one saves, in a fifth of the time."""

_PLAIN = "text/plain; version=0.0.4; charset=utf-8"
_VERSIONS = {
    "application/openmetrics-text": ("0.0.1", "1.0.0"),
    "text/plain": ("0.0.4", "1.0.0"),
    "text/*": ("0.0.4",),
    "*/*": ("0.0.4",),
}
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


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
    """Answers a request: in OpenMetrics if it prefers that, else in the text format, compressed if it takes gzip.

    An empty name asks for nothing. What cannot be understood in a header is as if it were not there.
    """
    openmetrics, content_type = _format(asked.accept)
    body = render(openmetrics=openmetrics, names=[name for name in asked.names if name])
    headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
    if _takes_gzip(asked.encoding):
        return Answer(gzip.compress(body, QUICK, mtime=0), {**headers, "content-encoding": "gzip"})
    return Answer(body, headers)


class _Choice(NamedTuple):
    """One of what a header lists."""

    what: str
    parameters: dict[str, str]
    quality: float


def _choices(header: str) -> Iterator[_Choice]:
    for part in header.split(","):
        what, *given = part.split(";")
        pairs = [one.partition("=") for one in given]
        parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        quality = parameters.get("q", "1")
        yield _Choice(what.strip().lower(), parameters, float(quality) if _QUALITY.fullmatch(quality) else 0)


def _format(accept: str) -> tuple[bool, str]:
    """Whether it is OpenMetrics, and the type of the content. The first of those that are liked best is taken."""
    best, chosen = 0.0, (False, _PLAIN)
    for what, parameters, quality in _choices(accept):
        openmetrics = what == "application/openmetrics-text"
        version = parameters.get("version", "1.0.0" if openmetrics else "0.0.4")
        if quality <= best or version not in _VERSIONS.get(what, ()):
            continue
        content_type = _PLAIN if version == "0.0.4" else f"{what}; version={version}; charset=utf-8"
        if version == "1.0.0":
            # The names that are written are right with either.
            escaping = "allow-utf-8" if parameters.get("escaping") == "allow-utf-8" else "underscores"
            content_type += f"; escaping={escaping}"
        best, chosen = quality, (openmetrics, content_type)
    return chosen


def _takes_gzip(encoding: str) -> bool:
    liked = {"gzip" if what == "x-gzip" else what: quality for what, _, quality in _choices(encoding)}
    gzipped = liked.get("gzip", liked.get("*", 0.0))
    return gzipped > 0 and gzipped >= liked.get("identity", 0.0)
