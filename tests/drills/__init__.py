"""Drills: break real things in the running stack, and read at the pager what arrived.

Five are in `make test`: the breaker, a killed service, PostgreSQL, the collector, and a week of March 2020. All of them
are in `make drill`.
"""
