"""Starts the execution gateway with `uvicorn --factory apps.execution_gateway.main:app`."""

import gc

from fastapi import FastAPI

from apps.execution_gateway.app import create
from apps.execution_gateway.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """The application. Logging is set up first, so that all errors at the start are logged in the same form."""
    set_up_logging("execution_gateway")
    built = create(load(Settings))
    # A full collection stops all work. It need not look at what the imports made, which never becomes garbage.
    gc.collect()
    gc.freeze()
    return built
