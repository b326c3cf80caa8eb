"""Which process listens on which port: the usual ports, free ports for tests, and ports that are already in use."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from infra.failure import Failure

HOST = "127.0.0.1"
PORTS: Mapping[str, int] = {
    "viewer": 3000,
    "orchestrator": 8001,
    "execution_gateway": 8002,
    "signal_service": 8003,
    "market_data_service": 8004,
    "collector": 8888,
    "collector_health": 13133,
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "prometheus": 9090,
    "alertmanager": 9093,
    "pager": 9099,
}
# Below the range that systems use for outgoing connections: such a connection could take a port that was just chosen.
_FREE_FROM, _FREE_TO = 15000, 32000


@dataclass(frozen=True)
class Addresses:
    """The port of every process that listens, and the addresses of the sockets."""

    ports: Mapping[str, int]
    supervisor: str
    database_url: str
    redis_url: str

    def target(self, name: str) -> str:
        return f"{HOST}:{self.ports[name]}"

    def url(self, name: str) -> str:
        return f"http://{self.target(name)}"

    def as_json(self) -> dict[str, str]:
        sockets = {"supervisor": self.supervisor, "database_url": self.database_url, "redis_url": self.redis_url}
        return {name: self.url(name) for name in self.ports} | sockets


def free_ports() -> dict[str, int]:
    chosen: list[int] = []
    while len(chosen) < len(PORTS):
        port = _FREE_FROM + secrets.randbelow(_FREE_TO - _FREE_FROM)
        if port not in chosen and not taken(port):
            chosen.append(port)
    return dict(zip(PORTS, chosen, strict=True))


def taken(port: int) -> bool:
    """Whether somebody listens there. Binding alone does not tell: macOS allows it beside one on all addresses."""
    with socket.socket() as client:
        client.settimeout(1)
        if client.connect_ex((HOST, port)) == 0:
            return True
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return True
    return False


def check_free(ports: Mapping[str, int]) -> None:
    sentences = [taken_sentence(name, port, holder(port)) for name, port in ports.items() if taken(port)]
    if sentences:
        way_out = "Stop what has it, or take free ports instead: make up ARGS=--free-ports. Nothing was started."
        raise Failure("\n".join([*sentences, way_out]))


def taken_sentence(name: str, port: int, held_by: str | None) -> str:
    return f"Port {port}, which {name} needs, is taken by {held_by or 'a process of another user'}."


def holder(port: int) -> str | None:
    """The process that listens on the port. None when this user may not know it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return _holder_among_own(port)
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            return _described(connection.pid)
    return None


def _holder_among_own(port: int) -> str | None:
    for process in psutil.process_iter():
        try:
            listening = [c for c in process.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN]
        except psutil.Error:
            continue
        if any(connection.laddr and connection.laddr.port == port for connection in listening):
            return _described(process.pid)
    return None


def _described(pid: int) -> str:
    try:
        return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.NoSuchProcess:
        return f"process {pid}"
