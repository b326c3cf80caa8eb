"""What runs the platform and carries its alerts: configuration, the pager, and the local start."""
