"""The viewer in a real browser, in front of the running platform: what people see is what Prometheus says."""

from __future__ import annotations

from urllib.parse import parse_qs

import httpx
import pytest
from playwright.async_api import Page, Request, expect

from tests.browser import Visits
from tests.infra.grafana.boards import DASHBOARDS, TARGETS
from tests.infra.grafana.live import Prometheus
from tests.infra.viewer.pages import TALL, change, colour, drawn, focused, matches, numbers, overflow, panel, titles
from tests.stack import Stack
from tests.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

# What a scrape and a refresh take, and as much again.
FRESH_SECONDS = 20
PAGES = ("/", *(f"/d/{board}" for board in DASHBOARDS), "/alerts", "/runbooks", "/explore")


def answer(prometheus: Prometheus, board: str, title: str) -> list[float]:
    """The newest values of the queries of a panel."""
    targets = [target for target in TARGETS if (target.board, target.panel["title"]) == (board, title)]
    assert targets
    series = [each for target in targets for each in prometheus.draw(target)]
    return [float(each["value"][1] if "value" in each else each["values"][-1][1]) for each in series]


async def agree(page: Page, prometheus: Prometheus, board: str, title: str, factor: float = 1) -> None:
    """Waits until the numbers of a panel are an answer of Prometheus since this began.

    They move, and the page asks every few seconds: its numbers may always be those of a moment ago.
    """
    seen: list[list[float]] = []
    for _ in range(FRESH_SECONDS * 4):
        values = [value * factor for value in answer(prometheus, board, title)]
        if values not in seen:
            seen.append(values)
        shown = await numbers(page, title)
        if any(matches(shown, values) for values in seen):
            return
        await page.wait_for_timeout(250)
    raise AssertionError(f"{title}: the page shows {shown}, and Prometheus said {seen}")


@pytest.mark.parametrize("board", DASHBOARDS)
async def test_every_panel_of_a_dashboard_is_drawn_and_refreshed_without_an_error(
    visits: Visits, viewer: str, board: str
) -> None:
    page = await visits.open(f"{viewer}/d/{board}", height=TALL)

    await drawn(page, board)

    assert await page.locator("main section h2").all_inner_texts() == titles(board)
    assert await page.get_by_text("viewer does not").count() == 0
    assert await page.get_by_text("could not be drawn").count() == 0
    assert DASHBOARDS[board]["title"] in await page.title()
    async with page.expect_response(lambda each: "/api/prometheus/api/v1/query" in each.url, timeout=10_000):
        pass


async def test_the_first_page_shows_a_dashboard(visits: Visits, viewer: str) -> None:
    page = await visits.open(viewer)

    await expect(panel(page, "Circuit breaker")).to_have_text("OPEN", timeout=10_000)


async def test_what_the_first_window_shows_is_asked_before_anything_is_drawn_and_once(
    visits: Visits, viewer: str
) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview?refresh=")
    await drawn(page, "trading-overview")
    asked: list[tuple[str, str, str]] = []

    def note(request: Request) -> None:
        if "/api/v1/query" in request.url:
            form = parse_qs(request.post_data or "")
            asked.append((request.url, form["query"][0], form.get("step", ["instant"])[0]))

    page.on("request", note)
    await page.reload()
    await drawn(page, "trading-overview")

    first, painted = await page.evaluate(
        "new Promise((done) => new PerformanceObserver((list) => done(["
        " performance.getEntriesByType('resource').find((each) => each.name.includes('/api/v1/query')).startTime,"
        " list.getEntries()[0].startTime,"
        "])).observe({ type: 'paint', buffered: true }))"
    )
    assert first < painted
    assert len(asked) > 10
    assert sorted(asked) == sorted(set(asked))


@pytest.mark.parametrize(
    ("title", "factor"),
    [("Open positions", 1), ("Total P&L", 1), ("Daily P&L", 1), ("Worst daily loss, part of the limit", 100)],
)
async def test_a_number_is_the_one_that_prometheus_answers(
    visits: Visits, viewer: str, prometheus: Prometheus, title: str, factor: float
) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview")

    await drawn(page, "trading-overview")

    await agree(page, prometheus, "trading-overview", title, factor)


async def test_a_trade_moves_the_numbers_without_a_reload(
    visits: Visits, viewer: str, prometheus: Prometheus, stack: Stack
) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview")
    await agree(page, prometheus, "trading-overview", "Open positions")
    before = int(await panel(page, "Open positions").inner_text())
    await page.evaluate("window.notReloaded = true")

    sell(stack, "KO")

    await expect(panel(page, "Open positions")).to_have_text(str(before - 1), timeout=FRESH_SECONDS * 1000)
    await agree(page, prometheus, "trading-overview", "Total P&L")
    assert await page.evaluate("window.notReloaded")


def sell(stack: Stack, symbol: str) -> None:
    """All shares of it."""
    with httpx.Client(base_url=f"{stack.addresses['execution_gateway']}/api/v1", timeout=10) as gateway:
        shares = gateway.get("/positions").json()["positions"][symbol]["shares"]
        sold = gateway.post("/orders", json={"symbol": symbol, "side": "sell", "qty": shares})
        assert sold.status_code == 201, sold.text


async def test_a_trip_turns_the_breaker_red(visits: Visits, viewer: str, stack: Stack) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview")
    breaker = panel(page, "Circuit breaker")
    await expect(breaker).to_have_text("OPEN", timeout=10_000)
    red, green, _ = await colour(breaker)
    assert green > red

    change(stack, "trip")
    try:
        await expect(breaker).to_have_text("TRIPPED", timeout=FRESH_SECONDS * 1000)
        red, green, _ = await colour(breaker)
        assert red > 2 * green
    finally:
        change(stack, "reset")

    await expect(breaker).to_have_text("OPEN", timeout=FRESH_SECONDS * 1000)


async def test_it_says_that_prometheus_is_away_and_recovers_with_it(
    visits: Visits, viewer: str, prometheus: Prometheus, stack: Stack
) -> None:
    visits.expected = [r"the server responded with a status of 50[234]"]
    page = await visits.open(f"{viewer}/d/trading-overview")
    await drawn(page, "trading-overview")

    stack.control.hold_down("prometheus")
    try:
        away = page.get_by_text("Prometheus does not answer since")
        await expect(away).to_be_visible(timeout=FRESH_SECONDS * 1000)
        await expect(page.get_by_text("make logs SERVICE=prometheus")).to_be_visible()
    finally:
        stack.control.release("prometheus")

    await expect(away).to_be_hidden(timeout=60_000)
    await until(lambda: bool(answer(prometheus, "trading-overview", "Open positions")), "it has samples", 30)
    await agree(page, prometheus, "trading-overview", "Open positions")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_to_be_scrolled_sideways(visits: Visits, viewer: str, path: str, width: int) -> None:
    page = await visits.open(f"{viewer}{path}", width=width)
    await page.wait_for_load_state("networkidle")

    assert await overflow(page) == 0


async def test_the_pages_are_reached_by_keyboard_alone(visits: Visits, viewer: str) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview")
    await drawn(page, "trading-overview")
    reached = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        reached.append(await focused(page))

    for name in ("Dashboards", "Alerts", "Runbooks", "Explore"):
        assert name in reached
    assert any(name.startswith("Time range selected: ") for name in reached)
    await page.get_by_role("link", name="Alerts").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/alerts")


@pytest.mark.parametrize(
    ("opener", "opened"),
    [
        ("button[aria-label='Menu for panel Profit and loss']", "[role=menu]"),
        ("section:has-text('PostgreSQL') button[aria-label$=' links']", "[role=menu]"),
        ("button[aria-label^='Choose refresh time interval']", "[role=menu]"),
        ("button[aria-label^='Time range selected: ']", "#TimePickerContent"),
        ("input[aria-label=Dashboard]", "[role=listbox]"),
        ("#var-symbol", "[role=listbox]"),
    ],
    ids=["panel", "links", "refresh", "time", "dashboard", "variable"],
)
async def test_what_opens_is_in_the_window_and_the_page_stays_where_it_is_scrolled_to(
    visits: Visits, viewer: str, opener: str, opened: str
) -> None:
    page = await visits.open(f"{viewer}/d/trading-overview", height=600)
    button = page.locator(opener).first
    await drawn(page, "trading-overview")
    await page.evaluate("scrollTo(0, 60)")
    await button.scroll_into_view_if_needed()
    await button.hover(force=True)
    before = await page.evaluate("scrollY")

    await button.click()

    menu = page.locator(f"{opened}:visible").first
    await expect(menu).to_be_in_viewport(ratio=0.9)
    assert await page.evaluate("scrollY") == before


@pytest.mark.parametrize("board", ["trading-overview", "service-health"])
async def test_a_count_of_alerts_leads_to_them_without_a_reload(visits: Visits, viewer: str, board: str) -> None:
    page = await visits.open(f"{viewer}/d/{board}")
    await drawn(page, board)
    await page.evaluate("window.notReloaded = true")

    await panel(page, "Critical alerts").get_by_role("link").click()

    await page.wait_for_url("**/alerts")
    assert await page.evaluate("window.notReloaded")


async def test_a_runbook_that_is_opened_is_below_the_bar_of_pages(visits: Visits, viewer: str) -> None:
    page = await visits.open(f"{viewer}/runbooks#watchdog")
    heading = page.get_by_role("heading", name="Watchdog", exact=True)
    await expect(heading).to_be_in_viewport()

    bar = await page.locator("header").first.bounding_box()
    place = await heading.bounding_box()

    assert bar
    assert place
    assert bar["y"] == 0
    assert place["y"] >= bar["height"]


@pytest.mark.parametrize(("colors", "least", "most"), [("dark", 0, 60), ("light", 200, 255)])
async def test_it_is_as_dark_or_light_as_the_system(
    visits: Visits, viewer: str, colors: str, least: int, most: int
) -> None:
    page = await visits.open(viewer, colors=colors)  # type: ignore[arg-type]
    await expect(panel(page, "Circuit breaker")).to_have_text("OPEN", timeout=10_000)

    background = await page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")

    assert all(least <= each <= most for each in background[:3])
