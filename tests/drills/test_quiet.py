"""Nothing is wrong, and nobody is told anything: ten minutes of a calm market, and a rolling restart."""

from __future__ import annotations

import time

import pytest

from tests.drills.figures import Report
from tests.drills.platform import SERVICES, Platform
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(1000)]

QUIET_SECONDS = 600


def told(platform: Platform, since: float = 0.0) -> list[tuple[str, str, str]]:
    """What was told on any channel: channel, alert and status."""
    entries = [page for channel in ("pagerduty", "slack", "deadman") for page in platform.pages(since, channel)]
    return [(page.channel, page.name, page.status) for page in entries]


def test_ten_minutes_of_a_calm_market_with_their_start_tell_nobody_anything() -> None:
    with Stack({"REPLAY_FILE": "calm-2017.csv", "REPLAY_START": "2017-01-04"}) as stack, Platform(stack) as platform:
        try:
            heard = wait_until(lambda: told(platform), QUIET_SECONDS, "somebody is told something", every=1)
        except TimeoutError:
            heard = []
        assert heard == []
        orders = platform.query('sum(orders_total{status="success"})')
        platform.wait_until_well(30)

        assert told(platform) == []
        # It was no idle platform that was quiet.
        assert orders[0][1] > 20


def test_a_rolling_restart_of_the_four_services_tells_nobody_anything(platform: Platform, report: Report) -> None:
    began = time.time()
    back = []
    for name in SERVICES:
        before = platform.control.pid(name)
        stopped = time.time()
        platform.control.terminate(name)
        wait_until(lambda name=name, before=before: platform.control.pid(name) not in (0, before), 30, f"{name} is new")  # type: ignore[misc]
        platform.wait_until_well(60, stopped)
        back.append(time.time() - stopped)
    report.measured("restart to all is well", back)

    assert told(platform, began) == []
