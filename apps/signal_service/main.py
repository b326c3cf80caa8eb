"""The signal service as `uvicorn --factory apps.signal_service.main:app` starts it."""

from fastapi import FastAPI

from apps.settings import load
from apps.signal_service.app import create
from apps.signal_service.settings import Settings
from telemetry import set_up_logging


def app() -> FastAPI:
    """Logging comes first: it is to show whatever goes wrong after it."""
    set_up_logging("signal_service")
    return create(load(Settings))
