"""How much CPU a request costs the server with our telemetry, and with what others offer.

    python -m tests.benchmarks.requests [ROUNDS]

All servers run side by side and are asked in turn, so that the ratios do not depend on the machine. Each figure is a
median of the rounds. The other libraries are installed in an environment of their own, at their newest.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.documents import ROOT
from tests.servers import folder, program_running
from tests.services import free_port
from tests.waiting import wait_until

VARIANTS = ("plain FastAPI", "ours", "prometheus-fastapi-instrumentator", "instrumentation-fastapi", "logfire")
OTHERS = ("prometheus-fastapi-instrumentator", "opentelemetry-instrumentation-fastapi", "logfire[fastapi]", "uvicorn")
ROUTES = (1, 100)
REQUESTS = 400
"""Requests in a round."""


@dataclass
class Server:
    """A running server, and what its requests cost: microseconds of CPU, one figure a round."""

    process: int
    port: int
    routes: int
    costs: list[float] = field(default_factory=list)

    def round(self, requests: int) -> None:
        """Asks for the last route, so that the others are looked at before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        before = self._cpu()
        for number in range(requests):
            connection.request("GET", f"/orders{self.routes - 1}/{number}")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"order_id":%d}' % number)
        self.costs.append((self._cpu() - before) / requests / 1000)
        connection.close()

    def _cpu(self) -> int:
        """Nanoseconds that its threads have run."""
        threads = Path(f"/proc/{self.process}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)


def environment(place: Path) -> Path:
    """An environment with this library and the others. Returns its Python."""
    print("installing what it is compared with ...", file=sys.stderr)
    uv, python = Path(sys.executable).with_name("uv"), place / "env" / "bin" / "python"
    commands: list[list[str | Path]] = [
        ["venv", "--quiet", "--no-project", "--python", sys.executable, place / "env"],
        ["pip", "install", "--quiet", "--python", python, f"{ROOT}[fastapi]", *OTHERS],
    ]
    for command in commands:
        subprocess.run([uv, *command], check=True, cwd=place)
    return python


def started(stack: ExitStack, place: Path, python: Path, variant: str, routes: int) -> Server:
    """A server, which may not be ready yet."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = stack.enter_context(
        program_running(
            [str(python), "-m", "uvicorn", "--factory", "tests.benchmarks.served:app", "--port", str(port),
             "--no-access-log", "--log-level", "warning"],
            place / f"{port}.log",
            {**inherited, "PYTHONPATH": str(ROOT), "VARIANT": variant, "ROUTES": str(routes)},
        )
    )  # fmt: skip
    return Server(process.pid, port, routes)


def ready(server: Server) -> bool:
    """Whether it answers."""
    try:
        server.round(1)
    except OSError:
        return False
    return True


def main(rounds: int) -> None:
    """Measures, and prints a table."""
    with folder() as place, ExitStack() as stack:
        python = environment(place)
        servers = {
            (variant, routes): started(stack, place, python, variant, routes)
            for routes in ROUTES
            for variant in VARIANTS
        }
        for (variant, _), server in servers.items():
            wait_until(lambda: ready(server), 120, f"{variant} answers")  # noqa: B023  # called before the next one
            server.round(REQUESTS)
            server.costs.clear()
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for server in servers.values():
                server.round(REQUESTS)
    print("| CPU that a request adds, in microseconds | " + " | ".join(f"routes: {n}" for n in ROUTES) + " |")
    print("|---|" + "---|" * len(ROUTES))
    for variant in VARIANTS:
        costs = [_added(servers, variant, routes) for routes in ROUTES]
        print(f"| {variant} | {' | '.join(costs)} |")


def _added(servers: dict[tuple[str, int], Server], variant: str, routes: int) -> str:
    plain, cost = servers[VARIANTS[0], routes].cost, servers[variant, routes].cost
    if variant == VARIANTS[0]:
        return f"{cost:.0f} in all"
    ours = servers["ours", routes].cost - plain
    return f"+{cost - plain:.0f} ({(cost - plain) / ours:.2f} of ours)"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
