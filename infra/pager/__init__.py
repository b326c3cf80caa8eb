"""The pager: stands in for Slack and PagerDuty where there is neither, and is the dead man's switch."""
