"""How the pager reads what each channel brings."""

import json
import logging

import pytest
from pydantic import ValidationError

from infra.pager import pagerduty, slack, webhook
from infra.pager.pages import Alert
from tests.infra.pager import payloads

ALERT = Alert(name="ServiceDown", labels=payloads.LABELS, annotations=payloads.ANNOTATIONS, status="firing")


@pytest.mark.parametrize(("action", "status"), [("trigger", "firing"), ("resolve", "resolved")])
def test_a_pagerduty_event_carries_name_labels_and_status_of_every_alert(action: str, status: str) -> None:
    page = pagerduty.read(payloads.pagerduty(action))

    assert (page.channel, page.receiver, page.status) == ("pagerduty", "pagerduty", status)
    assert page.alerts == [ALERT.model_copy(update={"status": status})]


def test_pagerdutys_key_is_not_stored() -> None:
    assert "a-secret" not in pagerduty.read(payloads.pagerduty()).model_dump_json()


@pytest.mark.parametrize(
    "details",
    [
        None,
        {},
        {"alerts": "[{"},
        {"alerts": 7},
        {"alerts": '"[{}]"'},
        {"alerts": "[" * 100_000},
        {"alerts": json.dumps("[" * 1000 + "]" * 1000)},
        {"error": "too large"},
    ],
)
def test_a_pagerduty_event_whose_alerts_cannot_be_read_is_kept_without_them_and_that_is_said(
    details: object, caplog: pytest.LogCaptureFixture
) -> None:
    body = payloads.pagerduty()
    body["payload"]["custom_details"] = details

    with caplog.at_level(logging.WARNING):
        page = pagerduty.read(body)

    assert (page.status, page.alerts) == ("firing", [])
    assert "kept without them" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"), [("event_action", "explode"), ("event_action", None), ("routing_key", None)]
)
def test_a_pagerduty_event_without_what_pagerduty_demands_is_refused(field: str, value: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        pagerduty.read({**payloads.pagerduty(), field: value})

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_slack_message_carries_name_status_texts_and_links_of_every_alert() -> None:
    page = slack.read(
        payloads.slack(
            "*[FIRING] ServiceDown* market-data: down &amp; &lt;out&gt;",
            "It does not answer &amp;amp; is gone.",
            "<https://runbooks.example#servicedown|Runbook> <https://dashboards.example/d/slo|Dashboard>",
            "*[RESOLVED] ServiceDown* orchestrator is down",
            "<https://runbooks.example#servicedown|Runbook>",
        )
    )

    runbook = "https://runbooks.example#servicedown"
    labels = {"alertname": "ServiceDown"}
    assert (page.channel, page.receiver, page.status) == ("slack", "slack", "firing")
    assert page.alerts == [
        Alert(
            name="ServiceDown",
            labels=labels,
            annotations={
                "summary": "market-data: down & <out>",
                "description": "It does not answer &amp; is gone.",
                "runbook_url": runbook,
                "dashboard_url": "https://dashboards.example/d/slo",
            },
            status="firing",
        ),
        Alert(
            name="ServiceDown",
            labels=labels,
            annotations={"summary": "orchestrator is down", "runbook_url": runbook},
            status="resolved",
        ),
    ]


def test_a_slack_message_is_resolved_when_all_its_alerts_are() -> None:
    assert slack.read(payloads.slack("*[RESOLVED] ServiceDown* a", "*[RESOLVED] ServiceDown* b")).status == "resolved"


def test_a_slack_message_that_names_no_alert_is_kept_as_firing_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        page = slack.read({"text": "hello"})

    assert (page.status, page.alerts, page.body) == ("firing", [], {"text": "hello"})
    assert "names no alert" in caplog.text


def test_a_slack_message_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="neither text nor attachments"):
        slack.read({"username": "Alertmanager"})


def test_a_webhook_carries_everything() -> None:
    page = webhook.read(payloads.webhook("resolved", receiver="ops"))

    assert (page.channel, page.receiver, page.status) == ("webhook", "ops", "resolved")
    assert page.alerts == [ALERT.model_copy(update={"status": "resolved"})]


def test_a_webhook_with_a_status_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        webhook.read({**payloads.webhook(), "status": "smouldering"})

    assert [error["loc"] for error in refused.value.errors()] == [("status",)]
