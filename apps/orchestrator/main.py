"""The orchestrator as `uvicorn --factory apps.orchestrator.main:app` starts it."""

from fastapi import FastAPI

from apps.orchestrator.app import create
from apps.orchestrator.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """Logging comes first: it is to show whatever goes wrong after it."""
    set_up_logging("orchestrator")
    return create(load(Settings))
