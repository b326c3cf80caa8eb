"""Runs a function in a process of its own: the providers of OpenTelemetry are global and can be set only once."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.telemetry import nursery

SECONDS = 30


@dataclass(frozen=True)
class Done:
    """The answer of the function, the log of the process, and how long the process took to exit after the answer."""

    answer: Any
    log: str
    exit_seconds: float


def apart(function: Callable[..., Any], *arguments: str, **environment: str) -> Done:
    """Calls a function of a module in a process with this environment. Its answer must be possible in JSON."""
    assert not environment.keys() & set(nursery.TOO_LATE), "these are read before the process of a test begins"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with tempfile.NamedTemporaryFile("r") as output, tempfile.NamedTemporaryFile("r") as log:
        request = {
            "module": function.__module__,
            "function": function.__name__,
            "arguments": arguments,
            "environment": {**inherited, **environment},
            "stdout": output.name,
            "stderr": log.name,
        }
        code, ended = _run(json.dumps(request))
        said = log.read()
        assert code == 0, said
        answer, answered_at = json.loads(output.read().splitlines()[-1])
    return Done(answer, said, ended - answered_at)


@cache
def _nursery() -> subprocess.Popen[bytes]:
    """Starts it once in a test run. It ends with its stdin, and so with the process of the tests."""
    return subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-m", nursery.__name__],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )


def _run(request: str) -> tuple[int, float]:
    requests, answers = _nursery().stdin, _nursery().stdout
    assert requests
    assert answers
    requests.write(request.encode() + b"\n")
    child = int(answers.readline())
    if not select.select([answers], [], [], SECONDS)[0]:
        os.kill(child, signal.SIGKILL)
        answers.readline()
        raise TimeoutError(f"{request} has not ended after {SECONDS} s")
    code, ended = json.loads(answers.readline())
    return code, ended
