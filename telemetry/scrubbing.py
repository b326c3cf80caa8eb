"""What of a span is sent: no statement, no value of a query, nobody's address, and no text of an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from telemetry.sending import Sending

SECRET = frozenset({
    "client.address", "client.port", "db.query.text", "db.statement", "db.statement.parameters", "db.user",
    "enduser.id", "exception.message", "exception.stacktrace", "http.client_ip", "http.user_agent", "net.peer.ip",
    "net.sock.peer.addr", "network.peer.address", "network.peer.port", "url.query", "user_agent.original",
})  # fmt: skip
"""Attributes of the instrumentations that may quote a secret or tell who somebody is."""
SECRET_PREFIXES = ("redis.create_index.", "redis.search.")
"""How the names of such attributes begin."""
ADDRESSES = frozenset({"http.target", "http.url", "url.full"})
"""Attributes that are sent without what may be a password or a value."""

_OPERATION = re.compile(r"(CURSOR: )?[A-Za-z]*")
_COMMAND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}")


class Scrubbing(SpanExporter):
    """Sends spans through another exporter, without what may be secret or personal."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._sending = Sending("spans", exporter)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends them."""
        result = self._exporter.export([scrubbed(span) for span in spans])
        self._sending.ended(well=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Ends the other exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Sends what the other exporter holds."""
        return self._exporter.force_flush(timeout_millis)


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """A copy of the span without what may be secret or personal. The type of an error stays, its text goes."""
    return ReadableSpan(
        name=_name(span),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_kept(span.attributes),
        events=[Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events],
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _name(span: ReadableSpan) -> str:
    """The name, without what a caller may have put into it: a statement, or a command with its key and its value."""
    scope = span.instrumentation_scope.name if span.instrumentation_scope is not None else ""
    name = str(span.name).encode("utf-8", "replace").decode()  # one that cannot be written costs a whole batch
    if scope == "opentelemetry.instrumentation.asyncpg":
        return _found(_OPERATION, name) or "statement"
    if scope == "opentelemetry.instrumentation.redis":
        several = "db.redis.pipeline_length" in (span.attributes or {})
        return "pipeline" if several else _found(_COMMAND, name) or "command"
    return name


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[0] if found else ""


def _kept(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    pairs: Iterable[tuple[str, Any]] = (attributes or {}).items()
    return {
        name: _without_values(value) if name in ADDRESSES else value
        for name, value in pairs
        if name not in SECRET and not name.startswith(SECRET_PREFIXES)
    }


def _without_values(address: object) -> str:
    """An address without user, password, query and fragment. Empty if it cannot be read."""
    try:
        parts = urlsplit(str(address))
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
