"""From a condition to its page: a process is really broken, and exactly the expected pages reach the pager."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.drills.figures import Report
from tests.drills.platform import JOBS, Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PAGE_SECONDS = 10
"""From the condition to the page, for rules without `for`."""


def test_orders_are_filled_and_the_whole_book_is_in_prometheus(platform: Platform) -> None:
    def everything_arrived() -> bool:
        up = {labels["job"] for labels, value in platform.query("up == 1")} >= set(JOBS)
        orders = platform.query("sum(increase(orders_total[1m]))")
        positions = platform.query("positions_current")
        return up and bool(orders) and orders[0][1] > 0 and len(positions) == 20

    wait_until(everything_arrived, 90, "four jobs, orders in the last minute and 20 positions")
    before = platform.query('pnl_dollars{type="total"}')[0][1]
    wait_until(lambda: platform.query('pnl_dollars{type="total"}')[0][1] != before, 60, "total P&L moves")


@pytest.mark.fires("CircuitBreakerTripped")
def test_a_breaker_trip_pages_within_ten_seconds_ten_times(platform: Platform, report: Report) -> None:
    to_page, to_resolution = [], []
    began = time.time()
    for number in range(10):
        # Each trip has another pause. Without it every trip would come at the same time after a scrape, because a
        # resolution follows a scrape, and the worst case might not be seen.
        time.sleep(number * 0.5)
        tripped = time.time()
        platform.trip(f"drill {number}")
        page = platform.wait_for_page("CircuitBreakerTripped", "firing", tripped, 30)
        to_page.append(page.received_at - tripped)
        reset = time.time()
        platform.reset()
        page = platform.wait_for_page("CircuitBreakerTripped", "resolved", reset, 30)
        to_resolution.append(page.received_at - reset)

    report.told(platform, "CircuitBreakerTripped", began, to_page, to_resolution)
    assert max(to_page) <= PAGE_SECONDS
    assert platform.said(began) == [("CircuitBreakerTripped", "firing"), ("CircuitBreakerTripped", "resolved")] * 10


@pytest.mark.drill
@pytest.mark.fires("DeadMansSwitch")
def test_a_dead_prometheus_is_told_by_the_dead_mans_switch_and_loses_no_sample_though_the_collector_dies_too(
    platform: Platform, report: Report
) -> None:
    killed = time.time()
    platform.control.hold_down("prometheus")
    time.sleep(max(0.0, killed + 30 - time.time()))
    platform.control.kill("collector")
    switch = platform.wait_for_page("DeadMansSwitch", "firing", killed, 130, channel="deadman")
    time.sleep(max(0.0, killed + 60 - time.time()))
    released = time.time()
    platform.control.release("prometheus")
    back = platform.wait_for_page("DeadMansSwitch", "resolved", released, 60, channel="deadman")
    platform.wait_until_well(60)
    to_page, to_resolve = [switch.received_at - killed], [back.received_at - released]
    report.told(platform, "DeadMansSwitch", killed, to_page, to_resolve, "deadman")

    assert switch.received_at - killed <= 120
    assert platform.said(killed) == []
    window = int(time.time() - killed) + 10
    for job in JOBS:
        at = platform.samples(f'up{{job="{job}"}}', window)
        gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
        holes = [round(gap, 1) for gap in gaps if gap > 7.5]
        assert at[0] <= killed < released < at[-1], job
        assert len(holes) <= 1, f"{job}: holes of {holes} s; only the collector's own restart may leave one"
        assert all(hole <= 15 for hole in holes), (job, holes)
