"""The event loop of one service is blocked again and again. People are told in Slack, and nobody is paged."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.drills.figures import say
from tests.drills.platform import Page, Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(600)]


def test_a_service_that_stands_still_for_0_6_s_each_second_is_told_to_slack_and_pages_nobody(
    platform: Platform, record_property: Callable[[str, object], None]
) -> None:
    process = platform.control.pid("signal_service")
    began = time.time()
    sent = 0

    def told_after_another_block() -> Page | None:
        nonlocal sent
        os.kill(process, signal.SIGUSR1)  # see blocking/sitecustomize.py
        sent += 1
        said = [page for page in platform.pages(began, "slack") if page.name == "EventLoopBlocked"]
        return said[0] if said else None

    told = wait_until(told_after_another_block, 60, "EventLoopBlocked arrives in Slack", every=1)
    assert told is not None
    say(record_property, "event loop blocked to warning", [told.received_at - began])
    firing = platform.query('ALERTS{alertname="EventLoopBlocked", alertstate="firing"}')
    stood_still = platform.query('event_loop_lag_seconds_sum{job="signal-service"}')[0][1]
    print(f"{sent} blocks of 0.6 s were sent, and {stood_still:.1f} s of lag recorded since the start")
    ended = time.time()
    over = platform.wait_for_page("EventLoopBlocked", "resolved", ended, 120, channel="slack")
    say(record_property, "event loop free to resolution", [over.received_at - ended])
    platform.wait_until_well(60)

    assert told.status == "firing"
    assert [labels["job"] for labels, _ in firing] == ["signal-service"]
    assert told.received_at - began <= 30
    assert platform.said(began) == []
    assert platform.control.pid("signal_service") == process
