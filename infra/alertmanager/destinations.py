"""Writes Alertmanager's configuration. A destination whose secret file is missing goes to the local pager.

A secret's content is never read: the rendered configuration names the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ENVIRONMENT = "ALERTMANAGER_SECRETS"
# For each kind of destination: the key that names its secret file, and the name of the real service.
CHANNELS = {
    "pagerduty_configs": ("routing_key_file", "PagerDuty"),
    "slack_configs": ("api_url_file", "Slack"),
    "webhook_configs": ("url_file", "webhook"),
}


class DestinationsError(Exception):
    """The destinations cannot be set up. The message is for the person who started the platform."""


@dataclass(frozen=True)
class Rendered:
    """The text of Alertmanager's configuration, and where each "receiver/channel" goes, to show it to people."""

    text: str
    destinations: dict[str, str]


def secrets_folder(root: Path, environment: Mapping[str, str]) -> Path:
    """The folder in ALERTMANAGER_SECRETS, which must exist. Without the variable: ./secrets, which may be missing."""
    named = environment.get(ENVIRONMENT)
    if not named:
        return root / "secrets"
    if not Path(named).is_dir():
        # With a misspelled path nobody would be paged, and nobody would notice in time.
        raise DestinationsError(f"{ENVIRONMENT} names {named}, which is not a folder.")
    return Path(named)


def render(config: Path, secrets: Path, pager_url: str) -> Rendered:
    if secrets.exists() and not secrets.is_dir():
        raise DestinationsError(f"{secrets} is not a folder; the files with Alertmanager's secrets belong in one.")
    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DestinationsError(f"{config} cannot be read: {error}") from error
    destinations = {}
    for receiver in settings["receivers"]:
        for kind in [key for key in receiver if key != "name"]:
            if kind not in CHANNELS:
                raise DestinationsError(
                    f"{config}: the pager has no stand-in for {kind} of receiver {receiver['name']}."
                )
            for channel in receiver[kind]:
                name = f"{receiver['name']}/{kind.removesuffix('_configs')}"
                destinations[name] = _point(channel, kind, receiver["name"], secrets, pager_url.rstrip("/"))
    head = f"# Written from {config.name} at each start; edit that one.\n"
    return Rendered(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), destinations)


def _point(channel: dict[str, Any], kind: str, receiver: str, secrets: Path, pager_url: str) -> str:
    key, real = CHANNELS[kind]
    if key not in channel:
        raise DestinationsError(f"Receiver {receiver}: {kind} has no {key}; addresses and keys belong in files.")
    file = secrets.absolute() / PurePosixPath(channel[key]).name
    if file.is_file():
        if file.stat().st_size == 0:
            raise DestinationsError(f"{file} is empty; remove it to send to the local pager instead.")
        channel[key] = str(file)
        return f"{real} ({file.name})"
    del channel[key]
    match kind:
        case "pagerduty_configs":
            path = "pagerduty"
            channel |= {"routing_key": "local", "url": f"{pager_url}/{path}"}
        case "slack_configs":
            path = "slack"
            channel["api_url"] = f"{pager_url}/{path}"
        case _:
            path = "watchdog" if receiver == "watchdog" else "webhook"
            channel["url"] = f"{pager_url}/{path}"
    return f"the local pager ({pager_url}/{path}), since {file.name} is not there"
