"""The command `python -m telemetry catalogue`: prints the declared metrics, one per line."""

from __future__ import annotations

import argparse
import importlib
import sys
import tomllib
from pathlib import Path

from telemetry.instrument import Instrument
from telemetry.registry import declared

PROJECT = Path("pyproject.toml")


def main() -> int:
    """Prints name, kind, owner, labels and description of each declared metric. Returns 2 if a module is missing."""
    parser = argparse.ArgumentParser(prog="python -m telemetry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    catalogue = commands.add_parser("catalogue", help="print the declared metrics")
    catalogue.add_argument(
        "modules",
        nargs="*",
        help="modules that declare metrics; without any, those in [tool.telemetry] catalogues of pyproject.toml",
    )
    arguments = parser.parse_args()
    sys.path.insert(0, "")  # the modules of the project in this folder
    try:
        for module in arguments.modules or ["telemetry.catalogue", *_catalogues()]:
            importlib.import_module(module)
    except (ImportError, ValueError) as error:
        print(f"the metrics cannot be printed: {error}", file=sys.stderr)
        return 2
    for metric in declared.values():
        if not isinstance(metric, Instrument):
            continue
        labels = ", ".join(metric.label_names) or "-"
        owners = ", ".join(metric.owners) or "every service"
        print(f"{metric.name}\t{metric.kind}\t{owners}\t{labels}\t{metric.description}")
    return 0


def _catalogues() -> list[str]:
    if not PROJECT.is_file():
        return []
    settings = tomllib.loads(PROJECT.read_text()).get("tool", {}).get("telemetry", {})
    return [str(module) for module in settings.get("catalogues", [])]


if __name__ == "__main__":
    sys.exit(main())
