"""The local start of the platform."""
