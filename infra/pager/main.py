"""The factory that `uvicorn --factory infra.pager.main:app --port 9099` calls."""

import os
from pathlib import Path

from fastapi import FastAPI

from apps.hosts import allowed_hosts
from infra.pager.app import create
from telemetry import set_up_logging


def app() -> FastAPI:
    """Reads PAGER_DATA, the folder of the journal, and ALLOWED_HOSTS, the host names that the pager answers to."""
    set_up_logging("pager")
    return create(Path(os.environ.get("PAGER_DATA", ".local/data/pager")), hosts=allowed_hosts())
