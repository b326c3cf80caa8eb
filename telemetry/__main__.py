"""The command `python -m telemetry catalogue`: prints the declared metrics, one per line."""

from __future__ import annotations

import argparse
import importlib

from telemetry.instruments import Instrument
from telemetry.registry import declared


def main() -> None:
    """Parses the command line and prints name, kind, owner, labels and description of each declared metric."""
    parser = argparse.ArgumentParser(prog="python -m telemetry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    catalogue = commands.add_parser("catalogue", help="print the declared metrics")
    catalogue.add_argument("modules", nargs="*", default=["apps.catalogue"], help="modules that declare metrics")
    arguments = parser.parse_args()
    for module in arguments.modules:
        importlib.import_module(module)
    for metric in declared.values():
        if not isinstance(metric, Instrument):
            continue
        labels = ", ".join(metric.label_names) or "-"
        owners = ", ".join(metric.owners) or "every service"
        print(f"{metric.name}\t{metric.kind}\t{owners}\t{labels}\t{metric.description}")


if __name__ == "__main__":
    main()
