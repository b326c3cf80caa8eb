"""What `make setup` installs: Python packages into .venv, Go programs into .local/bin, and Chromium for the tests."""
