"""Starts the orchestrator with `uvicorn --factory apps.orchestrator.main:app`."""

from fastapi import FastAPI

from apps.orchestrator.app import create
from apps.orchestrator.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """The application. Logging is set up first, so that all errors at the start are logged in the same form."""
    set_up_logging("orchestrator")
    return create(load(Settings))
