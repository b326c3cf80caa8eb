"""/metrics on a port of its own, for a process without an application."""

from __future__ import annotations

import os
import socket
import struct

import httpx

import telemetry
from telemetry import Gauge
from tests.telemetry.apart import apart
from tests.telemetry.labels import BySymbol


def a_port_whose_clients_leave(port: str) -> int:
    telemetry.init("execution_gateway")
    large = Gauge("large", "Enough series that an answer does not fit into the buffer of a connection.", BySymbol)
    large.replace({f"{number:05d}" + "x" * 2000: 1 for number in range(100)})
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", int(port)))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no orderly end
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        client.recv(10)
        client.close()
    return httpx.get(f"http://127.0.0.1:{os.environ['OTEL_EXPORTER_PROMETHEUS_PORT']}/metrics").status_code


def test_a_client_that_leaves_in_the_middle_of_an_answer_is_no_error(free_port: str) -> None:
    done = apart(
        a_port_whose_clients_leave,
        free_port,
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=free_port,
    )

    assert done.answer == 200
    assert "Traceback" not in done.log
    assert "ERROR" not in done.log
