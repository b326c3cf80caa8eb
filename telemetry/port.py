"""Serves /metrics on a port of its own, for a process without an application."""

from __future__ import annotations

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from telemetry import environment
from telemetry.answers import Asked, Render, answer

logger = logging.getLogger(__name__)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says it in a line, not in a traceback: a client that leaves is no error."""
        logger.debug("a request for /metrics was not answered", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _asked(path: str) -> tuple[int, list[str]]:
    """The status of the answer to a request, and each `name[]` of it."""
    try:
        address = urlsplit(path)
    except ValueError:  # such as "http://["
        return 400, []
    return 200 if address.path == "/metrics" else 404, parse_qs(address.query).get("name[]", [])


def serve_metrics_alone(render: Render) -> None:
    """Serves /metrics on `OTEL_EXPORTER_PROMETHEUS_HOST` (localhost) and `_PORT` (9464), in a daemon thread.

    Logs a sentence if the port is wrong or taken: then there are no metrics.
    """

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            body, headers = b"metrics are at /metrics\n", {"content-type": "text/plain; charset=utf-8"}
            status, names = _asked(self.path)
            if status == 200:
                accept, encoding = self.headers.get("accept", ""), self.headers.get("accept-encoding", "")
                body, headers = answer(render, Asked(accept, encoding, names))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Logs nothing: a log line for each scrape would hide the other lines."""

    host = environment.read("OTEL_EXPORTER_PROMETHEUS_HOST", "localhost").strip("[]")
    given = environment.read("OTEL_EXPORTER_PROMETHEUS_PORT", "9464")
    try:
        server = (_Server6 if ":" in host else _Server)((host, int(given)), Metrics)
    except (OSError, OverflowError, ValueError) as error:
        logger.error(
            "there is no /metrics: OTEL_EXPORTER_PROMETHEUS_HOST=%s and OTEL_EXPORTER_PROMETHEUS_PORT=%s cannot be "
            "used (%s); choose another port",
            host,
            given,
            error,
        )
        return
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
