"""`python -m infra.setup`: builds what is missing; `make setup` calls it when `.venv` is there."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from infra.failure import Failure
from infra.local import redis_server
from infra.setup import installation


def main() -> int:
    # The same for SIGTERM as for Ctrl-C: the build that is under way is ended, and leaves nothing behind.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        installation.set_up()
        if sentence := redis_server.missing():
            print(f"Note: {sentence}")
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was finished is installed; the same command goes on from there.", file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
