"""One stack for all drills, on a calm market, so that a drill has caused every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.platform import Platform
from tests.stack import Stack


@pytest.fixture(scope="session")
def running_platform() -> Iterator[Platform]:
    # Variables that must have no effect: a proxy that leads nowhere, and a number of workers for other programs.
    surroundings = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "WEB_CONCURRENCY": "2"}
    surroundings |= {"NO_PROXY": "", "no_proxy": ""}
    # So that a drill can block the event loop of a service, and nothing else of it.
    surroundings |= {"PYTHONPATH": str(Path(__file__).parent / "blocking")}
    replay = {"REPLAY_FILE": "calm-2017.csv", "REPLAY_START": "2017-01-04"}
    with Stack({**replay, **surroundings}) as stack, Platform(stack) as platform:
        yield platform


@pytest.fixture
def platform(running_platform: Platform) -> Platform:
    """The stack, with everything well and nothing firing."""
    running_platform.wait_until_well(60)
    return running_platform
