"""The dashboards: what generates them, and the files that Grafana loads."""
