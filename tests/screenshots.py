"""Makes the pictures in docs/images from a replay of March 2020: `make screenshots`.

The platform runs from 2020-03-05 until the loss of the 9th has tripped the breaker and the pages have arrived. What is
then on the screen is drawn by the viewer, and by the pager, which stands in for Slack and PagerDuty.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.browser import Visits, chromium
from tests.documents import ROOT
from tests.drills.platform import Platform
from tests.infra.grafana.boards import DASHBOARDS
from tests.infra.viewer.pages import TALL, drawn
from tests.stack import Stack

IMAGES = ROOT / "docs" / "images"
WIDTH = 1400
SCREEN = 900
PAGE_SECONDS = 150


def main() -> int:
    """Writes the pictures. Takes some three minutes."""
    IMAGES.mkdir(exist_ok=True)
    with Stack({"REPLAY_START": "2020-03-05"}) as stack, Platform(stack) as platform:
        print("waiting until the loss of 2020-03-09 has tripped the breaker, some 75 s", flush=True)
        for name in ("DailyLossExceeded", "CircuitBreakerTripped"):
            platform.wait_for_page(name, "firing", 0, PAGE_SECONDS)
        asyncio.run(_pictures(stack))
    return 0


async def _pictures(stack: Stack) -> None:
    viewer, pager = stack.addresses["viewer"], stack.addresses["pager"]
    async with chromium() as running:
        visits = Visits(running)
        for board in DASHBOARDS:
            page = await visits.open(f"{viewer}/d/{board}?from=now-5m&to=now", width=WIDTH, height=TALL)
            await drawn(page, board)
            height = await page.evaluate("document.querySelector('main').getBoundingClientRect().bottom")
            await page.screenshot(path=_file(board), clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        for name, url, heading in (
            ("alerts", f"{viewer}/alerts", "fires"),
            ("runbook", f"{viewer}/runbooks#circuitbreakertripped", "CircuitBreakerTripped"),
            ("explore", f"{viewer}/explore?expr=pnl_dollars&from=now-5m&to=now", "realized"),
            ("pager", pager, "CircuitBreakerTripped"),
        ):
            page = await visits.open(url, width=WIDTH, height=SCREEN)
            await page.get_by_text(heading).first.wait_for()
            await page.wait_for_timeout(1500)  # for the icons, which are loaded one by one
            await page.screenshot(path=_file(name))
        await visits.close()
    if problems := visits.unexpected():
        raise SystemExit("\n".join(problems))


def _file(name: str) -> Path:
    print(f"docs/images/{name}.png", flush=True)
    return IMAGES / f"{name}.png"


if __name__ == "__main__":
    sys.exit(main())
