"""Stands in for Slack and PagerDuty on a machine that has neither, and is the dead man's switch."""
