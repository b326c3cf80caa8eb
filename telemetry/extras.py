"""Packages that are needed only for some uses. They are loaded when they are used; a missing one is a sentence."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

EXTRAS = {
    "asyncpg": "asyncpg",
    "fastapi": "fastapi",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter": "otlp",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter": "otlp",
    "opentelemetry.instrumentation.asgi": "starlette",
    "opentelemetry.instrumentation.asyncpg": "asyncpg",
    "opentelemetry.instrumentation.fastapi": "fastapi",
    "opentelemetry.instrumentation.httpx": "httpx",
    "opentelemetry.instrumentation.redis": "redis",
    "redis.asyncio": "redis",
    "redis.observability": "redis",
}
"""Which extra of this package installs each module."""


class Missing(Exception):
    """A package is not installed. The text says what to install."""


def load(module: str) -> Any:
    """Imports a module of an extra. Raises `Missing` with a sentence if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(
            f"{error.name or module} is not installed: run pip install 'trading-telemetry[{EXTRAS[module]}]'"
        ) from error


def is_installed(package: str) -> bool:
    """Whether a package could be imported."""
    return importlib.util.find_spec(package) is not None
