"""Replays daily closes as ticks, and says when the market is open."""
