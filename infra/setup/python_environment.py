"""Makes `.venv` from requirements.lock. Runs on the Python of the machine and needs only the standard library."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.sha256"
LOCK = ROOT / "requirements.lock"
UV = ROOT / "infra" / "setup" / "uv.txt"


# The types are quoted, because a Python that is too old for the project must be able to run this and be told so.
def refusal(version: "tuple[int, int]", missing_modules: "list[str]") -> str:
    """Why this Python cannot be used, and what to do. Empty when it can."""
    name = "Python {}.{}".format(*version)
    if version < (3, 11):
        return (
            f"Python 3.11 or newer is needed, and this is {name}: install one, or name one that is installed, "
            "as in `make setup PYTHON=python3.12`."
        )
    if missing_modules:
        return (
            f"{name} is installed without {' and '.join(missing_modules)}, which makes `.venv`: install it "
            "(Debian and Ubuntu: apt install python3-venv) and run the same command again."
        )
    return ""


def inputs() -> str:
    """A hash of everything that decides what is in `.venv`."""
    digest = hashlib.sha256()
    for part in (LOCK.read_bytes(), UV.read_bytes(), sys.version.encode(), str(VENV).encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def installed() -> bool:
    return STAMP.is_file() and os.access(str(PYTHON), os.X_OK) and STAMP.read_text().strip() == inputs()


def usable() -> bool:
    """Whether `.venv` runs, and was made by this Python and here: its programs contain the path of their folder."""
    try:
        made_here = str(VENV) in (VENV / "pyvenv.cfg").read_text()
        asked = [str(PYTHON), "-c", "import sys, pip; print(sys.version)"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return made_here and answer.stdout.strip() == sys.version


def main() -> int:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    reason = refusal(sys.version_info[:2], missing)
    if reason:
        print(reason, file=sys.stderr)
        return 1
    if installed():
        return 0

    from infra.failure import Failure
    from infra.setup import progress

    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        UV,
    ]
    uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "sync", "--python", PYTHON, "--require-hashes", LOCK]
    commands = [pip, uv]
    if not usable():
        shutil.rmtree(VENV, ignore_errors=True)
        commands.insert(0, [Path(sys.executable), "-m", "venv", VENV])
    STAMP.unlink(missing_ok=True)
    try:
        progress.run(
            "Python packages into .venv",
            "1 min",
            commands,
            log=ROOT / ".local" / "setup" / "python.log",
            cwd=ROOT,
            environment=environment,
        )
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
    STAMP.write_text(inputs())
    return 0


if __name__ == "__main__":
    sys.exit(main())
