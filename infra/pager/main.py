"""The pager as `uvicorn --factory infra.pager.main:app --port 9099` starts it."""

import os
from pathlib import Path

from fastapi import FastAPI

from infra.pager.app import create


def app() -> FastAPI:
    return create(Path(os.environ.get("PAGER_DATA", ".local/data/pager")))
