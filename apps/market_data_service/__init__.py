"""The market data service: replays daily closes as ticks, and publishes whether the market is open."""
