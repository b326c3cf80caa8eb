"""A channel that fails: a real Alertmanager counts it, and tells it by the other channel."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from infra.alertmanager.destinations import render
from infra.alertmanager.inhibitions import CONFIG
from infra.setup.installation import BIN
from tests.infra.alertmanager.alerting import Alerting
from tests.infra.prometheus.rule_files import ALERTS
from tests.servers import program_running
from tests.services import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


class Channels(ThreadingHTTPServer):
    """Stands in for PagerDuty, Slack and the dead man's switch. One of them answers 500."""

    def __init__(self, failing: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.failing = failing
        self.told: list[tuple[str, str]] = []

    def hears_of(self, name: str) -> set[str]:
        return {channel for channel, body in self.told if name in body}


class Answer(BaseHTTPRequestHandler):
    """Keeps what came."""

    server: Channels

    def do_POST(self) -> None:
        channel = self.path.strip("/")
        self.server.told.append((channel, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.send_response(500 if channel == self.server.failing else 202 if channel == "pagerduty" else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")  # what Slack answers

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def running(failing: str, folder: Path) -> Iterator[tuple[Alerting, Channels]]:
    channels = Channels(failing)
    threading.Thread(target=channels.serve_forever, daemon=True).start()
    pager, port = f"http://127.0.0.1:{channels.server_port}", free_port()
    (folder / "config.yml").write_text(render(CONFIG, folder / "secrets", pager).text)
    alerting = Alerting(alertmanager=f"http://127.0.0.1:{port}", pager=pager)
    command = [
        str(BIN / "alertmanager"),
        f"--config.file={folder / 'config.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    try:
        with program_running(command, folder / "log"):
            wait_until(lambda: is_ready(alerting), 30, "Alertmanager is ready")
            yield alerting, channels
    finally:
        channels.shutdown()
        channels.server_close()


def is_ready(alerting: Alerting) -> bool:
    try:
        return httpx.get(f"{alerting.alertmanager}/-/ready").is_success
    except httpx.TransportError:
        return False


def failures(alerting: Alerting, integration: str) -> int:
    """As Prometheus scrapes it."""
    text = httpx.get(f"{alerting.alertmanager}/metrics").text
    counter = rf'^alertmanager_notifications_failed_total{{[^}}]*integration="{integration}"[^}}]*}} (\d+)$'
    return sum(int(count) for count in re.findall(counter, text, re.MULTILINE))


@pytest.mark.parametrize(("failing", "other"), [("pagerduty", "slack"), ("slack", "pagerduty")])
def test_a_channel_that_fails_is_told_by_the_other_one_and_not_by_itself(
    failing: str, other: str, tmp_path: Path
) -> None:
    [severity] = {
        rule["labels"]["severity"]
        for rule in ALERTS
        if rule["alert"] == "NotificationsFailing" and ('integration="slack"' in rule["expr"]) is (failing == "slack")
    }
    with running(failing, tmp_path) as (alerting, channels):
        alerting.fire({"labels": {"alertname": "CircuitBreakerTripped", "severity": "critical", "team": "trading"}})
        wait_until(lambda: failures(alerting, failing) >= 2, 90, "two notifications have failed", every=0.5)
        assert failures(alerting, other) == 0

        labels = {"severity": severity, "team": "platform", "integration": failing}
        alerting.fire({"labels": {"alertname": "NotificationsFailing", **labels}})
        wait_until(lambda: channels.hears_of("NotificationsFailing"), 15, "the other channel is told")
        alerting.fire({"labels": {"alertname": "Witness", "severity": "critical", "team": "platform"}})
        wait_until(lambda: channels.hears_of("Witness") == {failing, other}, 15, "both are told of another one")

        assert channels.hears_of("NotificationsFailing") == {other}
        if other == "pagerduty":
            [body] = [body for channel, body in channels.told if channel == other and "NotificationsFailing" in body]
            assert '"severity":"warning"' in body
