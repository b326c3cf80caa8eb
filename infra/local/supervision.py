"""Runs the processes under supervisor: writes its configuration, starts it, stops it, and ends what it left behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

from infra.failure import Failure, last_lines
from infra.local.control import GONE, Control
from infra.local.data_folder import DataFolder
from infra.local.processes import STORES, Process
from infra.setup.installation import ROOT

# Processes that still run after this time are killed, so that everything has ended within 15 s.
_STOP_SECONDS = 12.0


def configuration(processes: Sequence[Process], data: DataFolder) -> str:
    """The configuration in supervisor's file format, in which % and quotes have a meaning."""
    supervisord = {
        "nodaemon": "true",
        "logfile": data.log("supervisord"),
        "logfile_maxbytes": "10MB",
        "logfile_backups": "1",
        "pidfile": data.run / "supervisord.pid",
        "childlogdir": data.logs,
        # Without it, supervisor warns that it runs as root.
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    interface = "supervisor.rpcinterface:make_main_rpcinterface"
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": data.supervisor_socket, "chmod": "0700"},
        "rpcinterface:supervisor": {"supervisor.rpcinterface_factory": interface},
        "supervisord": supervisord,
    }
    for number, process in enumerate(processes):
        sections[f"program:{process.name}"] = {
            "command": shlex.join(process.command),
            "directory": ROOT,
            "priority": number,
            "environment": ",".join(f'{name}="{_quoted(value)}"' for name, value in process.environment.items()),
            **({"user": process.user} if process.user else {}),
            "autorestart": "true",
            # A process that dies within 10 s counts as not started. It gets 5 more tries, after 1, 2, ... 5 s.
            "startsecs": "10",
            "startretries": "5",
            "stopsignal": process.stop_signal,
            "stopwaitsecs": "5",
            "stopasgroup": "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": data.log(process.name),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "2",
        }
    return "\n".join(
        f"[{title}]\n" + "".join(f"{name}={str(value).replace('%', '%%')}\n" for name, value in options.items())
        for title, options in sections.items()
    )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


class Supervisor:
    """supervisord as a child in a session of its own: Ctrl-C in the terminal must reach only `up`."""

    def __init__(self, processes: Sequence[Process], data: DataFolder) -> None:
        self.control = Control(data.supervisor_socket)
        self._processes = processes
        self._data = data
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        file = self._data.run / "supervisord.conf"
        file.write_text(configuration(self._processes, self._data))
        with self._data.log("supervisord.start").open("wb") as log:
            self._child = subprocess.Popen(
                [Path(sys.executable).with_name("supervisord"), "-c", file],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        _remember(self._data, self._child.pid)
        deadline = time.monotonic() + 10
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                written = self._data.log("supervisord.start")
                self.kill()
                raise Failure(f"supervisor did not start. Its log is {written}, and ends with:\n{last_lines(written)}")
            time.sleep(0.05)

    def died(self) -> bool:
        return self._child is not None and self._child.poll() is not None

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Stops services and programs, then stores, then supervisor. Kills what is late, or all in a hurry."""
        deadline = time.monotonic() + _STOP_SECONDS

        def wait_while(condition: Callable[[], bool]) -> None:
            while condition() and not (hurry() or self.died() or time.monotonic() > deadline):
                time.sleep(0.05)

        others = {process.name for process in self._processes} - set(STORES)
        # If supervisor has ended, it cannot be asked to stop anything. `kill` does the rest.
        with contextlib.suppress(*GONE, xmlrpc.client.Error):
            for names in (others, set(STORES)):
                self._ask_to_stop(names)
                wait_while(partial(self._running, names))
            self.control.shut_down()
            wait_while(lambda: not self.died())
        self.kill()

    def kill(self) -> None:
        """Kills everything that is left, in whatever state it is."""
        if self._child is not None:
            end_session(self._child.pid)
            self._child.wait()
            self._child = None
        (self._data.run / "supervisor.json").unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            self.control.all()
        except GONE:
            return False
        return True

    def _ask_to_stop(self, names: Iterable[str]) -> None:
        for name in names:
            # supervisor answers with a fault when the process does not run.
            with contextlib.suppress(xmlrpc.client.Fault):
                self.control.stop(name)

    def _running(self, names: Iterable[str]) -> bool:
        return any(info["pid"] for info in self.control.all() if info["name"] in names)


def end_leftover(data: DataFolder) -> bool:
    """Ends the supervisor of an `up` that was killed. Returns whether there was one. The caller holds the lock."""
    file = data.run / "supervisor.json"
    try:
        before = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    pid, created = int(before["pid"]), float(before["created"])
    try:
        same = abs(psutil.Process(pid).create_time() - created) < 1
    except psutil.NoSuchProcess:
        # No new process gets this id while the session has members. After a reboot any process may have it.
        same = created > psutil.boot_time()
    found = bool(same and members(pid))
    if found:
        try:
            os.kill(pid, signal.SIGTERM)
            psutil.Process(pid).wait(_STOP_SECONDS)
        except (ProcessLookupError, psutil.Error):
            pass
        end_session(pid)
    file.unlink(missing_ok=True)
    return found


def members(session: int) -> list[psutil.Process]:
    """The processes of a session, and their descendants, because PostgreSQL's workers have sessions of their own."""
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                process = psutil.Process(pid)
                found |= {each.pid: each for each in [process, *process.children(recursive=True)]}
        except (OSError, psutil.Error):
            continue
    return [process for process in found.values() if process.is_running() and _alive(process)]


def end_session(session: int) -> None:
    """Kills what is left. Supervisor is killed first, because it would restart the others."""
    deadline = time.monotonic() + 5
    while left := members(session):
        for process in sorted(left, key=lambda each: each.pid != session):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=3)
        if time.monotonic() > deadline:
            raise Failure(f"These processes could not be ended: {', '.join(str(process.pid) for process in left)}")


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _remember(data: DataFolder, pid: int) -> None:
    known = {"pid": pid, "created": psutil.Process(pid).create_time()}
    (data.run / "supervisor.json").write_text(json.dumps(known))


def _end_with_parent() -> None:
    """On Linux, supervisor stops everything when `up` is killed. On other systems the next `up` does it."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
