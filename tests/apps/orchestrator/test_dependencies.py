"""What the orchestrator says of the services that it needs, at its start and later."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from apps.catalogue import dependency_available
from apps.labels import DependencyLabels
from apps.orchestrator.dependencies import START_SECONDS, Dependencies
from telemetry.testing import Recorded


class Health:
    """Two services, whose health a test sets."""

    def __init__(self) -> None:
        self.status = {"gateway": 503, "signals": 200}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status = self.status[request.url.host]
        if status == 0:
            raise httpx.ConnectError("refused")
        return httpx.Response(status)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("apps.orchestrator.dependencies.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
async def dependencies(health: Health, clock: list[float]) -> AsyncIterator[Dependencies]:
    transport = httpx.MockTransport(health)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway,
        httpx.AsyncClient(transport=transport, base_url="http://signals") as signals,
    ):
        yield Dependencies({"execution-gateway": gateway, "signal-service": signals})


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return told


async def test_the_health_of_the_services_is_in_the_metrics(dependencies: Dependencies, recorded: Recorded) -> None:
    await dependencies.ask()

    assert recorded(dependency_available, DependencyLabels(dependency="signal-service")) == 1
    assert recorded(dependency_available, DependencyLabels(dependency="execution-gateway")) == 0


async def test_a_service_that_still_starts_is_no_warning_until_the_start_is_over(
    dependencies: Dependencies, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    for _ in range(2):
        assert await dependencies.start()
    clock[0] += START_SECONDS - 0.1
    assert await dependencies.start()
    assert said(caplog) == [
        ("INFO", "waiting for execution-gateway, which has just been started too: it answers 503"),
        ("INFO", "signal-service is healthy"),
    ]

    clock[0] += 0.1
    assert not await dependencies.start()
    for _ in range(2):
        await dependencies.ask()
    assert said(caplog) == [("WARNING", "asking execution-gateway whether it is healthy fails: it answers 503")]


async def test_a_service_that_was_healthy_once_is_a_warning_at_once(
    dependencies: Dependencies, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    await dependencies.ask()
    said(caplog)

    for health.status["signals"] in (503, 503, 0, 200):
        await dependencies.ask()

    begun, other, over = said(caplog)
    assert begun == ("WARNING", "asking signal-service whether it is healthy fails: it answers 503")
    assert other == ("WARNING", "asking signal-service whether it is healthy fails: ConnectError: refused")
    assert over[0] == "INFO"
    assert over[1].startswith("asking signal-service whether it is healthy works again, after 3 failures")


async def test_nothing_is_asked_at_a_run_once_all_have_been_healthy(dependencies: Dependencies, health: Health) -> None:
    health.status["gateway"] = 200
    assert not await dependencies.start()

    health.status.clear()  # a question would raise now
    assert not await dependencies.start()
