"""The task document's two tests, as they are written there, against the real gateway."""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: F821 - the fixture below sets the names

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.server

client: httpx.Client
order_data: dict[str, object]


@pytest.fixture(autouse=True)
def names_of_the_task_document(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests read `client` and `order_data` as names of their module."""
    for name in ("client", "order_data"):
        monkeypatch.setitem(globals(), name, request.getfixturevalue(name))


def test_metrics_endpoint_exists():
    """Test that /metrics endpoint returns Prometheus metrics."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert "orders_total" in response.text


def test_order_counter_increments():
    """Test that orders_total counter increments on order placement."""
    # Place order
    client.post("/api/v1/orders", json=order_data)

    # Check metrics
    response = client.get("/metrics")
    assert "orders_total" in response.text
    assert 'symbol="AAPL"' in response.text


def test_the_order_counter_did_increment() -> None:
    """The document's second test would pass without its order: symbols are exposed at 0 beforehand."""
    series = 'orders_total{symbol="AAPL",side="buy",status="success"} '

    def count() -> int:
        lines = client.get("/metrics").text.splitlines()
        return next(int(line.removeprefix(series)) for line in lines if line.startswith(series))

    before = count()
    response = client.post("/api/v1/orders", json=order_data)

    assert response.status_code == 201
    assert count() == before + 1
