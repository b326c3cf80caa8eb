"""The venue behind `Broker`, on paper, with tables of its own: where a real one goes."""

from apps.paper_venue.schema import SCHEMA
from apps.paper_venue.venue import PaperVenue

__all__ = ["SCHEMA", "PaperVenue"]
