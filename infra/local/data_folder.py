"""The data folder, which outlives a run: its parts, its lock, and the place of its sockets."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.failure import Failure

# The path of a socket may have about 100 bytes (macOS: 103). The longest name below the folder has 24: PostgreSQL's
# socket, and supervisor's while it is being created.
_LONGEST_SOCKET_FOLDER = 103 - 24


@dataclass(frozen=True)
class DataFolder:
    """A data folder: `.local/data` for `make up`, and a temporary one for each test."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Files that each run writes again: rendered configuration, addresses, process ids."""
        return self.root / "run"

    @property
    def sockets(self) -> Path:
        if len(os.fsencode(self.run)) <= _LONGEST_SOCKET_FOLDER:
            return self.run
        short = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"trading-{os.getuid()}-{short}"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "postgres"

    @property
    def mount_point(self) -> Path:
        """Where the disk is mounted on which the folder is, or will be."""
        root = self.root.resolve()
        return next(place for place in (root, *root.parents) if place.is_mount())

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def part(self, name: str) -> Path:
        """The folder in which one process keeps its data."""
        return self.root / name

    def create(self) -> None:
        if "%" in str(self.root):
            raise Failure(f"{self.root} has a % in it, which supervisor takes for its own: use another folder.")
        self.root.mkdir(parents=True, exist_ok=True)
        # For root, PostgreSQL runs as another user, who must pass through to its part but may not list the folder.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        self.root.chmod(mode)
        for folder in (self.run, self.sockets, self.logs):
            folder.mkdir(mode=mode, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.geteuid():
            raise Failure(f"{self.sockets} is somebody else's: remove it, or use a data folder with a shorter path.")
        self.sockets.chmod(mode)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A lock that is held while `up` runs. The system releases it however `up` ends."""
        with self._lock_file().open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                pid = lock.read().strip() or "unknown"
                raise Failure(
                    f"{self.root} is in use by another `make up` (process {pid}): stop that one first with Ctrl-C "
                    f"or `kill {pid}`. Nothing was started."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def remove(self) -> None:
        self.remove_moved_sockets()
        shutil.rmtree(self.root)

    def remove_moved_sockets(self) -> None:
        if self.sockets != self.run:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def _lock_file(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root / "lock"
