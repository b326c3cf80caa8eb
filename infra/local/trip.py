"""Trips the circuit breaker of the running platform without the gateway, which may hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from infra.failure import Failure
from infra.local.data_folder import DataFolder


def trip(data: DataFolder, reason: str, by: str) -> int:
    """Runs the gateway's own command with the address of the running PostgreSQL. Returns its exit code."""
    try:
        addresses = json.loads((data.run / "addresses.json").read_text())
    except FileNotFoundError:
        raise Failure(f"Nothing runs in {data.run.parent}, or nothing ever did: there is nothing to trip.") from None
    command = [sys.executable, "-m", "apps.execution_gateway", "trip", "--reason", reason, "--by", by]
    return subprocess.run(
        command, env={**os.environ, "DATABASE_URL": addresses["database_url"]}, check=False
    ).returncode
