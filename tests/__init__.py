"""Tests, in folders that mirror the sources; drills break real things."""
