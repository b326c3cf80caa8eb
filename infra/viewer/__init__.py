"""The viewer: shows the dashboards, the alerts and the runbooks in a browser, where there is no Grafana."""
