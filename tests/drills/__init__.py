"""Drills: break real things in the running stack, and read at the pager what arrived."""
