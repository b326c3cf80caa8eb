"""Prometheus is away while an alert fires: a restart changes no page, and a longer absence has a limited price."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.drills.figures import Report
from tests.drills.platform import Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(600)]

SERVICE = "signal_service"
WATCHED_SECONDS = 90
"""Alertmanager resolves by itself after 40 s; a `for` of a minute that begins anew would page after some 70 s."""
AWAY_SECONDS = 45
"""More than the 40 s after which Alertmanager resolves by itself what Prometheus no longer sends."""
FALSE_PAGE_SECONDS = 20
"""From a page about a service that is back to its resolution."""
ONCE = [("ServiceDown", "firing"), ("ServiceDown", "resolved")]


def test_a_restart_of_prometheus_neither_resolves_nor_repeats_the_page_of_a_service_that_stays_down(
    platform: Platform, report: Report
) -> None:
    began = time.time()
    platform.control.hold_down(SERVICE)
    platform.wait_for_page("ServiceDown", "firing", began, 90)
    for signal, end in (("SIGTERM", platform.control.terminate), ("SIGKILL", platform.control.kill)):
        ended = time.time()
        end("prometheus")
        wait_until(lambda: not _fires(platform), 10, "Prometheus no longer holds the alert for firing", every=0.02)
        wait_until(lambda: _fires(platform), 60, "Prometheus holds the alert for firing again")
        report.measured(f"{signal} for Prometheus to firing again", [time.time() - ended])
        time.sleep(max(0.0, ended + WATCHED_SECONDS - time.time()))
        assert platform.said(began) == ONCE[:1], signal
    released = time.time()
    platform.control.release(SERVICE)
    platform.wait_for_page("ServiceDown", "resolved", released, 60)
    platform.wait_until_well(60)

    assert platform.said(began) == ONCE


def test_a_service_that_came_back_while_prometheus_was_away_pages_once_more_at_most_and_for_20_seconds_at_most(
    platform: Platform, report: Report
) -> None:
    began = time.time()
    platform.control.hold_down(SERVICE)
    platform.wait_for_page("ServiceDown", "firing", began, 90)
    away = time.time()
    platform.control.hold_down("prometheus")
    platform.control.release(SERVICE)
    resolution = platform.wait_for_page("ServiceDown", "resolved", away, 90)
    report.measured("Prometheus away to Alertmanager's own resolution", [resolution.received_at - away])
    time.sleep(max(0.0, away + AWAY_SECONDS - time.time()))
    back = time.time()
    platform.control.release("prometheus")
    platform.wait_until_well(60, since=back)

    # When it starts, the last 0 that it stored counts until the first scrape has come.
    false_pages = [page for page in platform.pages(back) if page.status == "firing"]
    print(f"pages about the service that is back: {len(false_pages)}")
    for page in false_pages:
        report.measured("Prometheus back to a page about the service that is back", [page.received_at - back])
        resolution = platform.wait_for_page("ServiceDown", "resolved", page.received_at, 30)
        lasted = resolution.received_at - page.received_at
        report.measured("this page to its resolution", [lasted])
        assert lasted <= FALSE_PAGE_SECONDS
    assert platform.said(began) in (ONCE, ONCE * 2)


def _fires(platform: Platform) -> bool:
    """Of the rules as they are now: what is stored of ALERTS outlives a restart."""
    try:
        alerts = platform.get("prometheus", "/api/v1/alerts")["data"]["alerts"]
    except httpx.HTTPError:
        return False
    return any((alert["labels"]["alertname"], alert["state"]) == ("ServiceDown", "firing") for alert in alerts)
