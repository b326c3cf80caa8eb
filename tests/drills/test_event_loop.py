"""The event loop of one service is blocked again and again. People are told in Slack, and nobody is paged."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.drills.figures import Report
from tests.drills.platform import Page, Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.mark.fires("EventLoopBlocked")
def test_a_service_that_stands_still_for_0_6_s_each_second_is_told_to_slack_and_pages_nobody(
    platform: Platform, report: Report
) -> None:
    process = platform.control.pid("signal_service")
    began = time.time()
    sent = 0

    def told_after_another_block() -> Page | None:
        nonlocal sent
        os.kill(process, signal.SIGUSR1)  # see inside/sitecustomize.py
        sent += 1
        said = [page for page in platform.pages(began, "slack") if page.name == "EventLoopBlocked"]
        return said[0] if said else None

    told = wait_until(told_after_another_block, 60, "EventLoopBlocked arrives in Slack", every=1)
    assert told is not None
    firing = platform.query('ALERTS{alertname="EventLoopBlocked", alertstate="firing"}')
    stood_still = platform.query('event_loop_lag_seconds_sum{job="signal-service"}')[0][1]
    print(f"{sent} blocks of 0.6 s were sent, and {stood_still:.1f} s of lag recorded since the start")
    ended = time.time()
    over = platform.wait_for_page("EventLoopBlocked", "resolved", ended, 120, channel="slack")
    platform.wait_until_well(60)
    to_page, to_resolve = [told.received_at - began], [over.received_at - ended]
    report.told(platform, "EventLoopBlocked", began, to_page, to_resolve, "slack")

    assert told.status == "firing"
    assert [labels["job"] for labels, _ in firing] == ["signal-service"]
    assert told.received_at - began <= 30
    assert platform.said(began) == []
    assert platform.control.pid("signal_service") == process
