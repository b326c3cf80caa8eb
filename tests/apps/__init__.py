"""Tests of the trading platform."""
