"""Each fault is brought about for real, and is told once, in time, as what it is; nothing else pages."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.drills import faults
from tests.drills.faults import Fault, killed
from tests.drills.figures import Report
from tests.drills.platform import JOBS, Page, Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1000)]

EFFECTS = 105
"""Seconds until the alerts on what follows from a fault would fire, if they were not muted. MetricMissing is last."""


PAGE_SECONDS = 10
"""From the condition to the page, for rules without `for`."""


@dataclass(frozen=True)
class Drill:
    """A fault, and the alert that tells of it.

    Attributes:
        name: What happens.
        fault: Brings it about.
        alert: What is told, within `seconds` of the fault.
        channel: By which channel.
        says: What its labels or texts must say.
        counted: What the gateway's /metrics shows when the desk knows of it. From then on the page has 10 s.
        also: What Slack must hear besides.
        lasts: Seconds that the fault goes on, at least.
        resolves: Seconds from the fault's end to the resolution, at most.
        well: Seconds from then until nothing is left of it, in Slack either, at most.
        quick: Whether it is in `make test`, too.
    """

    name: str
    fault: Fault
    alert: str
    seconds: float
    channel: str = "pagerduty"
    says: Sequence[str] = ()
    counted: str = ""
    also: Sequence[str] = ()
    lasts: float = 0
    resolves: float = 60
    well: float = 60
    quick: bool = False


def service_killed(program: str, job: str, quick: bool = False) -> Drill:
    return Drill(
        f"{job} killed",
        killed(program),
        "ServiceDown",
        seconds=75,
        says=[job],
        also=["ServiceUnreachable"],
        lasts=EFFECTS,
        quick=quick,
    )


DRILLS = [
    # First, because warnings on orders stay silent for six minutes after an alert that explains them.
    Drill(
        "orders refused",
        faults.an_algorithm_whose_orders_are_too_large,
        "OrderRejectionsHigh",
        120,
        channel="slack",
        says=["order_size_limit"],
        resolves=400,  # what was refused counts for five minutes
    ),
    service_killed("execution_gateway", "execution-gateway", quick=True),
    service_killed("market_data_service", "market-data"),
    service_killed("orchestrator", "orchestrator"),
    service_killed("signal_service", "signal-service"),
    Drill("Redis killed", killed("redis"), "RedisConnectionLost", 25, says=JOBS, lasts=60),
    Drill("PostgreSQL killed", killed("postgres"), "DatabaseConnectionLost", 25, says=JOBS, lasts=60, quick=True),
    Drill("collector killed", killed("collector"), "CollectorDown", 10, lasts=40, quick=True),
    Drill("Alertmanager killed", killed("alertmanager"), "DeadMansSwitch", 60, channel="deadman", lasts=60),
    Drill("Redis full", faults.a_full_redis, "DependencyNotWritable", 25, says=["redis", *JOBS], lasts=60),
    Drill(
        "PostgreSQL read-only",
        faults.a_read_only_postgresql,
        "DependencyNotWritable",
        25,
        says=["database", *JOBS],
        lasts=60,
    ),
    Drill(
        "a position edited at the venue",
        faults.a_position_edited_at_the_venue,
        "PositionsDoNotReconcile",
        45,
        says=["KO +7"],
        counted=r'^reconciliation_drift_shares\{.*symbol="KO".*\} 7',
    ),
    Drill(
        "targets not stored",
        faults.a_forgotten_lock_on_the_targets,
        "SignalGenerationFailing",
        90,
        channel="slack",
        also=["OrchestrationFailing"],
        lasts=90,
    ),
    Drill(
        "garbage published",
        faults.a_program_that_publishes_garbage,
        "MarketStatesRefused",
        50,
        channel="slack",
        resolves=75,
    ),
    Drill("few file descriptors", faults.few_file_descriptors, "FileDescriptorsHigh", 90, channel="slack"),
    Drill(
        "a configuration of Prometheus that cannot be read",
        faults.a_configuration_of_prometheus_that_cannot_be_read,
        "PrometheusConfigReloadFailed",
        90,
        channel="slack",
    ),
    Drill(
        "a duty that hangs",
        faults.a_forgotten_lock_on_the_executions,
        "DeskDutyLate",
        75,
        says=["fetch"],
        well=400,  # no trading date begins meanwhile, and the orders that are refused for that count for five minutes
    ),
    Drill(
        "an algorithm that runs away",
        faults.an_algorithm_that_runs_away,
        "OrderRateLimitExceeded",
        seconds=75,  # a slow machine takes 3000 orders before the limit of a minute is reached
        lasts=75,  # until OrderRejectionsHigh would fire
        resolves=150,  # what was refused counts for a minute, and so do its orders for those of the orchestrator
    ),
]
FEED_DRILLS = [
    Drill("feed cut", faults.the_feed_is_cut, "MarketStateNotPublished", 40, also=["FeedDisconnected"], lasts=EFFECTS),
    Drill(
        "feed that does not start",
        faults.a_feed_that_does_not_start,
        "MarketDataMissing",
        60,
        also=["FeedDisconnected"],
        lasts=EFFECTS,
    ),
    Drill("one symbol silent", faults.one_symbol_is_silent, "MarketDataStale", 45, says=["KO has not"], lasts=EFFECTS),
    Drill("all symbols silent", faults.all_symbols_are_silent, "MarketDataStale", 45, says=["20 sym"], lasts=EFFECTS),
]


def parameters(drills: list[Drill]) -> list[object]:
    return [
        pytest.param(
            drill,
            id=drill.name.replace(" ", "-"),
            marks=[
                pytest.mark.fires(drill.alert, *drill.also),
                *([] if drill.quick else [pytest.mark.drill]),
            ],
        )
        for drill in drills
    ]


@pytest.mark.parametrize("drill", parameters(DRILLS))
def test_a_fault_is_told_once_and_in_time_and_nothing_else_pages(
    platform: Platform, drill: Drill, report: Report
) -> None:
    check(platform, drill, report)


@pytest.mark.parametrize("drill", parameters(FEED_DRILLS))
def test_a_fault_of_the_feed_in_a_long_session_is_told_once_and_in_time_and_nothing_else_pages(
    long_session: Platform, drill: Drill, report: Report
) -> None:
    check(long_session, drill, report)


def check(platform: Platform, drill: Drill, report: Report) -> None:
    began = time.time()
    with drill.fault(platform):
        counted = when_counted(platform, drill) if drill.counted else None
        told = platform.wait_for_page(drill.alert, "firing", began, drill.seconds + 60, channel=drill.channel)
        time.sleep(max(0.0, began + drill.lasts - time.time()))
    over = time.time()
    resolved = platform.wait_for_page(drill.alert, "resolved", over, drill.resolves + 60, channel=drill.channel)
    try:
        platform.wait_until_well(drill.well)
    finally:
        row = report.told(
            platform, drill.alert, began, [told.received_at - began], [resolved.received_at - over], drill.channel
        )

    if counted is not None:
        report.measured("from the desk's own count to the page", [told.received_at - counted])
        assert told.received_at - counted <= PAGE_SECONDS
    assert row.pages == []
    assert once(platform.pages(began, drill.channel), drill.alert)
    assert told.received_at - began <= drill.seconds
    assert resolved.received_at - over <= drill.resolves
    assert [text for text in drill.says if text not in f"{told.labels} {told.annotations}"] == []
    assert set(drill.also) <= set(row.slack)


def when_counted(platform: Platform, drill: Drill) -> float:
    url = f"{platform.url('execution_gateway')}/metrics"
    pattern = re.compile(drill.counted, re.MULTILINE)
    wait_until(lambda: pattern.search(platform.http.get(url).text), drill.seconds, f"/metrics shows {drill.counted}")
    return time.time()


def once(pages: list[Page], alert: str) -> bool:
    """Whether it is one incident, and each alert in it fires and then resolves.

    Another duty of the desk that is late joins the incident of the first (group_by in infra/alertmanager/config.yml).
    """
    incidents = {
        tuple(page.labels.get(label) for label in ("symbol", "job", "dependency"))
        for page in pages
        if page.name == alert
    }
    statuses = defaultdict(list)
    for page in pages:
        if page.name == alert:
            statuses[tuple(sorted(page.labels.items()))].append(page.status)
    ways = [[status for status, _ in itertools.groupby(each)] for each in statuses.values()]
    return len(incidents) == 1 and ["firing", "resolved"] in ways and all(way in ENDS for way in ways)


ENDS = (["firing", "resolved"], ["resolved"])
"""An alert that joins and is over before the incident is told again is told only as over, beside the others."""
