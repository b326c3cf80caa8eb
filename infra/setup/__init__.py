"""What `make setup` installs: Python packages into .venv, and the Go programs, built into .local/bin."""
