"""Starts the signal service with `uvicorn --factory apps.signal_service.main:app`."""

from fastapi import FastAPI

from apps.settings import load
from apps.signal_service.app import create
from apps.signal_service.settings import Settings
from telemetry import set_up_logging


def app() -> FastAPI:
    """The application. Logging is set up first, so that all errors at the start are logged in the same form."""
    set_up_logging("signal_service")
    return create(load(Settings))
