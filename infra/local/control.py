"""Kills, holds down and starts single processes of a running platform, over supervisor's own interface."""

from __future__ import annotations

import http.client
import socket
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

# The errors of a supervisor that has ended or is about to end.
GONE = (OSError, http.client.HTTPException)


class Control:
    """One supervisor, by its socket. The names of processes are those of `infra.local.processes`."""

    def __init__(self, socket: str | Path) -> None:
        self._path = str(socket)

    def kill(self, name: str) -> None:
        """Kills the process with -9; the supervisor restarts it."""
        self._ask("signalProcess", name, "KILL")

    def terminate(self, name: str) -> None:
        """Asks the process to end, with SIGTERM; the supervisor restarts it."""
        self._ask("signalProcess", name, "TERM")

    def hold_down(self, name: str) -> None:
        """Kills the process with -9, and it stays down until `release`."""
        # The process is frozen first, so that it does not see the stop signal. It must die as in a crash.
        self._ask("signalProcess", name, "STOP")
        self._ask("stopProcess", name, False)
        self._ask("signalProcess", name, "KILL")
        deadline = time.monotonic() + 10
        while self.state(name) != "STOPPED":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is {self.state(name)} 10 s after it was killed")
            time.sleep(0.05)

    def release(self, name: str) -> None:
        """Starts a process that is down."""
        self._ask("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Asks the process to stop. Does not wait until it has stopped."""
        self._ask("stopProcess", name, False)

    def state(self, name: str) -> str:
        """As supervisor names it: RUNNING, STARTING, BACKOFF, STOPPED, FATAL, ..."""
        return str(self._ask("getProcessInfo", name)["statename"])

    def pid(self, name: str) -> int:
        """The process id, or 0 while it does not run."""
        return int(self._ask("getProcessInfo", name)["pid"])

    def all(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._ask("getAllProcessInfo")
        return answer

    def shut_down(self) -> None:
        self._ask("shutdown")

    def _ask(self, method: str, *arguments: object) -> Any:
        # Each question has its own connection. A connection that is kept breaks when the supervisor is restarted.
        with xmlrpc.client.ServerProxy("http://supervisor", transport=_Transport(self._path)) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        self._connection = host, connection  # what `close` closes
        return connection


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("supervisor", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
