"""One stack for nearly all drills, on a calm market, so that a drill has caused every page. And the table of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drills.figures import Report, Row, drill_name, table
from tests.drills.platform import Platform
from tests.stack import Stack

LEFT_SECONDS = 400
"""Until nothing is left of the drill before: orders that were refused count for five minutes (OrderRejectionsHigh)."""

ROWS = pytest.StashKey[list[Row]]()


@contextmanager
def calm_market(settings: Mapping[str, str]) -> Iterator[Platform]:
    # Variables that must have no effect: a proxy that leads nowhere, and a number of workers for other programs.
    surroundings = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "WEB_CONCURRENCY": "2"}
    surroundings |= {"NO_PROXY": "", "no_proxy": ""}
    # So that a drill can bring about a fault inside of a service, and change nothing else of it.
    surroundings |= {"PYTHONPATH": str(Path(__file__).parent / "inside")}
    replay = {"REPLAY_FILE": "calm-2017.csv", "REPLAY_START": "2017-01-04"}
    with Stack({**replay, **surroundings, **settings}) as stack, Platform(stack) as platform:
        yield platform


@pytest.fixture(scope="session")
def running_platform() -> Iterator[Platform]:
    with calm_market({}) as platform:
        yield platform


@pytest.fixture
def platform(running_platform: Platform) -> Platform:
    """The stack, with everything well and nothing firing. What a drill that failed has left down is started again."""
    running_platform.start_what_is_down()
    running_platform.wait_until_well(LEFT_SECONDS)
    return running_platform


@pytest.fixture(scope="session")
def running_long_session() -> Iterator[Platform]:
    with calm_market({"REPLAY_DAY_SECONDS": "3600"}) as platform:
        yield platform


@pytest.fixture
def long_session(running_long_session: Platform) -> Platform:
    """Another stack, whose market does not close meanwhile: a symbol may be silent for longer than 20 s."""
    running_long_session.start_what_is_down()
    running_long_session.wait_until_well(LEFT_SECONDS)
    return running_long_session


@pytest.fixture
def report(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Report]:
    """Where a drill says what was told. The run ends with it."""
    made = Report(drill_name(request.node), record_property)
    yield made
    request.config.stash.setdefault(ROWS, []).extend(made.rows)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A drill that passes was told all that it says it fires. So what docs/drills.md says of it is true."""
    result = yield
    fires = {alert for mark in item.iter_markers("fires") for alert in mark.args}
    found = item.funcargs["report"].alerts if fires else set()  # type: ignore[attr-defined]
    assert fires <= found, f"it should fire {sorted(fires - found)}"
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table."""
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("what the drills fired")
        terminalreporter.write("\n".join([*table(rows), ""]))
