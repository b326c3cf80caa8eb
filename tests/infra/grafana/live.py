"""The dashboards' queries against a live Prometheus, as Grafana sends them."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import httpx

from tests.infra.grafana.boards import RANGE_SECONDS, STEP_SECONDS, Target, selected
from tests.stack import Stack
from tests.waiting import wait_until

# A calm market in a long session, so that orders are neither refused for the hour nor stopped by the breaker.
SETTINGS = {"REPLAY_FILE": "calm-2017.csv", "REPLAY_START": "2017-01-04", "REPLAY_DAY_SECONDS": "900"}


class Prometheus:
    """The API of a Prometheus."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The data of an answer. Fails when Prometheus refuses."""
        answer = self._client.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def values(self, query: str) -> list[str]:
        """What `label_values(metric, label)` of a variable finds."""
        [(metric, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", query)
        found: list[str] = self.ask(
            f"label/{label}/values", **{"match[]": metric, "start": time.time() - RANGE_SECONDS}
        )
        return found

    def draw(self, target: Target) -> list[dict[str, Any]]:
        """The series of a query that have a number to draw, with every variable at "All"."""
        expression = target.filled(selected(target.board, self.values))
        now = time.time()
        if target.instant:
            series = self.ask("query", query=expression, time=now)["result"]
            return [each for each in series if not math.isnan(float(each["value"][1]))]
        series = self.ask("query_range", query=expression, start=now - RANGE_SECONDS, end=now, step=STEP_SECONDS)[
            "result"
        ]
        return [each for each in series if any(not math.isnan(float(value)) for _, value in each["values"])]

    def close(self) -> None:
        self._client.close()


def trade(stack: Stack) -> None:
    """Waits for the desk's first orders, then places one of each kind: filled, refused, resting and cancelled."""
    prometheus = Prometheus(stack.addresses["prometheus"])
    wait_until(
        lambda: prometheus.ask("query", query="count(positions_current) == 20")["result"], 60, "20 positions", every=0.5
    )
    prometheus.close()
    with httpx.Client(base_url=f"{stack.addresses['execution_gateway']}/api/v1", timeout=10) as gateway:
        order = {"symbol": "AAPL", "side": "buy", "qty": 1}
        quotes = httpx.get(f"{stack.addresses['market_data_service']}/api/v1/quotes").json()
        assert gateway.post("/orders", json=order).status_code == 201
        assert gateway.post("/orders", json=order | {"qty": 10_000_000}).is_client_error
        far = f"{float(quotes['AAPL']['price']) * 1.05:.2f}"
        resting = gateway.post("/orders", json=order | {"side": "sell", "order_type": "limit", "limit_price": far})
        assert resting.status_code == 201, resting.text
        assert gateway.delete(f"/orders/{resting.json()['id']}").is_success
