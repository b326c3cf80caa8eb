"""Everything on one machine without containers: `python -m infra.local up | clean-data`."""
