"""The factory that `uvicorn --factory infra.pager.main:app --port 9099` calls."""

import os
from pathlib import Path

from fastapi import FastAPI

from apps.guard import OWN_HOSTS
from infra.pager.app import create
from telemetry import set_up_logging


def app() -> FastAPI:
    """Reads PAGER_DATA, the folder of the journal, and ALLOWED_HOSTS, the host names that the pager answers to."""
    set_up_logging("pager")
    hosts = [name.strip() for name in os.environ.get("ALLOWED_HOSTS", "").split(",") if name.strip()]
    return create(Path(os.environ.get("PAGER_DATA", ".local/data/pager")), hosts=hosts or OWN_HOSTS)
