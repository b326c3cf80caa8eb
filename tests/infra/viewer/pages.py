"""What a test reads on a page and does to it: panels by their titles, what they show, whether they are drawn."""

from __future__ import annotations

import re
from typing import Any, Literal

import httpx
from playwright.async_api import Locator, Page

from tests.infra.grafana.boards import DASHBOARDS
from tests.stack import Stack

# A panel has content of its own once it is drawn: words, or a graph. Only what is in the window has to be.
_UNDRAWN = """() => [...document.querySelectorAll('main section')]
    .filter(section => section.getBoundingClientRect().top < innerHeight)
    .filter(section => {
        const content = section.querySelector('[data-testid="data-testid panel content"]');
        return !content || !(content.innerText.trim() || content.querySelector('canvas'));
    })
    .map(section => section.querySelector('h2')?.innerText ?? '')"""
TALL = 6000
"""A window so high that every panel of a dashboard is in it."""


def titles(board: str) -> list[str]:
    return [panel["title"] for panel in DASHBOARDS[board]["panels"] if panel["type"] != "row"]


def panel(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True).get_by_test_id("data-testid panel content")


async def drawn(page: Page, board: str, seconds: float = 20) -> None:
    """Waits until the page has every panel of the dashboard, and those in its window are drawn."""
    everything = f"count => document.querySelectorAll('main section').length === count && ({_UNDRAWN})().length === 0"
    # Not at each frame: to look costs the page its own time.
    await page.wait_for_function(everything, arg=len(titles(board)), timeout=seconds * 1000, polling=50)


async def numbers(page: Page, title: str) -> list[tuple[float, float]]:
    """The numbers that a panel shows, each with half of what its last digit stands for."""
    return [_number(*found) for found in _NUMBER.findall(await panel(page, title).inner_text())]


_NUMBER = re.compile(r"(-?)\$?(\d[\d,]*(?:\.\d+)?)\s*(K|Mil)?")


def _number(sign: str, digits: str, scale: str) -> tuple[float, float]:
    factor = {"": 1, "K": 1e3, "Mil": 1e6}[scale]
    decimals = len(digits.partition(".")[2])
    value = float(digits.replace(",", "")) * factor
    return (-value if sign else value), 0.5000001 * factor / 10**decimals


def matches(shown: list[tuple[float, float]], values: list[float]) -> bool:
    """Whether these are the numbers, in whatever order, as exactly as they are shown."""
    pairs = zip(sorted(shown), sorted(values), strict=False)
    return len(shown) == len(values) and all(abs(number - value) <= half for (number, half), value in pairs)


async def colour(locator: Locator) -> tuple[int, int, int]:
    """The colour of the background behind the words of a panel, which may be a gradient: then where it begins."""
    found: list[int] = await locator.evaluate(
        """content => [...content.querySelectorAll('*')]
            .map(each => getComputedStyle(each))
            .flatMap(style => [style.backgroundImage, style.backgroundColor])
            .map(text => text.match(/rgba?\\((\\d+), (\\d+), (\\d+)(, 0)?\\)/))
            .filter(match => match && !match[4])
            .map(match => match.slice(1, 4).map(Number))[0]"""
    )
    return found[0], found[1], found[2]


async def overflow(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    wider: Any = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(wider)


def change(stack: Stack, how: Literal["trip", "reset"]) -> None:
    """Trips or resets the circuit breaker."""
    body = {"reason": "a test of the viewer", "by": "test"}
    url = f"{stack.addresses['execution_gateway']}/api/v1/circuit-breaker/{how}"
    assert httpx.post(url, json=body, timeout=10).status_code == 200


async def focused(page: Page) -> str:
    """The words or the label of what the keyboard would act on."""
    name: Any = await page.evaluate(
        "(document.activeElement.ariaLabel || document.activeElement.innerText || document.activeElement.id).trim()"
    )
    return str(name)
