"""Fixtures that keep the tests apart: declarations and counts of drops do not pass from one test to the next."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry import drops
from telemetry.catalogue import telemetry_dropped_total
from telemetry.drops import Reason
from telemetry.registry import declared, process
from tests.documents import ROOT

Drops = Callable[[str], dict[str, int]]


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forgets what the test declared, and which service the test was, after the test."""
    before = dict(declared)
    monkeypatch.setattr(drops, "_last_said", {})
    monkeypatch.setattr(process, "service", None)
    monkeypatch.setattr(process, "disabled", False)
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def dropped() -> Drops:
    """How many records of a metric were dropped since the test began, by reason."""
    before = telemetry_dropped_total.values()

    def count(metric: str) -> dict[str, int]:
        now = telemetry_dropped_total.values()
        counts = {
            reason.value: int(now.get((metric, reason.value), 0) - before.get((metric, reason.value), 0))
            for reason in Reason
        }
        return {reason: count for reason, count in counts.items() if count}

    return count


@pytest.fixture
def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that says which entry points the package has, as its installation does."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    folder = tmp_path_factory.mktemp("installed")
    metadata = folder / "ours-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 0.1\n")
    text = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in groups.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(text))
    return folder
