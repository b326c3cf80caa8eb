"""Turns quotes into target weights."""
