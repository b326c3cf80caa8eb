"""Tests of the execution gateway."""
