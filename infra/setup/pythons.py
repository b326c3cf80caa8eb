"""`make pythons`: runs the tests that start no server on each Python of this machine that can run the project."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.failure import Failure
from infra.setup import progress
from infra.setup.installation import LOCAL, ROOT
from infra.setup.python_environment import LOCK, VENV

Version = tuple[int, int]
OLDEST = (3, 11)
# A version that is missing is named, so that nobody takes tests that did not run for tests that passed.
WANTED: tuple[Version, ...] = ((3, 11), (3, 12), (3, 13), (3, 14))
_ASK = "import sys; print(*sys.version_info[:2], sys.version_info.releaselevel, sys.executable, sep='\\n')"


def folders(environment: Mapping[str, str], home: Path) -> list[Path]:
    """The folders to search for Pythons, the likeliest first."""
    path = [Path(folder) for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    pyenv = sorted((home / ".pyenv" / "versions").glob("*/bin"), key=_numbers, reverse=True)
    return list(dict.fromkeys([*path, *pyenv, Path("/usr/local/bin"), Path("/usr/bin")]))


def candidates(places: Iterable[Path]) -> list[Path]:
    """Every `python3.N` in these folders whose name says that it is new enough."""
    found = []
    for place in places:
        for program in sorted(place.glob("python3.*")):
            name = re.fullmatch(r"python3\.(\d+)", program.name)
            if name and (3, int(name[1])) >= OLDEST:
                found.append(program)
    return found


def ask(program: Path) -> tuple[Version, Path] | None:
    """Its version and path. None for a pre-release, and when it does not run, as a pyenv shim without its version."""
    try:
        done = subprocess.run([program, "-c", _ASK], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = done.stdout.splitlines()
    if done.returncode != 0 or len(answer) != 4 or answer[2] != "final":
        return None
    return (int(answer[0]), int(answer[1])), Path(answer[3])


def on_this_machine(programs: Iterable[Path]) -> dict[Version, Path]:
    """The first program of each version that runs."""
    found: dict[Version, Path] = {}
    for program in programs:
        answer = ask(program)
        if answer and answer[0] not in found:
            found[answer[0]] = answer[1]
    return dict(sorted(found.items()))


def said(found: Mapping[Version, Path], own: Version) -> list[str]:
    """A line for each wanted version: its path, or that it is missing."""
    lines = []
    for version in sorted({*WANTED, *found, own}):
        if version == own:
            lines.append(f"{_name(version)} is the one of .venv: `make check` tests it.")
        elif version in found:
            lines.append(f"{_name(version)} is {found[version]}.")
        else:
            lines.append(f"{_name(version)} is not on this machine: not tested.")
    return lines


@dataclass(frozen=True)
class Environment:
    """The packages of requirements.lock for one Python, in a folder of its own."""

    version: Version
    python: Path
    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def _stamp(self) -> Path:
        return self.folder / "installed.sha256"

    def _inputs(self) -> str:
        digest = hashlib.sha256(LOCK.read_bytes())
        digest.update(f"{self.python} {self.folder}".encode())
        return digest.hexdigest()

    def installed(self) -> bool:
        return os.access(self.program, os.X_OK) and self._stamp.is_file() and self._stamp.read_text() == self._inputs()

    def install(self) -> None:
        if self.installed():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        uv = VENV / "bin" / "uv"
        progress.run(
            f"Python packages for {_name(self.version)}",
            "1 min",
            [
                [uv, "venv", "--quiet", "--no-project", "--python", self.python, self.folder],
                [uv, "pip", "sync", "--python", self.program, "--require-hashes", LOCK],
            ],
            log=LOCAL / "setup" / f"python-{_name(self.version)}.log",
            cwd=ROOT,
            environment={
                name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
            },
        )
        self._stamp.write_text(self._inputs())

    def tests_pass(self) -> bool:
        print(f"Testing on {_name(self.version)}.", flush=True)
        tests: list[str | Path] = [self.program, "-m", "pytest", "-q", "-m", "not server", "-p", "no:cacheprovider"]
        tests += ["-n", "auto", "--dist", "worksteal"]
        return subprocess.run(tests, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    own: Version = sys.version_info[:2]
    found = on_this_machine(candidates(folders(os.environ, Path.home())))
    print("\n".join(said(found, own)), flush=True)
    failed = []
    try:
        for version, python in found.items():
            if version != own:
                environment = Environment(version, python, LOCAL / "pythons" / _name(version))
                environment.install()
                if not environment.tests_pass():
                    failed.append(_name(version))
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    if failed:
        print(f"Tests failed on {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _name(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.name)]


if __name__ == "__main__":
    sys.exit(main())
