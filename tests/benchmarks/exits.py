"""How long a process takes to exit when it sends metrics to a collector that is refused, hangs or answers 503.

    python -m tests.benchmarks.exits [ROUNDS]

From the end of its main program until it is gone: ours, ours with spans too, and the SDK's MeterProvider with its
reader and exporter as they are by default. They take turns, and each is a process of its own.
"""

from __future__ import annotations

import atexit
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import telemetry
from tests.documents import ROOT
from tests.services import free_port

ROUNDS = 3
LIMIT = 2.0
"""Seconds that telemetry holds up the exit at most. The interpreter takes its own time after that."""
PATIENCE = 60.0
"""Seconds after which a process that does not exit is killed."""
RECORDS = 100
OURS = ("ours", "ours with spans")
SIDES = (*OURS, "the SDK's")
GOOD = "answers 200"
COLLECTORS = (GOOD, "refuses", "hangs", "answers 503", "answers 503, Retry-After: 1", "answers 503, Retry-After: 8")


def main(rounds: int) -> None:
    """Measures, and prints a table."""
    took: dict[tuple[str, str], list[Exit]] = {(one, side): [] for one in COLLECTORS for side in SIDES}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}:", file=sys.stderr, end="", flush=True)
        for collector in COLLECTORS:
            print(f" {collector} ...", file=sys.stderr, end="", flush=True)
            for side in SIDES:
                took[collector, side].append(_measured(collector, side))
        print(file=sys.stderr)
    print(f"| seconds to exit, median and most of {rounds} | {' | '.join(SIDES)} | ours waits {LIMIT:g} s at most |")
    print("|---|---|---|---|---|")
    for collector in COLLECTORS:
        held = all(round(one.waited, 1) <= LIMIT for side in OURS for one in took[collector, side])
        seconds = " | ".join(_said([one.seconds for one in took[collector, side]]) for side in SIDES)
        print(f"| a collector that {collector} | {seconds} | {'yes' if held else 'NO'} |")
    own = [one.seconds - one.waited for (_, side), exits in took.items() if side in OURS for one in exits]
    print(f"the interpreter's own part of ours: {_said(own)}")


@dataclass(frozen=True)
class Exit:
    """How long one took: until telemetry let the interpreter go on, and in all. `PATIENCE` if it had to be killed."""

    waited: float
    seconds: float


def _said(took: list[float]) -> str:
    worst = max(took)
    median = statistics.median(took)
    return ", ".join(f"> {PATIENCE:g}" if one >= PATIENCE else f"{one:.2f}" for one in (median, worst))


def _measured(collector: str, side: str) -> Exit:
    with _listening(collector) as port:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        wanted = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()),
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_TRACES_EXPORTER": "otlp" if side == "ours with spans" else "none",
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.exits", "child", side],
            cwd=ROOT, env={**inherited, **wanted}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        began = float(child.stdout.readline())
        killing = threading.Timer(PATIENCE, child.kill)
        killing.start()
        code = child.wait()  # with a time limit it would ask only every 50 ms
        ended = time.monotonic()
        killing.cancel()
        released = child.stdout.read()
        child.stdout.close()
        if code > 0:
            raise RuntimeError(f"{side}, with a collector that {collector}: the process ended with {code}")
        return Exit(float(released) - began, ended - began) if code == 0 else Exit(PATIENCE, PATIENCE)


@contextmanager
def _listening(collector: str) -> Iterator[int]:
    """The port of a collector of this kind."""
    if collector == "refuses":
        yield free_port()
        return
    leave = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if collector == "hangs":
                leave.wait()
                return
            self.send_response(200 if collector == GOOD else 503)
            if "Retry-After: " in collector:
                self.send_header("Retry-After", collector.partition("Retry-After: ")[2])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Says nothing: a process that is gone has closed its connection."""

    with Server(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield server.server_port
        finally:
            leave.set()
            server.shutdown()
            serving.join()


def child(side: str) -> None:
    """A main program of that side, which says when it ends, and when all that is done at exit is done."""
    atexit.register(lambda: print(time.monotonic(), flush=True))  # the first that is registered is the last that runs
    if side == "the SDK's":
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
        sent = metrics.get_meter("bench").create_counter("things")
        for _ in range(RECORDS):
            sent.add(1)
    else:
        telemetry.init("exits")
        things = telemetry.Counter("things_total", "Things.")
        for _ in range(RECORDS):
            things.add(1)
            with trace.get_tracer("bench").start_as_current_span("a thing"):
                pass
    print(time.monotonic(), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
