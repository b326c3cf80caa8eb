"""Starts the market data service with `uvicorn --factory apps.market_data_service.main:app`."""

from fastapi import FastAPI

from apps.market_data_service.app import create
from apps.market_data_service.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """The application. Logging is set up first, so that all errors at the start are logged in the same form."""
    set_up_logging("market_data")
    return create(load(Settings))
