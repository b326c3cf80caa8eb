"""`python -m infra.local`: the command line that `make` calls. `--help` lists the commands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.logs import follow
from infra.local.processes import NAMES
from infra.local.silence import silence
from infra.local.trip import trip
from infra.local.up import clean_data, up
from infra.setup.installation import LOCAL

DATA = LOCAL / "data"


def main() -> int:
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "up":
                up(arguments.data, free_ports=arguments.free_ports)
            case "clean-data":
                clean_data(arguments.data)
            case "logs":
                follow(DataFolder(arguments.data.absolute()), arguments.names)
            case "trip":
                return trip(DataFolder(arguments.data.absolute()), arguments.reason, arguments.by)
            case "silence":
                folder = DataFolder(arguments.data.absolute())
                return silence(folder, arguments.matchers, arguments.duration, arguments.reason, arguments.by)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="The whole platform on this machine, without containers. `make up`, `make logs`, "
        "`make trip`, `make silence` and `make clean-data` call this.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser(
        "up",
        help="start everything in the foreground; Ctrl-C stops it",
        description="Starts everything in the foreground and says when it is ready. The services' settings are "
        "environment variables: REPLAY_FILE, REPLAY_START, REPLAY_END, REPLAY_DAY_SECONDS, INITIAL_CASH, STRATEGY and "
        "more. ALERTMANAGER_SECRETS names the folder with the secrets of PagerDuty and Slack.",
    )
    start.add_argument(
        "--free-ports",
        action="store_true",
        help="listen on free ports instead of the usual ones; run/addresses.json in the data folder says which",
    )
    clean = commands.add_parser("clean-data", help="remove everything that was stored")
    logs = commands.add_parser("logs", help="show the end of the logs and what is added to them, until Ctrl-C")
    logs.add_argument("names", nargs="*", metavar="NAME", help=f"only of these: {', '.join(NAMES)}")
    breaker = commands.add_parser("trip", help="trip the circuit breaker and halt the venue, without the gateway")
    breaker.add_argument("--reason", required=True, help="why, for those who read it later")
    breaker.add_argument("--by", required=True, help="who you are")
    quiet = commands.add_parser("silence", help="silence alerts for a while, or list what is silenced")
    quiet.add_argument("matchers", nargs="*", metavar="LABEL=VALUE", help="which alerts, such as job=orchestrator")
    quiet.add_argument("--for", dest="duration", default="1h", help="how long, such as 30m (%(default)s)")
    quiet.add_argument("--reason", default="", help="why, for those who wonder")
    quiet.add_argument("--by", default="", help="who you are")
    for command in (start, clean, logs, breaker, quiet):
        command.add_argument(
            "--data", type=Path, default=DATA, metavar="FOLDER", help="where everything is stored (%(default)s)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
