"""How many workers a service should have: what its web server was told to start."""

from __future__ import annotations

import logging
import sys

from telemetry import environment
from telemetry.catalogue import workers_expected

logger = logging.getLogger(__name__)


def asked() -> int | None:
    """The number that uvicorn and gunicorn start: `--workers` or `-w`, else `WEB_CONCURRENCY`. None: none was named."""
    counts = [environment.read("WEB_CONCURRENCY")]
    arguments = sys.argv
    for at, argument in enumerate(arguments):
        if argument in ("--workers", "-w"):
            counts.append(arguments[at + 1] if at + 1 < len(arguments) else "")
        elif argument.startswith("--workers="):
            counts.append(argument.partition("=")[2])
    numbers = [int(count) for count in counts if count.isascii() and count.isdecimal() and int(count) > 0]
    return numbers[-1] if numbers else None


def expect(exporters: set[str], workers: int | None, *, serves: bool) -> None:
    """Shows `workers_expected` if this process sends its metrics: then nobody asks it whether it is there.

    `workers` is what the service says. Without it, what the web server was told counts if the process `serves`: a
    program without an application may have the same environment, and is one process.
    """
    if workers is not None and (type(workers) is not int or workers < 1):
        logger.warning("init(workers=%r) is not used: it is no whole number above zero", workers)
        workers = None
    if "otlp" not in exporters:
        return
    number = asked() if workers is None and serves else workers
    if number is not None:
        workers_expected.set(number)


def warn(exporters: set[str]) -> None:
    """Several processes behind one port: each scrape sees another one."""
    if "prometheus" in exporters and (asked() or 1) > 1:
        logger.warning(
            "several workers share one port, so each scrape of /metrics sees another one of them: "
            "set OTEL_METRICS_EXPORTER=otlp, so that each sends its own metrics, or run one worker a port"
        )
