"""Follows the logs of the processes, across rotation and truncation, and chooses the lines that a terminal shows."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from io import BytesIO, FileIO
from pathlib import Path

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.processes import NAMES

_LAST_LINES = 10
_LAST_BYTES = 64 * 1024  # enough for the last lines, without reading a file of 10 MB
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
_QUIET = ("DEBUG", "INFO")


class Log:
    """Follows one file from its end. `last` of the lines before the end come first.

    A line whose beginning was not read is left out: half an INFO line looks like a line of a crash.
    """

    def __init__(self, path: Path, last: int = 0) -> None:
        self._path = path
        self._rest = b""
        self._within = False  # in a line whose beginning was not read
        self._file = _opened(path)
        if self._file is not None:
            start = max(0, self._file.seek(0, os.SEEK_END) - _LAST_BYTES)
            self._file.seek(start)
            self._within = start > 0
            self._add(self._file.read())
            self._keep(last)

    def lines(self) -> list[str]:
        """The lines that were written since the last call. A line without an end is kept for the next call."""
        self._read()
        if self._replaced():
            self._read()  # lines may have been added to the old file meanwhile
            if self._removed():  # a file that was only renamed was rotated: its last line may go on in the new one
                self._cut()
            self._shut()
            self._file = _opened(self._path)
            self._read()
        *lines, self._rest = self._rest.split(b"\n")
        return [_text(line) for line in lines]

    def close(self) -> list[str]:
        """The remaining lines, including a last line without an end."""
        left = self.lines() + ([_text(self._rest)] if self._rest else [])
        self._rest = b""
        self._shut()
        return left

    def _read(self) -> None:
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._cut()  # the file was truncated
        self._add(self._file.read())

    def _add(self, text: bytes) -> None:
        if self._within:
            _, end, text = text.partition(b"\n")
            self._within = not end
        self._rest += text

    def _keep(self, last: int) -> None:
        """Keeps the last lines of what was read."""
        lines = BytesIO(self._rest).readlines()  # ends lines at \n only, unlike splitlines
        if not last and lines and not lines[-1].endswith(b"\n"):
            self._within = True
        self._rest = b"".join(lines[-last:]) if last else b""

    def _cut(self) -> None:
        """Ends a line without an end, because its end is lost."""
        self._rest += b"\n" if self._rest else b""
        self._within = False

    def _replaced(self) -> bool:
        """Whether the name now belongs to another file, or to a file at all for the first time."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return self._file is None or not os.path.samestat(there, os.fstat(self._file.fileno()))

    def _removed(self) -> bool:
        return self._file is not None and os.fstat(self._file.fileno()).st_nlink == 0

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Logs:
    """Follows several processes. Each line has the name of its process before it, as in `docker compose up`."""

    def __init__(
        self, data: DataFolder, names: Sequence[str], last: int = 0, wanted: Callable[[str], bool] = lambda line: True
    ) -> None:
        width = max(map(len, names))
        self._logs = {f"{name:<{width}}  | ": Log(data.log(name), last) for name in names}
        self._wanted = wanted

    def lines(self) -> list[str]:
        return [before + line for before, log in self._logs.items() for line in log.lines() if self._wanted(line)]

    def close(self) -> list[str]:
        return [before + line for before, log in self._logs.items() for line in log.close() if self._wanted(line)]


def alarming(line: str) -> bool:
    """Whether a line is a warning or worse, in either log format. A line in neither format comes from a crash."""
    return _level(line) not in _QUIET


def follow(data: DataFolder, names: Sequence[str]) -> None:
    """Prints the logs of these processes, or of all, until Ctrl-C."""
    if unknown := [name for name in names if name not in NAMES]:
        raise Failure(f"There is no process {', '.join(unknown)}. The processes are {', '.join(NAMES)}.")
    if not data.logs.is_dir():
        raise Failure(f"There are no logs yet, {data.logs} does not exist: `make up` writes them.")
    logs = Logs(data, names or NAMES, last=_LAST_LINES)
    try:
        while True:
            for line in logs.lines():
                print(line, flush=True)
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # The reader has ended, as `head` does. Without this, Python complains when it flushes at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        logs.close()


def _level(line: str) -> str | None:
    if text := _TEXT.match(line):
        return text[1]
    if line.startswith("{"):
        try:
            return str(json.loads(line)["level"])
        except (ValueError, KeyError):
            return None
    return None


def _opened(path: Path) -> FileIO | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
