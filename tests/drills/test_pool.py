"""A lock that somebody forgot holds all connections of a service: a warning, and a page for the requests that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from apps.database import CONNECTIONS
from tests.drills.faults import again_and_again, locked
from tests.drills.figures import Report
from tests.drills.platform import Platform

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(900)]

WARNING_SECONDS = 40
"""3 s until the pool is full, up to 5 s to the next scrape and 4.2 s on its way, 15 s, and 5 s for Slack's group."""
POOL = '{job="orchestrator", db_client_connection_pool_name="postgresql"'


@contextmanager
def asking(url: str) -> Iterator[None]:
    """A caller that asks again and again."""
    with httpx.Client(timeout=15) as client, again_and_again(lambda: client.get(url), 0.05):
        yield


@pytest.mark.fires("DatabasePoolExhausted", "HttpErrorBudgetBurn")
def test_a_forgotten_lock_that_holds_all_connections_is_told_and_resolves_when_it_is_gone(
    platform: Platform, report: Report
) -> None:
    # Most of what was asked in this hour has failed, so the page about the error budget is true. It stays for the five
    # minutes of its short window.
    # The gateway cannot run out of connections: one task of it writes, and at most four requests read at once.
    url = f"{platform.url('orchestrator')}/api/v1/runs"
    with ExitStack() as callers:
        with locked(platform, "orchestrator.runs"):
            began = time.time()
            for _ in range(2 * CONNECTIONS):
                callers.enter_context(asking(url))
            told = platform.wait_for_page("DatabasePoolExhausted", "firing", began, 90, channel="slack")
            most = platform.query(f"db_client_connection_max{POOL}}}")
            used = platform.query(
                f'max_over_time(db_client_connection_count{POOL}, db_client_connection_state="used"}}[30s])'
            )
            timed_out = platform.query(
                'sum(increase(db_client_errors_total{job="orchestrator", db_system="postgresql"}[30s]))'
            )
        released = time.time()
        gone = platform.wait_for_page("DatabasePoolExhausted", "resolved", released, 90, channel="slack")

    burns = platform.wait_for_page("HttpErrorBudgetBurn", "firing", began, 180)
    burnt = platform.wait_for_page("HttpErrorBudgetBurn", "resolved", burns.received_at, 480)
    platform.wait_until_well(60)
    report.told(platform, "HttpErrorBudgetBurn", began, [burns.received_at - began], [burnt.received_at - released])
    to_page, to_resolve = [told.received_at - began], [gone.received_at - released]
    report.told(platform, "DatabasePoolExhausted", began, to_page, to_resolve, "slack")

    assert [value for _, value in most] == [CONNECTIONS]
    assert [value for _, value in used] == [CONNECTIONS]
    assert timed_out[0][1] > CONNECTIONS
    assert "orchestrator" in told.annotations["summary"]
    assert told.received_at - began <= WARNING_SECONDS
    assert platform.said(began) == [("HttpErrorBudgetBurn", "firing"), ("HttpErrorBudgetBurn", "resolved")]
