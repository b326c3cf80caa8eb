"""How long each dashboard takes in a browser, from a cold start until it is drawn.

    python -m tests.benchmarks.viewer

Against the whole platform, after 2 min, or after as many seconds as are given. Cold: nothing is in the browser's cache.
The clock is the page's own: it starts when the page is asked for, and not when the browser makes an empty window.
What is in a window of 1400 x 900 has to be drawn within the limit; the whole dashboard, in a very high one, is shown
for comparison.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from playwright.async_api import Browser

from tests.browser import Visits, chromium
from tests.infra.grafana.boards import DASHBOARDS
from tests.infra.grafana.live import SETTINGS, trade
from tests.infra.viewer.pages import TALL, drawn
from tests.stack import Stack

ROUNDS = 5
LIMIT_SECONDS = 2.0
_SIZE = """performance.getEntriesByType('resource')
    .filter(({ name }) => name.includes('/assets/'))
    .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""


def main(wait_seconds: float) -> int:
    """Measures, prints a table, and returns 1 when a dashboard takes longer than the limit."""
    with Stack(SETTINGS) as stack:
        trade(stack)
        print(f"waiting {wait_seconds:.0f} s for data", flush=True)
        time.sleep(wait_seconds)
        return asyncio.run(_measure(stack.addresses["viewer"]))


async def _measure(url: str) -> int:
    worst = 0.0
    async with chromium() as running:
        await _opened(running, url, "slo", 900)  # the viewer compresses each file once, when it is first asked for
        print(f"from a cold start until it is drawn, {ROUNDS} rounds; limit {LIMIT_SECONDS:g} s in a usual window")
        for board in DASHBOARDS:
            usual = [await _opened(running, url, board, 900) for _ in range(ROUNDS)]
            whole = [await _opened(running, url, board, TALL) for _ in range(ROUNDS)]
            seconds = [each for each, _ in usual]
            worst = max(worst, *seconds)
            print(
                f"{board:20} median {statistics.median(seconds):.2f} s   worst {max(seconds):.2f} s"
                f"   whole: median {statistics.median(each for each, _ in whole):.2f} s"
                f"   scripts and styles: {usual[0][1] / 1000:.0f} kB"
            )
    return int(worst > LIMIT_SECONDS)


async def _opened(running: Browser, url: str, board: str, height: int) -> tuple[float, int]:
    """The seconds until it was drawn, and the bytes of its files, as they were sent."""
    visits = Visits(running)
    page = await visits.open(f"{url}/d/{board}", height=height)
    await drawn(page, board)
    took: float = await page.evaluate("performance.now()") / 1000
    size: int = await page.evaluate(_SIZE)
    await visits.close()
    return took, size


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 120))
