"""The whole platform for a test: `python -m infra.local up` on free ports, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

from infra.local.control import Control
from tests import marks
from tests.waiting import wait_until

READY_SECONDS = 90
STOP_SECONDS = 15


class Stack:
    """Runs while the block does; `settings` are environment variables of `make up`."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})

    def __enter__(self) -> Stack:
        marks.starts("the platform")
        self.folder = Path(tempfile.mkdtemp(prefix="trading-", dir="/tmp"))
        self.folder.chmod(0o755)
        self._log = self.folder / "up.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local", "up", "--free-ports", "--data", str(self.folder / "data")],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._settings},
                start_new_session=True,
            )
        try:
            started = time.monotonic()
            wait_until(lambda: self._ready() or self.process.poll() is not None, READY_SECONDS, "`up` is ready")
            assert self._ready(), self.output()
            self.ready_seconds = time.monotonic() - started
        except BaseException:
            self._stop()
            raise
        self.addresses: dict[str, str] = json.loads((self.folder / "data" / "run" / "addresses.json").read_text())
        self.control = Control(self.addresses["supervisor"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._stop()
        assert kind is not None or left == [], f"left behind: {left}"

    def _ready(self) -> bool:
        return any(line.split(" ", 1)[-1].startswith("Ready") for line in self.output().splitlines())

    def output(self) -> str:
        """The output of `up` so far."""
        return self._log.read_text(errors="replace")

    def _stop(self) -> list[str]:
        """Stops it as Ctrl-C does. Returns the processes that are left, which should be none."""
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        _, alive = psutil.wait_procs(family, timeout=1)
        left = [f"{process.pid} {' '.join(process.cmdline())}" for process in alive]
        for process in alive:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        return left
