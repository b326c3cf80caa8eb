"""Importing a service opens no socket and no file, and modules without input and output do not load FastAPI."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVICES = ("execution_gateway", "signal_service", "orchestrator", "market_data_service")
PURE = (
    "apps.vocabulary",
    "apps.execution_gateway.book",
    "apps.execution_gateway.commands",
    "apps.execution_gateway.draft",
    "apps.execution_gateway.errors",
    "apps.execution_gateway.events",
    "apps.execution_gateway.execution",
    "apps.execution_gateway.models",
    "apps.execution_gateway.risk",
    "apps.execution_gateway.valuation",
    "apps.market_data_service.closes",
    "apps.market_data_service.replay",
    "apps.orchestrator.allocation",
    "apps.paper_venue.matching",
    "apps.paper_venue.settings",
    "apps.signal_service.strategies",
)

SAID = """
import sys, threading

said = []
sys.addaudithook(
    lambda event, arguments: said.append((event, arguments[0]))
    if event.startswith(("socket.", "subprocess.")) or (event == "open" and ours(arguments[0]))
    else None
)

def ours(path):
    return str(path).endswith((".csv", ".yml", ".md", ".env"))

import {module}
print(said, threading.active_count())
"""


def python(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pure_modules_load_no_fastapi() -> None:
    loaded = python(f"import sys, {', '.join(PURE)}; print(sorted({{'fastapi', 'starlette'}} & sys.modules.keys()))")

    assert loaded == "[]"


@pytest.mark.parametrize("service", SERVICES)
def test_importing_a_service_opens_no_socket_and_none_of_our_files_and_reads_no_setting(
    service: str,
) -> None:
    said = python(SAID.format(module=f"apps.{service}.main"), DATABASE_URL="garbage", REPLAY_FILE="nowhere.csv")

    assert said == "[] 1"
