"""Everything on one machine without containers: `python -m infra.local setup | up | clean-data`."""
