"""Prepares what the containers of docker-compose.yml need before they start."""
