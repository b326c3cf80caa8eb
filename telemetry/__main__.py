"""The command `python -m telemetry catalogue`: prints the declared metrics, one per line or as a page in Markdown."""

from __future__ import annotations

import argparse
import importlib
import sys
import tomllib
from pathlib import Path

from telemetry.instrument import Instrument
from telemetry.reference import markdown, owners
from telemetry.registry import declared

PROJECT = Path("pyproject.toml")


def main() -> int:
    """Prints name, kind, owner, labels and description of each declared metric. Returns 2 if a module is missing.

    `--markdown` prints a page with units and the values of labels instead.
    """
    parser = argparse.ArgumentParser(prog="python -m telemetry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    catalogue = commands.add_parser("catalogue", help="print the declared metrics")
    catalogue.add_argument(
        "modules",
        nargs="*",
        help="modules that declare metrics; without any, those in [tool.telemetry] catalogues of pyproject.toml",
    )
    catalogue.add_argument("--markdown", action="store_true", help="as a page: a table for each service")
    arguments = parser.parse_args()
    sys.path.insert(0, "")  # the modules of the project in this folder
    try:
        for module in arguments.modules or ["telemetry.catalogue", *_catalogues()]:
            importlib.import_module(module)
    except (ImportError, ValueError) as error:
        print(f"the metrics cannot be printed: {error}", file=sys.stderr)
        return 2
    metrics = [metric for metric in declared.values() if isinstance(metric, Instrument)]
    if arguments.markdown:
        print(markdown(metrics, " ".join(["python -m telemetry catalogue --markdown", *arguments.modules])), end="")
        return 0
    for metric in metrics:
        labels = ", ".join(metric.label_names) or "-"
        print(f"{metric.name}\t{metric.kind}\t{', '.join(owners(metric))}\t{labels}\t{metric.description}")
    return 0


def _catalogues() -> list[str]:
    if not PROJECT.is_file():
        return []
    settings = tomllib.loads(PROJECT.read_text()).get("tool", {}).get("telemetry", {})
    return [str(module) for module in settings.get("catalogues", [])]


if __name__ == "__main__":
    sys.exit(main())
