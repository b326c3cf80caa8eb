"""Tests of the telemetry library."""
