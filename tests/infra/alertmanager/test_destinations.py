"""Where pages go: to the real destinations whose secrets are there, and to the local pager for the rest."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.alertmanager.destinations import DestinationsError, Rendered, render, secrets_folder

CONFIG = Path(__file__).parents[3] / "infra" / "alertmanager" / "config.yml"
PAGER = "http://127.0.0.1:9099"
LOCAL = ("127.0.0.1", "localhost", ":9099")
SECRETS = {
    "slack_api_url": "https://hooks.slack.example/T0/B0/very-secret",
    "pagerduty_routing_key": "0123456789abcdef0123456789abcdef",
    "deadman_url": "https://deadman.example/very-secret",
}


def write(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(SECRETS[name])
    return folder


def channels(rendered: Rendered) -> dict[str, Any]:
    """Each receiver's only channel."""
    receivers = yaml.safe_load(rendered.text)["receivers"]
    return {
        receiver["name"]: channel
        for receiver in receivers
        for kind in receiver.keys() - {"name"}
        for channel in receiver[kind]
    }


def test_with_every_secret_there_nothing_goes_to_this_machine(tmp_path: Path) -> None:
    secrets = write(tmp_path / "secrets", *SECRETS)
    rendered = render(CONFIG, secrets, PAGER)

    assert [word for word in LOCAL if word in rendered.text] == []
    assert channels(rendered)["slack"]["api_url_file"] == str(secrets / "slack_api_url")
    assert channels(rendered)["pagerduty"]["routing_key_file"] == str(secrets / "pagerduty_routing_key")
    assert "url" not in channels(rendered)["pagerduty"]
    assert channels(rendered)["watchdog"]["url_file"] == str(secrets / "deadman_url")
    assert rendered.destinations == {
        "pagerduty/pagerduty": "PagerDuty (pagerduty_routing_key)",
        "slack/slack": "Slack (slack_api_url)",
        "watchdog/webhook": "webhook (deadman_url)",
    }


def test_no_secret_is_in_the_rendered_configuration_or_in_what_is_printed(tmp_path: Path) -> None:
    rendered = render(CONFIG, write(tmp_path / "secrets", *SECRETS), PAGER)

    everything = rendered.text + str(rendered.destinations)
    assert [secret for secret in SECRETS.values() if secret in everything] == []


@pytest.mark.parametrize("folder_is_there", [True, False])
def test_with_no_secret_there_everything_goes_to_the_pager(tmp_path: Path, folder_is_there: bool) -> None:
    secrets = write(tmp_path / "secrets") if folder_is_there else tmp_path / "secrets"
    rendered = render(CONFIG, secrets, PAGER + "/")

    assert "_file" not in rendered.text
    assert channels(rendered)["slack"]["api_url"] == "http://127.0.0.1:9099/slack"
    assert channels(rendered)["pagerduty"]["url"] == "http://127.0.0.1:9099/pagerduty"
    assert channels(rendered)["pagerduty"]["routing_key"] == "local"
    assert channels(rendered)["watchdog"]["url"] == "http://127.0.0.1:9099/watchdog"
    assert all("the local pager (http://127.0.0.1:9099/" in where for where in rendered.destinations.values())


def test_with_some_there_each_goes_its_own_way(tmp_path: Path) -> None:
    secrets = write(tmp_path / "secrets", "slack_api_url")
    rendered = render(CONFIG, secrets, PAGER)

    assert channels(rendered)["slack"]["api_url_file"] == str(secrets / "slack_api_url")
    assert channels(rendered)["pagerduty"]["url"] == "http://127.0.0.1:9099/pagerduty"
    assert rendered.destinations["slack/slack"] == "Slack (slack_api_url)"


def test_everything_else_is_as_in_the_real_configuration(tmp_path: Path) -> None:
    real, rendered = yaml.safe_load(CONFIG.read_text()), yaml.safe_load(render(CONFIG, tmp_path, PAGER).text)
    moved = {"api_url_file", "api_url", "routing_key_file", "routing_key", "url_file", "url"}
    for settings in (real, rendered):
        for receiver in settings["receivers"]:
            for channel in [channel for kind in receiver if kind.endswith("_configs") for channel in receiver[kind]]:
                for key in moved & channel.keys():
                    del channel[key]

    assert rendered == real


def test_a_webhook_that_is_not_watchdogs_goes_to_webhook(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("receivers: [{ name: chat, webhook_configs: [{ url_file: /run/secrets/chat_url }] }]")

    assert channels(render(config, tmp_path, PAGER))["chat"] == {"url": "http://127.0.0.1:9099/webhook"}


def test_a_secrets_folder_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("oops")

    with pytest.raises(
        DestinationsError, match="secrets is not a folder; the files with Alertmanager's secrets belong in one"
    ):
        render(CONFIG, tmp_path / "secrets", PAGER)


def test_an_empty_secret_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "slack_api_url").touch()

    with pytest.raises(DestinationsError, match="slack_api_url is empty"):
        render(CONFIG, tmp_path, PAGER)


@pytest.mark.parametrize(
    ("receiver", "sentence"),
    [
        ("{ name: mail, email_configs: [{ to: a@b.example }] }", "no stand-in for email_configs of receiver mail"),
        ("{ name: chat, webhook_configs: [{ url: http://x }] }", "webhook_configs has no url_file"),
    ],
)
def test_a_receiver_that_cannot_be_pointed_at_the_pager_is_refused(
    tmp_path: Path, receiver: str, sentence: str
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"receivers: [{receiver}]")

    with pytest.raises(DestinationsError, match=sentence):
        render(config, tmp_path, PAGER)


def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DestinationsError, match=r"config\.yml cannot be read"):
        render(tmp_path / "config.yml", tmp_path, PAGER)


def test_the_secrets_folder_is_beside_the_makefile_unless_the_environment_names_another(tmp_path: Path) -> None:
    assert secrets_folder(tmp_path, {}) == tmp_path / "secrets"
    assert secrets_folder(tmp_path, {"ALERTMANAGER_SECRETS": str(tmp_path)}) == tmp_path


def test_a_named_secrets_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DestinationsError, match=r"ALERTMANAGER_SECRETS names .*nowhere, which is not a folder"):
        secrets_folder(tmp_path, {"ALERTMANAGER_SECRETS": str(tmp_path / "nowhere")})
