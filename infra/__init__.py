"""What installs and runs the platform and carries its alerts: set-up, start, configuration, the pager."""
