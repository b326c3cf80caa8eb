"""Tests of the market data service."""
