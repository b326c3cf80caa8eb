"""Ports: free ones are free, and a taken one is said with who has it and what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from infra.failure import Failure
from infra.local import addresses
from infra.local.addresses import PORTS, Addresses


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_usual_ports_are_those_of_the_design() -> None:
    services = ("orchestrator", "execution_gateway", "signal_service", "market_data_service")
    assert [PORTS[name] for name in services] == [8001, 8002, 8003, 8004]
    assert [PORTS[name] for name in ("prometheus", "alertmanager", "pager")] == [9090, 9093, 9099]
    assert PORTS["viewer"] == 3000
    assert [PORTS[name] for name in ("collector", "otlp_grpc", "otlp_http")] == [8888, 4317, 4318]


def test_free_ports_are_free_and_all_different() -> None:
    ports = addresses.free_ports()

    assert ports.keys() == PORTS.keys()
    assert len(set(ports.values())) == len(PORTS)
    assert not any(addresses.taken(port) for port in ports.values())


def test_a_taken_port_is_refused_with_its_process_and_the_way_out(listener: int) -> None:
    with pytest.raises(Failure) as refused:
        addresses.check_free({"prometheus": listener})

    sentence = str(refused.value)
    assert sentence.startswith(f"Port {listener}, which prometheus needs, is taken by process {os.getpid()} (")
    assert "make up ARGS=--free-ports" in sentence
    assert sentence.endswith("Nothing was started.")


def test_every_taken_port_is_named_at_once(listener: int) -> None:
    with pytest.raises(Failure) as refused:
        addresses.check_free({"prometheus": listener, "pager": listener})

    assert "which prometheus needs" in str(refused.value)
    assert "which pager needs" in str(refused.value)


def test_a_port_without_a_known_owner_is_said_to_be_another_users() -> None:
    assert addresses.taken_sentence("pager", 9099, None) == (
        "Port 9099, which pager needs, is taken by a process of another user."
    )


def test_addresses_json_has_a_url_for_every_listener_and_the_sockets() -> None:
    written = Addresses(PORTS, "/run/s.sock", "postgresql://x", "unix:///r").as_json()

    assert written["execution_gateway"] == "http://127.0.0.1:8002"
    assert written["supervisor"] == "/run/s.sock"
    assert written["database_url"] == "postgresql://x"
    assert written["redis_url"] == "unix:///r"
