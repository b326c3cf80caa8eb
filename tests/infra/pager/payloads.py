"""What Alertmanager 0.31 sends with infra/alertmanager/config.yml, shortened; the integration test has the real."""

import json
from typing import Any

LABELS = {"alertname": "ServiceDown", "job": "market-data", "severity": "critical", "symbol": "ON", "worker": "1"}
ANNOTATIONS = {"summary": "market-data: down & <out>", "runbook_url": "https://runbooks.example#servicedown"}


def webhook(status: str = "firing", receiver: str = "ops") -> dict[str, Any]:
    return {
        "receiver": receiver,
        "status": status,
        "alerts": [{"status": status, "labels": LABELS, "annotations": ANNOTATIONS, "fingerprint": "1679530e2ef0ba67"}],
        "groupLabels": {"alertname": "ServiceDown"},
        "version": "4",
    }


def pagerduty(action: str = "trigger") -> dict[str, Any]:
    alerts = webhook("resolved" if action == "resolve" else "firing")["alerts"]
    return {
        "routing_key": "a-secret",
        "dedup_key": "d0ef13",
        "event_action": action,
        "payload": {
            "summary": "ServiceDown: market-data: down",
            "source": "Alertmanager",
            "severity": "critical",
            "custom_details": {"receiver": "pagerduty", "alerts": json.dumps(json.dumps(alerts)), "num_firing": 1},
        },
    }


def slack(*lines: str) -> dict[str, Any]:
    text = "\n".join(lines)
    return {
        "username": "Alertmanager",
        "attachments": [
            {"title": "FIRING ServiceDown", "text": text, "callback_id": "slack", "footer": "", "color": "danger"}
        ],
    }
