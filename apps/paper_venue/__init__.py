"""A simulated venue that implements `Broker`. A real venue would take its place."""

from apps.paper_venue.schema import SCHEMA
from apps.paper_venue.venue import PaperVenue

__all__ = ["SCHEMA", "PaperVenue"]
