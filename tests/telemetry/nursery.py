"""A process that has loaded the large packages once, and forks a child for each function that `apart` calls.

Loading them takes more than a second, and a hundred tests need a process of their own. `telemetry` is not among them,
nor are the instrumentations, which read the environment while they are loaded: a child loads these itself.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from typing import Any

LOADED = (
    "asyncpg",
    "fastapi",
    "httpx",
    "hypothesis",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.trace.export",
    "prometheus_client.parser",
    "pytest",
    "redis.asyncio",
    "requests",
    "uvicorn",
)
LATER = ("telemetry", "apps", "opentelemetry.instrumentation")
# What the packages above read while they are loaded: for these a child would come too late.
TOO_LATE = ("OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT")


def wait_for_requests() -> dict[str, Any] | None:
    """Forks a child for each line of stdin. Returns the request in the child, and None in the parent at the end.

    The answers are lines too: the process id of the child, then its exit code and when it ended.
    """
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            return request
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), time.time()]), flush=True)
    return None


def answer(request: dict[str, Any]) -> None:
    """Calls the function as a new process would: in its environment, and with files of its own."""
    os.environ.clear()
    os.environ.update(request["environment"])
    for descriptor, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
        file = os.open(name, os.O_RDWR)
        os.dup2(file, descriptor)
        os.close(file)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    function = getattr(importlib.import_module(request["module"]), request["function"])
    print(json.dumps([function(*request["arguments"]), time.time()]))


if __name__ == "__main__":
    for package in LOADED:
        importlib.import_module(package)
    if early := [module for module in LATER if module in sys.modules]:
        raise SystemExit(f"{early} read the environment while they are loaded, and something loaded them before a test")
    if requested := wait_for_requests():
        answer(requested)
