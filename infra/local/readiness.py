"""Asks each process whether it is ready. A probe answers with what is still missing, and with "" when it is ready."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from infra.local import postgres as postgres_server

Probe = Callable[[], str]
_SECONDS = 2.0
# A proxy from the environment must not be used for addresses of this machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def http(url: str) -> Probe:
    def probe() -> str:
        try:
            with _open(url, timeout=_SECONDS) as response:
                return "" if response.status == 200 else f"{url} answers {response.status}"
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300).decode(errors="replace").strip()
            return f"{url} answers {error.code}: {said}"
        except OSError as error:
            return f"{url} does not answer ({getattr(error, 'reason', None) or error})"

    return probe


def redis(path: Path) -> Probe:
    def probe() -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(path))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError as error:
            return f"{path} does not answer ({error})"
        return "" if answer == b"+PONG\r\n" else f"{path} answers {answer!r}"

    return probe


def postgres(sockets: Path) -> Probe:
    def probe() -> str:
        asked = [str(postgres_server.binaries() / "pg_isready"), "-h", str(sockets), "-U", "postgres", "-t", "2"]
        done = subprocess.run(asked, capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stdout.strip() or done.stderr.strip()

    return probe


def jobs_are_up(prometheus_url: str, jobs: Iterable[str], since: float) -> Probe:
    """Whether the first scrape of each job is in Prometheus. Samples of an earlier run are still within look-back:
    only what was scraped since this one began counts.
    """

    def probe() -> str:
        # Both sides have the same labels, so this is the time of each sample whose value is 1.
        query = urllib.parse.quote("timestamp(up) and (up == 1)")
        try:
            with _open(f"{prometheus_url}/api/v1/query?query={query}", timeout=_SECONDS) as response:
                found = json.load(response)["data"]["result"]
        except (OSError, ValueError) as error:
            return f"{prometheus_url} does not answer a query ({error})"
        fresh = {series["metric"].get("job") for series in found if float(series["value"][1]) >= since}
        missing = sorted(set(jobs) - fresh)
        return f"in Prometheus there is no `up == 1` yet of {', '.join(missing)}" if missing else ""

    return probe
