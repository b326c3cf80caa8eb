"""Everything on one machine without containers: `python -m infra.local up | logs | clean-data`."""
