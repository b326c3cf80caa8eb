"""Tests of the signal service."""
