"""`python -m infra.setup.browser`: Chromium, in which tests open the pages of the viewer. `make up` needs none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.failure import Failure
from infra.setup import progress
from infra.setup.installation import LOCAL, ROOT

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
UPDATE = ("apt-get", "update", "--quiet")
INSTALL = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium")


def found() -> str | None:
    """The path of a Chromium or Chrome."""
    there = next(filter(None, map(shutil.which, PROGRAMS)), None)
    return there or (str(MAC) if os.access(MAC, os.X_OK) else None)


def missing() -> str:
    """What to install when there is none. Empty when there is one."""
    if found():
        return ""
    return (
        "The tests of the viewer need Chromium or Chrome, and there is none on the PATH: install it (Debian: apt "
        "install chromium; Ubuntu: snap install chromium; macOS: brew install --cask google-chrome)."
    )


def set_up() -> None:
    """Installs Debian's package if there is no browser and this is root on such a system. Else says how to get one."""
    if not missing():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"Note: {missing()}")
        return
    try:
        _install(INSTALL)
    except Failure:
        # Nothing is known of the package, or what is known is old and its files are gone.
        _install(UPDATE, INSTALL)
    if sentence := missing():
        # Ubuntu's packages of this name only lead to its snap.
        raise Failure(sentence)


def _install(*commands: tuple[str, ...]) -> None:
    progress.run(
        "Chromium, for the tests of the viewer",
        "1 min",
        commands,
        log=LOCAL / "setup" / "chromium.log",
        cwd=ROOT,
        environment=_quiet(os.environ),
        detail=_installed,
    )


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "DEBIAN_FRONTEND": "noninteractive"}


def _installed(log: Path) -> str:
    count = log.read_text(errors="replace").count("\nSetting up ")
    return f"{count} packages installed" if count else "fetching packages"


def main() -> int:
    try:
        set_up()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
