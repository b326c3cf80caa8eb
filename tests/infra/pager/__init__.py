"""The stand-in for Slack and PagerDuty."""
