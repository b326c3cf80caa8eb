"""Pages in a real Chromium: what a page may not do is noted, and fails the test that opened it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError, async_playwright

from infra.setup import browser
from tests import marks


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    marks.starts("Chromium")
    program = browser.found()
    assert program, browser.missing()
    async with async_playwright() as playwright:
        # Chromium's sandbox refuses to run as root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield running
        finally:
            await running.close()


class Visits:
    """Opens pages, each in a context of its own: no cache, no storage, nothing of another page.

    A page may not log an error, raise one that nobody catches, or ask another origin than its own for anything.
    """

    def __init__(self, running: Browser) -> None:
        self._browser = running
        self._contexts: list[BrowserContext] = []
        self.problems: list[str] = []
        self.expected: list[str] = []
        """Patterns of errors that a test brings about: "502" where Prometheus is away."""

    async def open(
        self,
        url: str,
        *,
        width: int = 1400,
        height: int = 900,
        colors: Literal["dark", "light"] = "dark",
    ) -> Page:
        """The page once its `load` event has come, which is before anything is drawn."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=colors, locale="en-GB", timezone_id="UTC"
        )
        self._contexts.append(context)
        own = _origin(url)

        def asked(request: Request) -> None:
            if _origin(request.url) != own and not request.url.startswith(("data:", "blob:")):
                self.problems.append(f"a request to another origin: {request.url}")

        context.on("request", asked)
        context.on("console", self._logged)
        context.on("weberror", self._raised)
        page = await context.new_page()
        await page.goto(url)
        return page

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def unexpected(self) -> list[str]:
        return unexpected(self.problems, self.expected)

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"an error in the console: {message.text} ({message.location['url']})")

    def _raised(self, error: WebError) -> None:
        self.problems.append(f"an error that nobody caught: {error.error}")


def unexpected(problems: Sequence[str], patterns: Sequence[str]) -> list[str]:
    return [problem for problem in problems if not any(re.search(pattern, problem) for pattern in patterns)]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
