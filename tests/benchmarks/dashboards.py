"""How long all queries of each dashboard take together, one after the other, as for a browser that has just opened it.

    python -m tests.benchmarks.dashboards

Against the Prometheus of the whole platform, after 5 min, or after as many seconds as are given.
"""

from __future__ import annotations

import statistics
import sys
import time

from tests.infra.grafana.boards import DASHBOARDS, RANGE_SECONDS, TARGETS
from tests.infra.grafana.live import SETTINGS, Prometheus, trade
from tests.stack import Stack

ROUNDS = 5
LIMIT_SECONDS = 2.0


def main(wait_seconds: float) -> int:
    """Measures, prints a table, and returns 1 when a dashboard takes longer than the limit."""
    with Stack(SETTINGS) as stack:
        trade(stack)
        print(f"waiting {wait_seconds:.0f} s for data", flush=True)
        time.sleep(wait_seconds)
        prometheus = Prometheus(stack.addresses["prometheus"])
        took = {board: [_all_queries(prometheus, board) for _ in range(ROUNDS)] for board in DASHBOARDS}
        series = prometheus.ask("query", query="max(prometheus_tsdb_head_series)")["result"][0]["value"][1]
        prometheus.close()
    print(f"all queries of a dashboard over {RANGE_SECONDS // 60} min, {series} series; {ROUNDS} rounds")
    for board, seconds in took.items():
        queries = sum(target.board == board for target in TARGETS)
        print(
            f"{board:20} {queries:3} queries   median {statistics.median(seconds):.2f} s   worst {max(seconds):.2f} s"
        )
    return int(max(max(seconds) for seconds in took.values()) > LIMIT_SECONDS)


def _all_queries(prometheus: Prometheus, board: str) -> float:
    began = time.monotonic()
    for target in TARGETS:
        if target.board == board:
            prometheus.draw(target)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 300))
