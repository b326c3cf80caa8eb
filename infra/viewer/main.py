"""The factory that `uvicorn --factory infra.viewer.main:app --port 3000` calls."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from apps.hosts import allowed_hosts
from infra.viewer.app import DASHBOARDS, create
from telemetry import set_up_logging


def app() -> FastAPI:
    """Reads the settings, which are variables.

    PROMETHEUS_URL and PAGER_URL are what it asks, ALLOWED_HOSTS the host names that it answers to, and DASHBOARDS is a
    folder with more dashboards than those of this project.
    """
    set_up_logging("viewer")
    prometheus, pager = (
        _address("PROMETHEUS_URL", "http://127.0.0.1:9090"),
        _address("PAGER_URL", "http://127.0.0.1:9099"),
    )
    return create(prometheus, pager, hosts=allowed_hosts(), boards=[DASHBOARDS, *_more_dashboards()])


def _more_dashboards() -> list[Path]:
    named = os.environ.get("DASHBOARDS")
    if not named:
        return []
    if not Path(named).is_dir():
        raise SystemExit(f"DASHBOARDS: {named} is not a folder")
    return [Path(named)]


def _address(variable: str, usual: str) -> str:
    """The address in a variable. Ends the process if it is none, without showing it: it may hold a password."""
    address = os.environ.get(variable) or usual
    try:
        parts = urlsplit(address)
        httpx.URL(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):
        known = False
    if not known:
        raise SystemExit(f"{variable}: is not an address like {usual}")
    return address
