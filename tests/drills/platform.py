"""A running stack for drills: its pages, queries to Prometheus, orders, and whether all is well."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.stack import Stack
from tests.waiting import wait_until

SERVICES = ("orchestrator", "execution_gateway", "signal_service", "market_data_service")
JOBS = ("execution-gateway", "market-data", "orchestrator", "signal-service")

REMEMBERED = "ServiceRestarting"
"""A warning that is true for ten minutes after the third drill that killed the same service."""


@dataclass(frozen=True)
class Page:
    """One alert of a page: PagerDuty's unless `channel` says otherwise."""

    name: str
    status: str
    received_at: float
    channel: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Platform:
    """Asks a running stack over HTTP."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.control = stack.control
        self.http = httpx.Client(timeout=5)

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def url(self, name: str) -> str:
        return str(self.stack.addresses[name])

    def get(self, name: str, path: str, **parameters: str | float) -> Any:
        answer = self.http.get(f"{self.url(name)}{path}", params=parameters)
        answer.raise_for_status()
        return answer.json()

    def post(self, name: str, path: str, body: dict[str, object]) -> httpx.Response:
        return self.http.post(f"{self.url(name)}{path}", json=body)

    # --- pages

    def pages(self, since: float, channel: str = "pagerduty") -> list[Page]:
        """The alerts of the pages since then, oldest first. A page is what PagerDuty gets."""
        return [
            Page(a["name"], a["status"], entry["received_at"], entry["channel"], a["labels"], a["annotations"])
            for entry in self.get("pager", "/pages", since=since)
            if entry["channel"] == channel
            for a in entry["alerts"]
        ]

    def wait_for_page(self, name: str, status: str, since: float, seconds: float, channel: str = "pagerduty") -> Page:
        def arrived() -> Page | None:
            return next((p for p in self.pages(since, channel) if (p.name, p.status) == (name, status)), None)

        page = wait_until(arrived, seconds, f"a page {name} {status}; there is {self.said(since)}", every=0.1)
        assert page is not None
        return page

    def said(self, since: float) -> list[tuple[str, str]]:
        """Name and status of every page since then."""
        return [(page.name, page.status) for page in self.pages(since)]

    def names(self, since: float, channel: str = "pagerduty") -> set[str]:
        """The alerts that were told as firing since then. A resolution alone is the end of what was before."""
        return {page.name for page in self.pages(since, channel) if page.status == "firing"}

    # --- Prometheus

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series of an instant query and their values."""
        result = self.get("prometheus", "/api/v1/query", query=expression)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def samples(self, selector: str, seconds: int) -> list[float]:
        """When the one series that the selector matches had samples, in the last so many seconds."""
        result = self.get("prometheus", "/api/v1/query", query=f"{selector}[{seconds}s]")["data"]["result"]
        assert len(result) == 1, result
        return [float(at) for at, _ in result[0]["values"]]

    def firing(self) -> set[str]:
        """The alerts that fire or are pending in Prometheus, without Watchdog and what is left of other drills."""
        alerts = self.get("prometheus", "/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts} - {"Watchdog", REMEMBERED}

    # --- all is well

    def problems(self, since: float = 0.0) -> list[str]:
        """What is not as it should be; scrapes and beats from before `since` do not count."""
        try:
            return [*self._dead_processes(), *self._sick_services(), *self._blind_spots(since)]
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return [f"{type(error).__name__}: {error}"]

    def _dead_processes(self) -> list[str]:
        return [f"{p['name']} is {p['statename']}" for p in self.control.all() if p["statename"] != "RUNNING"]

    def _sick_services(self) -> list[str]:
        found = []
        for name in SERVICES:
            health = self.http.get(f"{self.url(name)}/health")
            if health.status_code != 200:
                found.append(f"{name}: {health.text}")
        return found

    def _blind_spots(self, since: float) -> list[str]:
        found = []
        # A sample of the last scrape, not one that the look-back holds on to.
        after = max(since, time.time() - 7)
        fresh = self.query(f"max by (job) (up) == 1 and max by (job) (timestamp(up)) > {after}")
        up = {labels["job"] for labels, _ in fresh}
        if missing := {*JOBS, "otel-collector", "alertmanager", "prometheus"} - up:
            found.append(f"not scraped: {sorted(missing)}")
        ages = self.query("time() - max(pnl_updated_timestamp_seconds) < 20")
        if not ages:
            found.append("P&L is not fresh")
        beat = self.get("pager", "/watchdog")["last_beat"]
        if beat is None or beat < max(since, time.time() - 15):
            found.append("no beat of the watchdog")
        if firing := self.firing():
            found.append(f"alerts: {sorted(firing)}")
        return found

    def wait_until_well(self, seconds: float, since: float = 0.0) -> float:
        """Waits until there are no problems, by what was seen after `since`. Returns the seconds that it took."""
        started = time.monotonic()
        try:
            wait_until(lambda: not self.problems(since), seconds, "all is well", every=0.2)
        except TimeoutError as late:
            raise AssertionError(f"after {seconds:g} s: {self.problems(since)}") from late
        return time.monotonic() - started

    def start_what_is_down(self) -> None:
        for process in self.control.all():
            if process["statename"] == "STOPPED":
                self.control.release(process["name"])

    # --- trading

    def session(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("market_data_service", "/api/v1/session")
        return answer

    def trip(self, reason: str) -> None:
        answer = self.post("execution_gateway", "/api/v1/circuit-breaker/trip", {"reason": reason, "by": "drill"})
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        answer = self.post(
            "execution_gateway", "/api/v1/circuit-breaker/reset", {"reason": "drill is over", "by": "drill"}
        )
        assert answer.status_code == 200, answer.text
