"""The signal service: turns quotes into target weights."""
