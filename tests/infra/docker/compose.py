"""docker-compose.yml as the tests read it, anchors merged and nothing interpolated, and what runs natively."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

from infra.local.addresses import PORTS, Addresses
from infra.local.data_folder import DataFolder
from infra.local.processes import processes
from infra.local.replay_settings import ReplaySettings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

DATA = DataFolder(Path("/nowhere"))
ADDRESSES = Addresses(
    PORTS, "/nowhere/supervisor.sock", "postgresql://postgres@/trading?host=/nowhere", "unix:///nowhere"
)
# The viewer stands in for Grafana, which is in the containers and has its port there.
NOT_IN_CONTAINERS = {"viewer"}
NATIVE = {
    process.name: process
    for process in processes(ADDRESSES, DATA, ReplaySettings.from_environment({}).environment())
    if process.name not in NOT_IN_CONTAINERS
}


def command(name: str) -> list[str]:
    given = SERVICES[name].get("command", [])
    return shlex.split(given) if isinstance(given, str) else list(given)


def mounts(name: str) -> dict[str, str]:
    """Where each source is mounted: target by source."""
    found = {}
    for volume in SERVICES[name].get("volumes", []):
        source, target = volume.removesuffix(":ro").rsplit(":", 1)
        found[source] = target
    return found


def flags(arguments: list[str]) -> dict[str, str]:
    """The value of each --name=value; empty where there is none."""
    return {name: value for name, _, value in (argument.partition("=") for argument in arguments)}
