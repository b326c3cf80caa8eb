"""`python -m infra.docker.prepare`: runs before the other containers and writes what they share.

Alertmanager's configuration, rendered anew at each start; a password for PostgreSQL, made once and kept in files.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from infra.alertmanager import destinations

ALERTMANAGER = Path(__file__).parents[1] / "alertmanager" / "config.yml"


def write_alertmanager(folder: Path, secrets_folder: Path, pager_url: str) -> dict[str, str]:
    """Writes config.yml into the folder and returns where pages go."""
    unreadable = [file.name for file in secrets_folder.iterdir() if not os.access(file, os.R_OK)]
    if unreadable:
        # Alertmanager runs as a user without rights on the host. It would fail only at the first page.
        names = ", ".join(sorted(unreadable))
        raise destinations.DestinationsError(f"In the secrets' folder {names} cannot be read by others: chmod o+r.")
    rendered = destinations.render(ALERTMANAGER, secrets_folder, pager_url)
    (folder / "config.yml").write_text(rendered.text)
    return rendered.destinations


def write_password(folder: Path) -> bool:
    """Creates `password` for the server and `pgpass` for its clients. Returns False when they exist."""
    password = folder / "password"
    if password.exists():
        return False
    value = secrets.token_urlsafe(32)
    # `password` is written last: if it exists, `pgpass` is complete. Clients refuse a `pgpass` that others may read.
    for file, text in ((folder / "pgpass", f"*:*:*:postgres:{value}\n"), (password, value)):
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.replace(file)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.docker.prepare", description=__doc__)
    parser.add_argument("--secrets", type=Path, required=True, help="where Alertmanager's secrets are, if any")
    parser.add_argument("--pager", required=True, help="the pager's URL, for destinations without a secret")
    parser.add_argument("--configuration", type=Path, required=True, help="where Alertmanager's configuration goes")
    parser.add_argument("--database", type=Path, required=True, help="where PostgreSQL's password goes")
    arguments = parser.parse_args()
    try:
        goes_to = write_alertmanager(arguments.configuration, arguments.secrets, arguments.pager)
    except (destinations.DestinationsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("Where pages go:", *(f"  {name:<20} {where}" for name, where in goes_to.items()), sep="\n")
    if write_password(arguments.database):
        print("Made a password for PostgreSQL.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
