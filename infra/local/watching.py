"""Reports what happens to the processes: which one died, was restarted, was stopped, or could not stay up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from infra.failure import last_lines
from infra.local.data_folder import DataFolder

_DEATHS = 3


class Watch:
    """Compares the state of each process with its state at the last look."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._before: dict[str, Mapping[str, Any]] = {}
        self._deaths: Counter[str] = Counter()

    def look(self, states: Iterable[Mapping[str, Any]]) -> list[str]:
        """A sentence for each change since the last look."""
        sentences = []
        for now in states:
            before = self._before.get(now["name"])
            self._before[now["name"]] = now
            if before is not None:
                sentences += self._said(before, now)
        return sentences

    def forget(self) -> None:
        """Forgets the last look. Called after everything was restarted on purpose."""
        self._before.clear()

    def hopeless(self) -> list[str]:
        """Processes that are left down, or that died so often that waiting for them at the start is no use."""
        down = [name for name, state in self._before.items() if state["statename"] == "FATAL"]
        return down or [name for name, deaths in self._deaths.items() if deaths >= _DEATHS]

    def _said(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
        name, state = now["name"], now["statename"]
        if state == "FATAL":
            if before["statename"] == "FATAL":
                return []
            log = self._data.log(name)
            return [f"{name} could not stay up and is left down. Its log is {log}, and ends with:\n{last_lines(log)}"]
        if before["pid"] and before["pid"] != now["pid"] and state not in ("STOPPED", "STOPPING"):
            self._deaths[name] += 1
        if before["pid"] and now["pid"] and before["pid"] != now["pid"]:
            return [f"{name} died{self._reason(name)} and was restarted (process {now['pid']})."]
        if before["pid"] and not now["pid"]:
            if state in ("STOPPED", "STOPPING"):
                return [f"{name} was stopped and stays down until it is started."]
            return [f"{name} died{self._reason(name)} and will be restarted."]
        if now["pid"] and not before["pid"]:
            how = "was started" if before["statename"] == "STOPPED" else "was restarted"
            return [f"{name} {how} (process {now['pid']})."]
        return []

    def _reason(self, name: str) -> str:
        """Only supervisor's log says how a process ended."""
        try:
            log = self._data.log("supervisord").read_text(errors="replace")
        except FileNotFoundError:
            return ""
        endings = re.findall(rf"exited: {name} \((.*?)(?:; (?:not )?expected)?\)$", log, re.MULTILINE)
        return f" ({endings[-1]})" if endings else ""
