"""The factory that `uvicorn --factory infra.viewer.main:app --port 3000` calls."""

import os
from urllib.parse import urlsplit

from fastapi import FastAPI

from apps.hosts import hosts_from
from infra.viewer.app import create
from telemetry import set_up_logging


def app() -> FastAPI:
    """Reads PROMETHEUS_URL and PAGER_URL, and ALLOWED_HOSTS, the host names that the viewer answers to."""
    set_up_logging("viewer")
    hosts = hosts_from(os.environ.get("ALLOWED_HOSTS", ""))
    return create(
        _address("PROMETHEUS_URL", "http://127.0.0.1:9090"), _address("PAGER_URL", "http://127.0.0.1:9099"), hosts=hosts
    )


def _address(variable: str, usual: str) -> str:
    """The address in a variable. Ends the process if it is none, without showing it: it may hold a password."""
    address = os.environ.get(variable) or usual
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise SystemExit(f"{variable}: is not an address like {usual}")
    return address
