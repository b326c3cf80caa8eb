"""The desk in a running gateway."""

from __future__ import annotations

import httpx


def test_the_exposure_limit_is_in_the_metrics_from_the_start(client: httpx.Client) -> None:
    assert "gross_exposure_limit_dollars 1500000" in client.get("/metrics").text.splitlines()
