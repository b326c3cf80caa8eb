"""Who is told of what fires: Alertmanager's configuration, and where it sends to on this machine."""
