"""Who is told, and of what."""
