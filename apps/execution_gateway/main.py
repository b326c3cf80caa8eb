"""The execution gateway as `uvicorn --factory apps.execution_gateway.main:app` starts it."""

from fastapi import FastAPI

from apps.execution_gateway.app import create
from apps.execution_gateway.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """Logging comes first: it is to show whatever goes wrong after it."""
    set_up_logging("execution_gateway")
    return create(load(Settings))
