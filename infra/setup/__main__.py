"""`python -m infra.setup`: builds the programs that are missing. `make setup` calls it once `.venv` is made."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from infra.failure import Failure
from infra.local import redis_server
from infra.setup import installation


def main() -> int:
    # SIGTERM does the same as Ctrl-C: the running build ends and leaves nothing behind.
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
