"""The market data service as `uvicorn --factory apps.market_data_service.main:app` starts it."""

from fastapi import FastAPI

from apps.market_data_service.app import create
from apps.market_data_service.settings import Settings
from apps.settings import load
from telemetry import set_up_logging


def app() -> FastAPI:
    """Logging comes first: it is to show whatever goes wrong after it."""
    set_up_logging("market_data")
    return create(load(Settings))
