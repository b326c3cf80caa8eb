"""A service that is stopped sends its last spans, and does not wait long for a dead collector."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import httpx

from tests.services import Service, running
from tests.telemetry.test_databases import Receiver


def stop(service: Service) -> float:
    """Stops the service. Returns how long that took, in seconds."""
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(10)
    return time.monotonic() - began


def test_the_last_spans_are_sent_and_none_is_of_a_probe(database_url: str, redis_url: str, tmp_path: Path) -> None:
    receiver = Receiver()
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OTEL_TRACES_EXPORTER": "otlp"}
    with receiver.listening() as address:
        settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with running("signal_service", tmp_path, settings) as service:
            httpx.get(f"{service.url}/api/v1/targets")
            assert receiver.spans == []
            stop(service)

    assert ("signal-service", "fastapi", "GET /api/v1/targets") in receiver.spans
    assert {scope for _, scope, _ in receiver.spans} == {"fastapi"}  # what duties and probes ask has no span


def test_a_dead_collector_does_not_delay_the_stop(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OTEL_TRACES_EXPORTER": "otlp"}
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with running("signal_service", tmp_path, settings) as service:
            httpx.get(f"{service.url}/api/v1/targets")
            assert stop(service) < 4
            assert "spans were left unsent after 2000 ms" in service.log.read_text()
