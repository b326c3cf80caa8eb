"""Runs a function in a new process, because the providers of OpenTelemetry are global and can be set only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """The answer of the function, the log of the process, and how long the process took to exit after the answer."""

    answer: Any
    log: str
    exit_seconds: float


def apart(function: Callable[..., Any], *arguments: str, **environment: str) -> Done:
    """Calls a function of a module in a new process with this environment. Its answer must be possible in JSON."""
    code = (
        "import json, logging, sys, time\n"
        "logging.basicConfig(level=logging.INFO, format='%(levelname)s %(name)s %(message)s')\n"
        f"from {function.__module__} import {function.__name__} as function\n"
        "answer = function(*sys.argv[1:])\n"
        "print(json.dumps([answer, time.time()]))\n"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    ended = time.time()
    assert done.returncode == 0, done.stderr
    answer, answered_at = json.loads(done.stdout.splitlines()[-1])
    return Done(answer, done.stderr, ended - answered_at)
