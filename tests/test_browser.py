"""A page that logs an error, raises one, or asks another origin fails its test; one that does not passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Visits, unexpected
from tests.infra.viewer.serving import Behind, behind
from tests.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def server() -> Iterator[Behind]:
    with behind() as running:
        running.headers = {"Content-Type": "text/html"}
        yield running


def page(server: Behind, script: str) -> None:
    html = f"<!doctype html><title>A page</title><link rel=icon href=data:,><p>text<script>{script}</script>"
    server.body = lambda handler: handler.wfile.write(html.encode())


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('it burns')", "an error in the console: it burns"),
        ("throw new Error('it burns')", "an error that nobody caught: it burns"),
        ("Promise.reject(new Error('it burns'))", "an error that nobody caught: it burns"),
        ("fetch('http://127.0.0.1:1/x').catch(() => 0)", "a request to another origin: http://127.0.0.1:1/x"),
        ("new Image().src = 'http://localhost:1/x.png'", "a request to another origin: http://localhost:1/x.png"),
    ],
)
async def test_what_a_page_may_not_do_is_noted(visits: Visits, server: Behind, script: str, problem: str) -> None:
    page(server, script)

    await visits.open(server.url)

    await until(lambda: any(problem in each for each in visits.problems), "it is noted")
    assert visits.unexpected() == visits.problems
    visits.expected = ["."]


async def test_what_it_may_do_is_not(visits: Visits, server: Behind) -> None:
    page(server, "console.warn('warm'); fetch('/here'); new Image().src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='")

    opened = await visits.open(server.url, width=400, colors="light")

    assert await opened.inner_text("p") == "text"
    assert await opened.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: light)').matches]") == [400, True]
    await until(lambda: "/here" in [asked.path for asked in server.asked], "it asks its own origin")


async def test_only_what_a_test_names_is_expected() -> None:
    problems = ["an error in the console: 502 (Bad Gateway)", "an error in the console: it burns"]

    assert unexpected(problems, ["502"]) == problems[1:]
