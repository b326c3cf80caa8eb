"""Watches whether the services that the orchestrator needs are healthy, and waits for them after its own start."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import httpx

from apps.answers import ask
from apps.background import Duty, described
from apps.catalogue import dependency_available
from apps.labels import Dependency

logger = logging.getLogger(__name__)

START_SECONDS = 20.0
"""For so long after the start another service need not be healthy yet: all start together, some slower than others."""


class Dependencies:
    """The health of the other services. What is not healthy is logged once, and so is that it is healthy again."""

    def __init__(self, clients: Mapping[Dependency, httpx.AsyncClient]) -> None:
        self._clients = clients
        self._asking = {name: Duty(f"asking {name} whether it is healthy", logger) for name in clients}
        self._started = time.monotonic()
        self._not_yet = set(clients)
        """Those that have not been healthy since the start."""
        self._said: set[Dependency] = set()

    async def ask(self) -> None:
        """Asks each service once. Sets `dependency_available`."""
        for name, http in self._clients.items():
            try:
                status = (await ask(http, name, "GET", "/health")).status
                problem = "" if status == 200 else f"it answers {status}"
            except httpx.HTTPError as error:
                problem = described(error)
            dependency_available.set(0 if problem else 1, {"dependency": name})
            if not problem:
                self._healthy(name)
            elif not self._starts(name):
                self._asking[name].failed(problem)
            elif name not in self._said:
                self._said.add(name)
                logger.info("waiting for %s, which has just been started too: %s", name, problem)

    async def start(self) -> bool:
        """Whether one of the services still starts. Asks them, but only while that is possible."""
        if any(self._starts(name) for name in self._not_yet):
            await self.ask()
        return any(self._starts(name) for name in self._not_yet)

    def _starts(self, name: Dependency) -> bool:
        return name in self._not_yet and time.monotonic() - self._started < START_SECONDS

    def _healthy(self, name: Dependency) -> None:
        if name in self._not_yet:
            self._not_yet.remove(name)
            logger.info("%s is healthy", name)
        self._asking[name].succeeded()
