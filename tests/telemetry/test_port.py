"""/metrics on a port of its own, for a process without an application."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import httpx
import pytest

import telemetry
from apps.catalogue import orders_total
from telemetry import Gauge
from tests.telemetry.apart import apart
from tests.telemetry.labels import BySymbol
from tests.telemetry.service import ORDER, get, small_app, spans_for_nobody, values
from tests.telemetry.test_exposition import parsed


def a_process_without_an_application(port: str) -> dict[str, Any]:
    telemetry.init("execution_gateway")
    orders_total.add(2, ORDER)
    app = small_app()
    get(app, "/orders/1")
    address = f"http://127.0.0.1:{port}"
    return {
        "text": httpx.get(f"{address}/metrics?x=1").text,
        "type": httpx.get(f"{address}/metrics").headers["content-type"],
        "elsewhere": httpx.get(f"{address}/").status_code,
    }


def test_without_an_application_metrics_have_their_own_port(free_port: str) -> None:
    port = free_port

    done = apart(
        a_process_without_an_application,
        port,
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=port,
    )

    series = parsed(done.answer["text"].encode())
    assert values(series, "orders_total", **ORDER) == [2]
    assert values(series, "http_server_request_duration_seconds_count", http_route="/orders/{order_id}") == [1]
    assert done.answer["type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert done.answer["elsewhere"] == 404


def raw(host: str, port: str, request: bytes) -> str:
    """The first line of the answer."""
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline().decode().strip()


def a_scrape_of_a_port_of_its_own(host: str, port: str) -> dict[str, Any]:
    telemetry.init("execution_gateway")
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    head = httpx.head(f"{address}/metrics")
    return {
        "head": [head.status_code, head.text, int(head.headers["content-length"]) > 1000],
        "get": httpx.get(f"{address}/metrics").status_code,
        "no address": raw(host, port, b"GET http://[ HTTP/1.0\r\n\r\n"),
        "an empty name": len(httpx.get(f"{address}/metrics?name[]=").text) > 1000,
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_of_its_own_answers_head_and_takes_an_address_of_ipv6(host: str, free_port: str) -> None:
    done = apart(
        a_scrape_of_a_port_of_its_own,
        host,
        free_port,
        OTEL_EXPORTER_PROMETHEUS_HOST=host,
        OTEL_EXPORTER_PROMETHEUS_PORT=free_port,
    )

    assert done.answer == {
        "head": [200, "", True],
        "get": 200,
        "no address": "HTTP/1.0 400 Bad Request",
        "an empty name": True,
    }


@pytest.mark.parametrize("port", ["http", "-1", "70000"])
def test_a_wrong_port_is_a_sentence(port: str) -> None:
    done = apart(spans_for_nobody, OTEL_EXPORTER_PROMETHEUS_PORT=port)

    assert "ERROR telemetry.port there is no /metrics: OTEL_EXPORTER_PROMETHEUS_HOST=localhost and " in done.log
    assert f"OTEL_EXPORTER_PROMETHEUS_PORT={port} cannot be used" in done.log
    assert "Traceback" not in done.log


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
