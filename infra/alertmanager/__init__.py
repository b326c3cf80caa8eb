"""The configuration of Alertmanager, and where it sends pages on this machine."""
