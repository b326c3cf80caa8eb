"""Runs long commands with their output in a log file, and shows how long they have been running."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.failure import Failure, last_lines

# Without a terminal, as in a CI log, the line cannot be rewritten. A new one now and then shows that it is alive.
_EVERY_SECONDS_WITHOUT_TERMINAL = 20.0


def duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def run(
    title: str,
    usually: str,
    commands: Sequence[Sequence[str | Path]],
    *,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
    detail: Callable[[Path], str] | None = None,
) -> None:
    """Runs the commands one after the other. Raises `Failure` when one fails; it names the log and quotes its end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    line = _Line(f"{title} (usually {usually})")
    with log.open("wb") as output:
        for command in commands:
            output.write(f"$ {' '.join(map(str, command))}\n".encode())
            output.flush()
            with subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            ) as process:
                try:
                    while process.poll() is None:
                        line.show(detail(log) if detail else "")
                        time.sleep(0.2)
                except BaseException:
                    process.terminate()
                    raise
            if process.returncode != 0:
                line.end("failed")
                raise Failure(f"{title}: failed. The whole output is in {log}, and ends with:\n{last_lines(log)}")
    line.end("done")


class _Line:
    def __init__(self, text: str) -> None:
        self.text = text
        self.begun = self.shown = time.monotonic()
        self.terminal = sys.stdout.isatty()
        print(f"{text} ...", end="" if self.terminal else "\n", flush=True)

    def show(self, detail: str) -> None:
        now = time.monotonic()
        if self.terminal:
            print(f"\r\033[K{self._line(now, detail)}", end="", flush=True)
        elif now - self.shown >= _EVERY_SECONDS_WITHOUT_TERMINAL:
            self.shown = now
            print(self._line(now, detail), flush=True)

    def end(self, how: str) -> None:
        before = "\r\033[K" if self.terminal else ""
        print(f"{before}{self.text}: {how} after {duration(time.monotonic() - self.begun)}", flush=True)

    def _line(self, now: float, detail: str) -> str:
        return f"{self.text} ... {duration(now - self.begun)}{', ' if detail else ''}{detail}"
