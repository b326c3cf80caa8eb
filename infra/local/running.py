"""One run in the foreground: starts the processes, waits until all are ready, watches them, and stops them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType

from infra.failure import Failure, last_lines
from infra.local import readiness
from infra.local.control import GONE
from infra.local.data_folder import DataFolder
from infra.local.logs import Logs, alarming
from infra.local.processes import NOT_NEEDED, SERVICES, Process
from infra.local.supervision import Supervisor
from infra.local.watching import Watch

_READY_SECONDS = 60.0
# When it is ready, it has stored the file and the start of the replay: from then on others are refused.
_STORING = "market_data_service"


class Stopping:
    """Listens for Ctrl-C, SIGTERM and a closed terminal: the first one stops everything, the second one kills it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hurry = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        (self.hurry if self.asked.is_set() else self.asked).set()


class Running:
    """A run, from the start of the first process to the end of the last."""

    def __init__(self, processes: Sequence[Process], data: DataFolder, prometheus_url: str, stopping: Stopping) -> None:
        self._processes = processes
        self._data = data
        self._prometheus_url = prometheus_url
        self._stopping = stopping
        self._supervisor = Supervisor(processes, data)
        self._watch = Watch(data)
        # Opened before the start, so that only lines of this run are shown.
        self._logs = Logs(data, [*SERVICES, "pager", "viewer"], wanted=alarming)

    def until_stopped(self, when_stored: Callable[[], None], when_ready: Callable[[float], None]) -> None:
        """Raises `Failure` when a process does not become ready. Leaves nothing running, whatever happens.

        `when_stored` is called as soon as the service is there that stores what it was started with.
        """
        begun = time.time()
        try:
            say(f"Starting {len(self._processes)} processes.")
            self._supervisor.start()
            if self._become_ready(begun, when_stored):
                when_ready(time.time() - begun)
            while not self._stopping.asked.wait(0.5):
                self._look()
        finally:
            self._stop()

    def _become_ready(self, begun: float, when_stored: Callable[[], None]) -> bool:
        """Whether all that is needed became ready. False when the run was stopped before."""
        jobs = readiness.jobs_are_up(self._prometheus_url, SERVICES.values(), begun)
        waiting = [(process.name, process.ready) for process in self._processes] + [("prometheus", jobs)]
        stored = False
        while not self._stopping.asked.is_set():
            self._look()
            reasons = [(name, probe, probe()) for name, probe in waiting]
            waiting = [(name, probe) for name, probe, reason in reasons if reason]
            if not stored and _STORING not in [name for name, _ in waiting]:
                when_stored()
                stored = True
            needed = [name for name, _ in waiting if name not in NOT_NEEDED]
            hopeless = self._watch.hopeless()
            late = time.time() - begun > _READY_SECONDS
            if not waiting or (not needed and (hopeless or late)):
                return True
            if needed and (late or set(hopeless) - set(NOT_NEEDED)):
                unready = "\n".join(f"{name} is not ready: {reason}" for name, _, reason in reasons if reason)
                log = self._data.log(next((name for name in hopeless if name not in NOT_NEEDED), needed[0]))
                raise Failure(f"Not everything could be started.\n{unready}\n{log} ends with:\n{last_lines(log)}")
            self._stopping.asked.wait(0.2)
        return False

    def _look(self) -> None:
        _show(self._logs.lines())
        if self._supervisor.died():
            say("supervisor itself died: everything is stopped and started anew.")
            self._supervisor.kill()
            self._watch.forget()
            self._supervisor.start()
            return
        try:
            states = self._supervisor.control.all()
        except GONE:
            return  # it is ending, or busy: the next look shows which
        for sentence in self._watch.look(states):
            say(sentence)

    def _stop(self) -> None:
        asked = time.monotonic()
        say("Stopping everything; Ctrl-C again kills what is left.")
        self._supervisor.stop(self._stopping.hurry.is_set)
        _show(self._logs.close())
        say(f"Stopped after {time.monotonic() - asked:.1f} s.")


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
