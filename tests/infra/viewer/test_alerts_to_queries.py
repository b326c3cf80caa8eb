"""From an alert to its page, its runbook and an answer, without leaving the viewer: in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import Visits
from tests.infra.grafana.live import Prometheus
from tests.infra.prometheus.test_alerts import NAMES
from tests.infra.viewer.pages import change
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

# Twice the ten seconds in which a page arrives, and a refresh.
PAGE_SECONDS = 30


async def test_every_alert_rule_is_listed_and_the_watchdog_beats(
    visits: Visits, viewer: str, prometheus: Prometheus
) -> None:
    page = await visits.open(f"{viewer}/alerts")
    await expect(page.get_by_text(re.compile(r"Watchdog beats, \d+ s ago"))).to_be_visible(timeout=15_000)

    loaded = {rule["name"] for group in prometheus.ask("rules", type="alert")["groups"] for rule in group["rules"]}

    assert loaded == set(NAMES)
    for name in loaded - {"Watchdog"}:
        await expect(page.locator("main")).to_contain_text(name)


async def test_a_trip_is_followed_from_the_alert_to_the_page_the_runbook_and_the_query_without_a_reload(
    visits: Visits, viewer: str, stack: Stack
) -> None:
    page = await visits.open(f"{viewer}/alerts")
    await expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=15_000)
    await page.evaluate("window.notReloaded = true")

    change(stack, "trip")
    try:
        rule = page.get_by_role("article").filter(has=page.get_by_role("heading", name="CircuitBreakerTripped"))
        await expect(rule).to_contain_text("Firing", timeout=PAGE_SECONDS * 1000)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("critical")
        arrived = page.get_by_role("listitem").filter(has_text="CircuitBreakerTripped").filter(has_text="pagerduty")
        await expect(arrived.first).to_contain_text("firing", timeout=PAGE_SECONDS * 1000)

        await rule.get_by_role("link", name="Runbook").click()
        await expect(page).to_have_url(f"{viewer}/runbooks#circuitbreakertripped")
        heading = page.get_by_role("heading", name="CircuitBreakerTripped", exact=True)
        await expect(heading).to_be_in_viewport()
        section = page.locator("section").filter(has=heading)  # other alerts may fire as well
        await expect(section.get_by_text(re.compile(r"Fires now, for \d+"))).to_be_visible(timeout=10_000)

        await page.get_by_role("main").get_by_role("link", name="circuit_breaker_state", exact=True).first.click()
        table = page.get_by_role("table", name="Latest values")
        await expect(table.get_by_role("cell", name="1", exact=True)).to_be_visible(timeout=15_000)
        assert await page.evaluate("window.notReloaded")
    finally:
        change(stack, "reset")


async def test_it_says_that_the_pager_is_away(visits: Visits, viewer: str, stack: Stack) -> None:
    visits.expected = [r"the server responded with a status of 50[234]"]
    page = await visits.open(f"{viewer}/alerts")
    await expect(page.get_by_text("Watchdog beats, ")).to_be_visible(timeout=15_000)

    stack.control.hold_down("pager")
    try:
        await expect(page.get_by_text("The pager does not answer").first).to_be_visible(timeout=20_000)
    finally:
        stack.control.release("pager")

    await expect(page.get_by_text("The pager does not answer").first).to_be_hidden(timeout=30_000)


async def test_a_link_to_a_runbook_shows_its_heading_and_every_alert_has_one(visits: Visits, viewer: str) -> None:
    page = await visits.open(f"{viewer}/runbooks#deskdutylate")

    await expect(page.get_by_role("heading", name="DeskDutyLate", exact=True)).to_be_in_viewport(timeout=15_000)
    headings = await page.get_by_role("main").get_by_role("heading", level=2).all_inner_texts()
    assert set(NAMES) <= set(headings)


async def explore(page: Page, query: str) -> None:
    await page.get_by_role("textbox", name="Query").click()
    await page.keyboard.type(query)
    await page.keyboard.press("Escape")  # what is proposed
    await page.keyboard.press("Shift+Enter")


async def values(page: Page) -> dict[str, float]:
    """The newest value by the only label."""
    rows = page.get_by_role("table", name="Latest values").get_by_role("row")
    cells = [await row.get_by_role("cell").all_inner_texts() for row in await rows.all()]
    return {label: float(value) for value, label in (each for each in cells if each)}


async def test_a_query_has_the_answer_of_prometheus_and_its_link_shows_the_same(
    visits: Visits, viewer: str, prometheus: Prometheus
) -> None:
    query = "count by (job) (up)"
    # Of this job a target is scraped once a minute, so that its count grows in the first one.
    all_there = "count(up{job='metadata'}) == 4"
    wait_until(lambda: prometheus.ask("query", query=all_there)["result"], 70, "every target was scraped", every=1)
    expected = {
        each["metric"]["job"]: float(each["value"][1]) for each in prometheus.ask("query", query=query)["result"]
    }
    first = await visits.open(f"{viewer}/explore")

    await explore(first, query)

    await expect(first.get_by_role("table", name="Latest values")).to_be_visible(timeout=15_000)
    assert await values(first) == expected
    second = await visits.open(first.url)
    await expect(second.get_by_role("table", name="Latest values")).to_be_visible(timeout=15_000)
    assert await values(second) == expected


async def test_names_of_metrics_are_proposed(visits: Visits, viewer: str) -> None:
    page = await visits.open(f"{viewer}/explore")
    await page.get_by_role("textbox", name="Query").click()

    await page.keyboard.type("circuit_breaker_st")

    await expect(page.get_by_role("option", name="circuit_breaker_state").first).to_be_visible(timeout=15_000)


async def test_a_wrong_query_is_answered_with_prometheus_own_words(
    visits: Visits, viewer: str, prometheus: Prometheus
) -> None:
    visits.expected = ["the server responded with a status of 400"]
    page = await visits.open(f"{viewer}/explore")

    await explore(page, "sum by (job")

    await expect(page.get_by_text("parse error").first).to_be_visible(timeout=15_000)
