"""Each service answers what its OpenAPI says, whatever it is asked for a minute, and with no error of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.servers import both, folder
from tests.services import Service, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(300)]

SECONDS = 60
# A door may refuse what a schema cannot say: an order for a symbol that nobody quotes is invalid input (422).
NOT_CHECKED = "positive_data_acceptance"
SERVICES = {
    "market_data_service": "MARKET_DATA_URL",
    "signal_service": "SIGNAL_SERVICE_URL",
    "execution_gateway": "EXECUTION_GATEWAY_URL",
    "orchestrator": "",
}
"""The four services in the order of their start, and the variable in which the later ones find them."""


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Service]]:
    """All four, in one long session of the market. The limits on the rate of orders are out of the way."""
    with both() as (postgres, redis), folder() as place, ExitStack() as stack:
        settings = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "REPLAY_DAY_SECONDS": "3600",
            "ORDER_RATE_LIMIT_PER_SECOND": "1000",
            "ORDER_RATE_LIMIT_PER_MINUTE": "10000",
        }
        started = {}
        for name, variable in SERVICES.items():
            started[name] = stack.enter_context(running(name, place, settings))
            settings[variable or "UNUSED"] = started[name].url
        # From here on nothing has to say that it is not known yet.
        for name, path in (("signal_service", "targets"), ("execution_gateway", "pnl")):
            url = f"{started[name].url}/api/v1/{path}"
            wait_until(lambda url=url: httpx.get(url).status_code == 200, 20, f"{url} has an answer")  # type: ignore[misc]
        yield started


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_conforms_to_its_openapi_and_has_no_error_of_its_own(
    services: dict[str, Service], name: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{services[name].url}/openapi.json", "--max-time", str(SECONDS)),
            *("--exclude-checks", NOT_CHECKED, "--continue-on-failure", "--no-color"),
        ],
        cwd=tmp_path,  # it remembers in a folder what failed
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert httpx.get(f"{services[name].url}/health").status_code == 200
    assert "Traceback" not in services[name].log.read_text()
