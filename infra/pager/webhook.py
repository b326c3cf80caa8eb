"""Reads the notifications that Alertmanager sends to a webhook."""

from typing import Any

from pydantic import BaseModel

from infra.pager.pages import Alert, Notification, Status


class AlertmanagerAlert(BaseModel):
    """An alert as Alertmanager writes it, here and in the JSON of our PagerDuty template."""

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str] = {}

    def page_alert(self) -> Alert:
        name = self.labels.get("alertname", "")
        return Alert(name=name, labels=self.labels, annotations=self.annotations, status=self.status)


class Webhook(BaseModel):
    """Alertmanager's webhook, version 4."""

    receiver: str
    status: Status
    alerts: list[AlertmanagerAlert]


def read(body: dict[str, Any]) -> Notification:
    webhook = Webhook.model_validate(body)
    return Notification(
        channel="webhook",
        receiver=webhook.receiver,
        status=webhook.status,
        alerts=[alert.page_alert() for alert in webhook.alerts],
        body=body,
    )
