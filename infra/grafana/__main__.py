"""`python -m infra.grafana` writes the dashboards. With --check it writes nothing and says which are not current."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.grafana import risk_monitoring, service_health, slo, telemetry_pipeline, trading_overview
from infra.grafana.boards import COMMAND

FOLDER = Path(__file__).parent / "dashboards"
BOARDS: Mapping[str, Callable[[], str]] = {
    "trading-overview": trading_overview.build,
    "risk-monitoring": risk_monitoring.build,
    "service-health": service_health.build,
    "telemetry-pipeline": telemetry_pipeline.build,
    "slo": slo.build,
}


def main(arguments: list[str]) -> int:
    """Returns the exit status: 1 when a file is not current, 2 for unknown arguments."""
    if arguments not in ([], ["--check"]):
        print(f"usage: {COMMAND} [--check]", file=sys.stderr)
        return 2
    texts = {FOLDER / f"{uid}.json": build() for uid, build in BOARDS.items()}
    if not arguments:
        for file, text in texts.items():
            file.write_text(text)
        return 0
    old = [file.name for file, text in texts.items() if not file.exists() or file.read_text() != text]
    if old:
        print(f"not current: {', '.join(old)}. Run `{COMMAND}`.", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
