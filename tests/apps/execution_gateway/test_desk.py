"""The desk at work in the real gateway."""

from __future__ import annotations

import httpx


def test_the_limit_on_exposure_is_shown_from_the_start(client: httpx.Client) -> None:
    assert "gross_exposure_limit_dollars 1500000" in client.get("/metrics").text.splitlines()
